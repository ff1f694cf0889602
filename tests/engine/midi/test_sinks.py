"""Ports through a stand-in for RtMidi's client, files through mido's own reader."""

import itertools
import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import mido
import pytest
import rtmidi

from engine.core.errors import ConfigError, MidiError
from engine.core.notes import Event, NoteEvent, PedalEvent
from engine.core.velocity import FIXED_VELOCITY, parse_curve, velocity_table
from engine.midi import file as midi_file
from engine.midi import ports as midi_ports
from engine.midi.file import paired
from engine.midi.ports import candidate_apis, find_port
from engine.midi.sinks import FileSink, MidiSink, PortSink, TeeSink, open_sink, sinks_of
from tests.engine.midi_fakes import HARDWARE, Client
from tests.messages import refused

# What a note becomes -----------------------------------------------------------------------------


@pytest.mark.parametrize("curve", ["linear", "soft", "hard", "fixed", 0.3, "2.5"])
def test_every_curve_rises_within_midi_and_keeps_note_offs(curve: str | float) -> None:
    velocities = velocity_table(curve)
    assert len(velocities) == 128
    assert velocities[0] == 0
    assert list(velocities[1:]) == sorted(velocities[1:])
    assert min(velocities[1:]) >= 1
    assert max(velocities) == (FIXED_VELOCITY if curve == "fixed" else 127)


def test_soft_is_below_linear_and_hard_above() -> None:
    middles = [velocity_table(curve)[64] for curve in ("soft", "linear", "hard")]
    assert middles[1] == 64
    assert middles == sorted(set(middles))


@pytest.mark.parametrize("curve", ["louder", "", "nan", 0.0, 11, -1.0, True])
def test_unknown_curve(curve: str | float) -> None:
    with refused(ConfigError, "linear, soft, hard, fixed", "0.1"):
        parse_curve(curve)


# Ports -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("Yamaha P-125:Yamaha P-125 MIDI 1 20:0", 1),
        ("yamaha p-125:yamaha p-125 midi 1", 1),
        ("Yamaha P-125", 1),
        ("yamaha", 1),
        ("USB Synth MIDI 2", 3),
        ("LiveCover", None),
        ("Yama", None),
    ],
)
def test_find_port(name: str, index: int | None) -> None:
    assert find_port(name, HARDWARE) == index


def test_find_port_names_what_is_ambiguous() -> None:
    with refused(MidiError, "'USB Synth:USB Synth MIDI 1 24:0'", "'USB"):
        find_port("usb", HARDWARE)


def test_a_known_name_opens_that_port_and_another_a_virtual_one() -> None:
    client = Client(HARDWARE)
    assert not PortSink("yamaha", connect=lambda: client, look_every=None).is_virtual
    assert client.opened == (1, "yamaha")
    client = Client(HARDWARE)
    assert PortSink("LiveCover", connect=lambda: client, look_every=None).is_virtual
    assert client.opened == (None, "LiveCover")


def test_port_sends_notes_pedals_and_silence() -> None:
    client = Client()
    sink = PortSink("LiveCover", connect=lambda: client, look_every=None)
    sink.send(NoteEvent(0.0, 60, 100, channel=2))
    sink.send(PedalEvent(0.0, True, channel=16))
    silence = [(s, c, 0) for s in (0xB1, 0xBF) for c in (64, 123)]
    sink.silence()
    assert client.sent == [(0x91, 60, 100), (0xBF, 64, 127), *silence]
    sink.send(NoteEvent(0.0, 60, 100, channel=2))
    sink.close()
    sink.close()
    assert client.sent[6:] == [(0x91, 60, 100), *silence[:2]]
    assert client.is_deleted
    with pytest.raises(MidiError, match="'LiveCover' is closed"):
        sink.panic()


@pytest.mark.parametrize(
    "name", ["LiveCover Control", "livecover control", "livecover_control:LiveCover Control 130:0"]
)
def test_notes_never_go_to_where_controllers_are_heard(name: str) -> None:
    with refused(MidiError, "hears controllers", "another port", "--midi-out"):
        open_sink([name])


def test_panic_silences_all_channels_whatever_was_used() -> None:
    client = Client()
    PortSink("LiveCover", connect=lambda: client, look_every=None).panic()
    assert client.sent == [(0xB0 + c, k, 0) for c in range(16) for k in (64, 120, 121, 123)]


