"""The engine where two threads or two sources meet: last blocks, failed starts, other rates."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import mido
import numpy as np
import pytest

from engine.audio.opening import AudioSource
from engine.core.errors import DeviceError
from engine.core.settings import (
    AudioSettings,
    EngineSettings,
    GateSettings,
    MidiSettings,
    TimeSettings,
)
from engine.live import block_processor, recovery, worker
from engine.live.engine import Engine
from engine.midi.sinks import MidiSink, TeeSink, open_sink
from tests.engine.fakes import RATE, Array, CollectingSink, ScriptedSource, make_pipeline, sound

TIMEOUT = 20.0  # seconds until a wait has failed; far above what any takes


def settings_of(
    latency: float = 0.5, backlog: float = 20.0, midi_out: str = "LiveCover"
) -> EngineSettings:
    return EngineSettings(
        audio=AudioSettings(ring=20.0),
        midi=MidiSettings(midi_out=(midi_out,)),
        time=TimeSettings(latency=latency, late_tolerance=10.0, backlog=backlog),
        gate=GateSettings(enabled=False),
    )


def make_engine(
    sink: MidiSink | None, *sources: ScriptedSource, settings: EngineSettings | None = None
) -> Engine:
    """Return an engine that opens ``sources`` in turn, and real outputs where ``sink`` is None."""
    remaining: list[AudioSource] = list(sources)
    return Engine(
        settings_of() if settings is None else settings,
        open_source=lambda text, audio: remaining.pop(0),
        open_pipeline=lambda model: make_pipeline(),
        open_beat=lambda *_: None,
        open_sink=open_sink if sink is None else lambda names, already: sink,
    )


class LastMomentSource(ScriptedSource):
    """Once ``last`` is set, it is written just before the source is found to have ended.

    So does a file's thread that runs between two looks of the worker.
    """

    last: Array | None = None
    _has_ended = False

    @property
    def is_finished(self) -> bool:
        if self.last is not None:
            last, self.last = self.last, None
            self.play(last)
            self._has_ended = True
        return self._has_ended

    @is_finished.setter
    def is_finished(self, value: bool) -> None:
        self._has_ended = value


@pytest.mark.parametrize("is_idle", [False, True])
def test_the_last_block_of_a_song_is_heard_however_late_it_comes(is_idle: bool) -> None:
    sink = CollectingSink()
    source = LastMomentSource(lambda source: source.play(sound(0.5, (0.1, 0.2))))
    last = sound(0.1, (0.03, 0.1))
    if not is_idle:
        source.last = last
    with make_engine(sink, source) as engine:
        if is_idle:
            assert sink.has(2)
            source.last = last
        assert engine.wait(TIMEOUT)
    assert [round(event.time, 6) for event in sink.events] == [0.1, 0.21, 0.53, 0.61]


def test_a_failed_start_leaves_the_last_take_as_it_was(tmp_path: Path) -> None:
    take = tmp_path / "take.mid"
    take.write_bytes(b"the take of yesterday")
    source = ScriptedSource(fails_to_start=True)
    engine = make_engine(None, source, settings=settings_of(midi_out=str(take)))
    with pytest.raises(DeviceError):
        engine.start()
    assert take.read_bytes() == b"the take of yesterday"
    assert source.has_stopped.is_set()
    assert not {"midi", "worker"} & {thread.name for thread in threading.enumerate()}


def test_stop_in_mid_note_saves_a_take_whose_notes_end(tmp_path: Path) -> None:
    take = tmp_path / "take.mid"
    sink = CollectingSink()

    def open_both(names: Sequence[str], already: Sequence[MidiSink]) -> MidiSink:
        return TeeSink([open_sink(names, already), sink])

    engine = Engine(
        settings_of(midi_out=str(take)),
        open_source=lambda text, audio: ScriptedSource(lambda s: s.play(sound(1.0, (0.2, 1.0)))),
        open_pipeline=lambda model: make_pipeline(),
        open_beat=lambda *_: None,
        open_sink=open_both,
    )
    engine.start()
    assert sink.has(1)
    engine.stop()
    notes = [m for m in mido.MidiFile(take) if m.type.startswith("note")]
    assert [(m.type, m.note) for m in notes] == [("note_on", 60), ("note_off", 60)]


def test_time_goes_on_after_a_gap_at_another_sample_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(worker, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(recovery, "BACK_OFF", (0.0,))

    def play_at_twice_the_rate(source: ScriptedSource) -> None:
        source.play(np.repeat(sound(1.0, (0.1, 0.3)), 2, axis=0))
        source.finish()

    sink = CollectingSink()
    first = ScriptedSource(lambda source: source.play(sound(1.0, (0.2, 0.4))))
    second = ScriptedSource(play_at_twice_the_rate)
    second.sample_rate = 2 * RATE
    with make_engine(sink, first, second) as engine:
        assert sink.has(2)
        now[0] = 1007.0
        first.lose("unplugged")
        assert engine.wait(TIMEOUT)
        assert engine.source is second
    assert [round(event.time, 6) for event in sink.events] == [0.2, 0.41, 7.1, 7.31]


def test_overload_is_told_once_a_second_and_counted_each_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [1000.0]
    monkeypatch.setattr(block_processor, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    source = ScriptedSource()
    engine = make_engine(CollectingSink(), source, settings=settings_of(backlog=1.0))
    session = engine._worker.session
    source.start(session.ring, session.clock)
    with caplog.at_level(logging.WARNING):
        for host_time in (1000.0, 1000.9, 1001.1, 1002.0):
            now[0] = host_time
            source.play(sound(2.0))
            engine._worker.processor.step(session, engine.settings)
    assert session.ring.available == 0
    assert engine.status().n_skipped_frames == 4 * 200
    assert [message.split(".")[0] for message in caplog.messages] == [
        "too slow by 2000 ms: skipped to the present (200 frames in all)",
        "too slow by 2000 ms: skipped to the present (600 frames in all)",
    ]
    engine.stop()


def test_stop_does_not_wait_for_notes_that_are_not_due_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = CollectingSink()

    def script(source: ScriptedSource) -> None:
        source.play(sound(1.0, (0.2, 0.4)))
        source.finish()

    source = ScriptedSource(script)
    engine = make_engine(sink, source, settings=settings_of(latency=60.0))
    is_draining = threading.Event()
    drain = engine._scheduler.drain

    def watched_drain(timeout: float) -> bool:
        is_draining.set()
        return drain(timeout)

    monkeypatch.setattr(engine._scheduler, "drain", watched_drain)
    engine.start()
    assert is_draining.wait(TIMEOUT)
    stopping = threading.Thread(target=engine.stop, daemon=True)
    stopping.start()
    stopping.join(TIMEOUT)
    assert not stopping.is_alive()
    assert sink.events == []
    assert sink.n_closed == 1
