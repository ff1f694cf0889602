"""Ports get program and bank at the start, and whenever these or the ports change."""

from collections.abc import Sequence
from dataclasses import replace

from engine.core.settings import MidiSettings
from engine.live.engine import Engine
from engine.midi.sinks import MidiSink, PortSink
from tests.engine.fakes import SETTINGS, ScriptedSource, make_pipeline
from tests.engine.midi_fakes import Client


def test_a_program_is_sent_at_the_start_and_at_changes() -> None:
    clients: dict[str, Client] = {"one": Client(), "two": Client()}

    def open_sink(names: Sequence[str], already: Sequence[MidiSink]) -> MidiSink:
        client = clients[names[0]]
        return PortSink(names[0], connect=lambda: client, check_every=None)

    midi = MidiSettings(midi_out=("one",), program=5)
    settings = replace(SETTINGS, midi=midi)
    engine = Engine(
        settings,
        open_source=lambda text, audio: ScriptedSource(name="a song"),
        open_pipeline=lambda model: make_pipeline(),
        open_beat=lambda beat, _: None,
        open_sink=open_sink,
    )
    assert clients["one"].sent == []
    with engine:
        assert clients["one"].sent == [(0xC0, 5)]
        engine.change(replace(settings, midi=replace(midi, program=7, bank=1)))
        assert clients["one"].sent[1:] == [(0xB0, 0, 0), (0xB0, 32, 1), (0xC0, 7)]
        engine.change(replace(settings, midi=replace(midi, midi_out=("two",), transpose=2)))
        assert clients["two"].sent[:1] == [(0xC0, 5)]