def test_without_virtual_ports_the_error_says_loopmidi() -> None:
    clients = [Client(["Microsoft GS Wavetable Synth 0"], can_make_virtual=False) for _ in "12"]
    remaining = iter(clients)
    with refused(MidiError, "'Microsoft GS", "install loopMIDI"):
        PortSink("LiveCover", connect=lambda: next(remaining), look_every=None)
    assert all(client.is_deleted for client in clients)


def test_port_in_use() -> None:
    client = Client(HARDWARE)
    client.error = rtmidi.SystemError("error creating output port")
    with refused(MidiError, "'yamaha'", "error creating", "close"):
        PortSink("yamaha", connect=lambda: client, look_every=None)
    assert client.is_deleted


def test_ambiguous_port_releases_the_client() -> None:
    client = Client(HARDWARE)
    with pytest.raises(MidiError, match="in full"):
        PortSink("usb", connect=lambda: client, look_every=None)
    assert client.is_deleted


def test_which_midi_system_is_tried() -> None:
    alsa, jack, winmm = rtmidi.API_LINUX_ALSA, rtmidi.API_UNIX_JACK, rtmidi.API_WINDOWS_MM
    assert candidate_apis([alsa, jack], "linux", True) == [alsa, jack]
    assert candidate_apis([alsa, jack], "linux", False) == [jack]
    assert candidate_apis([alsa], "linux", False) == []
    assert candidate_apis([winmm], "win32", False) == [winmm]


@pytest.mark.parametrize(
    ("platform", "has_pipewire", "library", "advice"),
    [
        ("linux", False, None, "expected the ALSA sequencer or a JACK server.*modprobe snd-seq"),
        ("linux", True, None, "PipeWire runs, without its JACK; install it .*pipewire-jack"),
        ("linux", True, "libjack.so.0", "expected the ALSA sequencer or a JACK server"),
        ("darwin", False, None, "MIDI service"),
    ],
)
def test_no_midi_system(
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    has_pipewire: bool,
    library: str | None,
    advice: str,
) -> None:
    def refuse(*_: object) -> None:
        raise rtmidi.SystemError("JACK server not running?")

    monkeypatch.setattr(rtmidi, "MidiOut", refuse)
    monkeypatch.setattr(midi_ports, "JackOutput", refuse)
    monkeypatch.setattr(midi_ports, "pipewire_answers", lambda: has_pipewire)
    monkeypatch.setattr(midi_ports, "pipewire_library", lambda: library)
    monkeypatch.setattr("sys.platform", platform)
    with pytest.raises(MidiError, match=advice):
        midi_ports.open_output()


def test_ports_and_system_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    clients = [Client([*HARDWARE, "livecover_control:LiveCover Control 130:0"]), Client()]
    remaining = iter(clients)
    monkeypatch.setattr(midi_ports, "open_output", lambda: next(remaining))
    assert midi_ports.list_ports() == HARDWARE  # what is livecover's own is not offered
    assert midi_ports.midi_system() == "Jack"
    assert all(client.is_deleted for client in clients)


# Files -------------------------------------------------------------------------------------------

TAKE = [
    NoteEvent(0.5, 72, 90, "melody"),
    NoteEvent(0.5, 48, 60),
    NoteEvent(1.0, 72, 0, "melody"),
    NoteEvent(2.25, 48, 0),
]


def read(path: Path) -> dict[str, list[tuple[float, str, int, int, int]]]:
    """Return {track: [(seconds, type, channel, pitch, velocity)]} of a file at 120 a minute."""
    file = mido.MidiFile(path)
    assert (file.type, file.ticks_per_beat) == (1, 960)
    assert [m.tempo for m in file.tracks[0] if m.type == "set_tempo"] == [500_000]
    tracks = {}
    for track in file.tracks:
        ticks = list(itertools.accumulate(message.time for message in track))
        tracks[track.name] = [
            (tick / 1920, m.type, m.channel, m.note, m.velocity)
            for tick, m in zip(ticks, track, strict=True)
            if m.type.startswith("note")
        ]
    return tracks


def record(path: Path, events: Sequence[Event]) -> None:
    sink = FileSink(path, autosave=None)
    for event in events:
        sink.send(event)
    sink.close()


def test_a_file_has_melody_and_accompaniment_tracks(tmp_path: Path) -> None:
    record(tmp_path / "take.mid", [replace(event, channel=3) for event in TAKE])
    assert read(tmp_path / "take.mid") == {
        "livecover": [],
        "melody": [(0.5, "note_on", 2, 72, 90), (1.0, "note_off", 2, 72, 0)],
        "accompaniment": [(0.5, "note_on", 2, 48, 60), (2.25, "note_off", 2, 48, 0)],
    }
    assert [path.name for path in tmp_path.iterdir()] == ["take.mid"]


def test_open_notes_end_with_the_take() -> None:
    assert paired(TAKE[:3])[-1] == NoteEvent(1.0, 48, 0)


def test_pedals_stand_in_the_file_and_go_up_with_it(tmp_path: Path) -> None:
    record(tmp_path / "take.mid", [*TAKE[:2], PedalEvent(0.75, True), *TAKE[2:]])
    pedals = [m for m in mido.MidiFile(tmp_path / "take.mid") if m.type == "control_change"]
    assert [(m.control, m.value) for m in pedals] == [(64, 127), (64, 0)]


def test_pairs_are_mended() -> None:
    stray, again = NoteEvent(0.1, 30, 0), NoteEvent(0.75, 48, 70, "melody")
    assert paired([stray, *TAKE, again]) == [
        *TAKE[:2],
        NoteEvent(0.75, 48, 0, "accompaniment"),
        again,
        TAKE[2],
        NoteEvent(2.25, 48, 0, "melody"),
    ]


def test_a_file_replaces_what_was_there_only_when_used(tmp_path: Path) -> None:
    path = tmp_path / "take.mid"
    path.write_bytes(b"an earlier take")
    FileSink(path).close()
    assert path.read_bytes() == b"an earlier take"
    sink = FileSink(path)
    sink.panic()
    sink.close()
    assert read(path)["melody"] == []


def test_autosave_leaves_a_whole_file_while_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_saved = threading.Event()
    write = FileSink._write

    def write_and_tell(sink: FileSink, data: bytes) -> None:
        write(sink, data)
        has_saved.set()

    monkeypatch.setattr(FileSink, "_write", write_and_tell)
    path = tmp_path / "take.mid"
    sink = FileSink(path, autosave=0.001)
    sink.send(TAKE[0])
    assert has_saved.wait(10.0)
    assert len(read(path)["melody"]) == 2  # the open note is ended in the file
    for event in TAKE[1:]:
        sink.send(event)
    sink.close()
    sink.close()
    assert read(path)["accompaniment"][-1][0] == 2.25
    with pytest.raises(MidiError, match="is closed"):
        sink.send(TAKE[0])


def test_failed_autosave_is_logged_and_close_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    has_failed = threading.Event()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    monkeypatch.setattr(midi_file.log, "warning", lambda *_: has_failed.set())
    sink = FileSink(tmp_path / "take.mid", autosave=0.001)
    with caplog.at_level(logging.WARNING):
        sink.send(TAKE[0])
        assert has_failed.wait(10.0)
    with pytest.raises(MidiError, match="No space left on device"):
        sink.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("autosave", [None, 0.001])
def test_a_disk_that_hangs_is_told_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autosave: float | None
) -> None:
    hangs, may_answer, has_answered = threading.Event(), threading.Event(), threading.Event()
    replace_file = os.replace

    def hang(*paths: Path) -> None:
        hangs.set()
        assert may_answer.wait(60)
        replace_file(*paths)
        has_answered.set()

    monkeypatch.setattr("os.replace", hang)
    monkeypatch.setattr(midi_file, "SAVE_S", 0.0)
    sink = FileSink(tmp_path / "take.mid", autosave)
    sink.send(TAKE[0])
    assert autosave is None or hangs.wait(60)
    with refused(MidiError, "last saved", "disk", "not answer"):
        sink.close()
    may_answer.set()
    assert has_answered.wait(60)


def test_unwritable_path_is_refused_before_anything_plays(tmp_path: Path) -> None:
    with refused(MidiError, "missing/take.mid'", "No such file"):
        FileSink(tmp_path / "missing" / "take.mid")
    with refused(MidiError, "is a folder", "give a path"):
        FileSink(tmp_path)


# Several at once ---------------------------------------------------------------------------------


def test_open_sink_takes_a_port_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    port = partial(PortSink, connect=lambda: client, look_every=None)
    monkeypatch.setattr("engine.midi.sinks.PortSink", port)
    path = tmp_path / "Take.MID"
    sink = open_sink(["LiveCover", str(path)], autosave=None)
    assert isinstance(sink, TeeSink)
    assert sink.name == f"LiveCover + {path}"
    for event in TAKE:
        sink.send(event)
    delete = client.delete
    was_saved: list[bool] = []

    def look_and_delete() -> None:
        was_saved.append(path.exists())
        delete()

    monkeypatch.setattr(client, "delete", look_and_delete)
    sink.close()
    assert was_saved == [True]  # a port that hangs takes no time from the file
    assert client.sent[4:] == [(0xB0, 64, 0), (0xB0, 123, 0)]
    assert len(read(path)["melody"]) == 2


@pytest.mark.parametrize(
    "name", ["score.musicxml", "take.mdi", "out.wav", "takes/one.MP3", "takes/", "/dev/full"]
)
def test_a_file_of_another_kind_is_no_port(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.midi.sinks.list_ports", lambda: ["Piano:in", "Synth v1.ab"])
    with refused(MidiError, ".mid", "port", "FILE.mid"):
        open_sink([name])


def test_a_port_may_be_called_as_files_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.midi.sinks.list_ports", lambda: ["Synth v1.ab"])
    port = partial(PortSink, connect=Client, look_every=None)
    monkeypatch.setattr("engine.midi.sinks.PortSink", port)
    for name in ("Synth v1.ab", "LiveCover 2.0"):
        open_sink([name]).close()


def test_open_sink_gives_one_sink_as_it_is(tmp_path: Path) -> None:
    assert isinstance(open_sink([str(tmp_path / "take.midi")]), FileSink)


def test_a_file_by_another_spelling_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    first = open_sink(["./a.mid", "~/b.mid"], autosave=None)
    assert open_sink(["./a.mid"], sinks_of(first)) is sinks_of(first)[0]
    for sink in sinks_of(first):
        sink.send(NoteEvent(0.0, 60, 80))
        sink.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mid", "b.mid"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    link = tmp_path / "link.mid"
    link.symlink_to(tmp_path / "take.mid")
    sink = open_sink([str(link)], autosave=None)
    sink.send(NoteEvent(0.0, 60, 80))
    sink.close()
    assert link.is_symlink() and mido.MidiFile(tmp_path / "take.mid").tracks


def test_open_sink_takes_what_is_open_already(tmp_path: Path) -> None:
    one, other = str(tmp_path / "one.mid"), str(tmp_path / "other.mid")
    first = open_sink([one, other])
    assert open_sink([other], sinks_of(first)) is sinks_of(first)[1]
    assert open_sink([one], sinks_of(first)) is sinks_of(first)[0]


def test_open_sink_closes_the_port_when_the_file_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    port = partial(PortSink, connect=lambda: client, look_every=None)
    monkeypatch.setattr("engine.midi.sinks.PortSink", port)
    with pytest.raises(MidiError, match="cannot be written"):
        open_sink([str(tmp_path / "missing" / "take.mid"), "LiveCover"])
    assert client.is_deleted


def test_one_broken_sink_does_not_silence_the_other(tmp_path: Path) -> None:
    client, other = Client(), Client()
    sinks: list[MidiSink] = [
        PortSink("a", connect=lambda: client, look_every=None),
        PortSink("b", connect=lambda: other, look_every=None),
    ]
    tee = TeeSink(sinks)
    client.error = rtmidi.SystemError("gone")
    with pytest.raises(MidiError, match="'a' is gone"):
        tee.send(TAKE[0])
    with pytest.raises(MidiError, match="'a'"):
        tee.silence()
    assert other.sent == [(0x90, 72, 90), (0xB0, 64, 0), (0xB0, 123, 0)]
    with pytest.raises(MidiError, match="'a'"):
        tee.panic()
    assert len(other.sent) == 3 + 64
    tee.close()
    assert other.is_deleted
