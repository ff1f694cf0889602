"""The engine with its real threads, on a scripted source that never makes it wait.

Arrival times lie in the past and the tolerance for late notes is wide, so every note is due at
once; what a test waits for is always an event, never time.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.opening import AudioSource
from engine.core.errors import ConfigError, DeviceError, MidiError
from engine.core.notes import Event, NoteEvent, Posteriors
from engine.core.settings import (
    AudioSettings,
    EngineSettings,
    GateSettings,
    ModelSettings,
    TimeSettings,
)
from engine.core.taps import Tap
from engine.live import recovery
from engine.live.block_processor import MAX_BLOCK_S
from engine.live.engine import Engine
from engine.midi.sinks import MidiSink
from engine.model.pipeline import Pipeline
from engine.signal.meters import SILENCE_DBFS
from tests.engine.fakes import (
    JITTER,
    PITCH,
    RATE,
    SETTINGS,
    Array,
    CollectingSink,
    ListeningTap,
    ScriptedSource,
    make_pipeline,
    model_of,
    sound,
)
from tests.messages import refused


def make_engine(
    *sources: ScriptedSource | Exception,
    settings: EngineSettings = SETTINGS,
    sink: CollectingSink | None = None,
    pipeline: Pipeline | None = None,
    taps: Sequence[Tap] = (),
) -> Engine:
    """Return an engine that opens ``sources`` one after the other; an exception is raised."""
    remaining = iter(sources)

    def open_source(text: str, audio: AudioSettings) -> AudioSource:
        source = next(remaining)
        if isinstance(source, Exception):
            raise source
        return source

    def open_sink(names: Sequence[str], already: Sequence[MidiSink]) -> MidiSink:
        return sink if sink is not None else CollectingSink()

    return Engine(
        settings,
        taps,
        open_source=open_source,
        open_pipeline=lambda model: make_pipeline() if pipeline is None else pipeline,
        open_beat=lambda *_: None,
        open_sink=open_sink,
    )


def is_on(event: Event) -> bool:
    return isinstance(event, NoteEvent) and event.is_on


def with_style(style: str) -> EngineSettings:
    return replace(SETTINGS, model=ModelSettings(style=style))


def play_file(*loud: tuple[float, float], seconds: float = 1.0) -> Callable[[ScriptedSource], None]:
    """Return the script of a file that is there at once."""

    def script(source: ScriptedSource) -> None:
        source.play(sound(seconds, *loud))
        source.finish()

    return script


def play_and_stay(
    *loud: tuple[float, float], seconds: float = 1.0
) -> Callable[[ScriptedSource], None]:
    """Return the script of a device that gives so much and stays open."""
    return lambda source: source.play(sound(seconds, *loud))


def spans(events: Sequence[NoteEvent]) -> list[tuple[float, float]]:
    """Return (start, stop) of the notes, which must all be C4 and end before the next."""
    assert [event.pitch for event in events] == [PITCH] * len(events)
    assert [event.is_on for event in events] == [True, False] * (len(events) // 2)
    return [
        (round(a.time, 6), round(b.time, 6)) for a, b in zip(events[::2], events[1::2], strict=True)
    ]


def test_a_file_is_played_to_its_end() -> None:
    sink = CollectingSink()
    source = ScriptedSource(play_file((0.2, 0.4), (0.6, 0.8)))
    with make_engine(source, sink=sink) as engine:
        assert engine.wait(20.0)
        status = engine.status()
    assert spans(sink.notes) == [(0.2, 0.41), (0.6, 0.81)]
    assert sink.n_closed == 1
    assert source.has_stopped.is_set()
    assert (status.n_notes, status.n_dropped, status.n_overruns, status.n_losses) == (2, 0, 0, 0)
    assert status.latency == pytest.approx(0.5)
    assert not status.is_connected
    assert status.load > 0 and status.max_load >= status.load
    assert status.peak_dbfs == SILENCE_DBFS


def test_a_note_is_due_at_its_onset_in_the_air_plus_latency() -> None:
    tap = ListeningTap()
    source = ScriptedSource(play_file((0.2, 0.4)), latency=0.03)
    with make_engine(source, taps=[tap]) as engine:
        engine.wait(20.0)
    # the device reports that what it gives was in the air 0.03 s before
    dues = [due - source.begun for event, due, _ in tap.sent_events if is_on(event)]
    assert dues == pytest.approx([0.2 - 0.03 + 0.5], abs=JITTER)


def test_stop_in_mid_note_ends_it() -> None:
    sink = CollectingSink()
    engine = make_engine(ScriptedSource(play_and_stay((0.2, 1.0))), sink=sink)
    engine.start()
    assert sink.has(1)
    assert engine.status().is_connected
    assert not engine.wait(0.0)
    engine.stop()
    engine.stop()
    assert len(spans(sink.notes)) == 1
    assert sink.n_silences == 1
    assert sink.n_closed == 1


def test_panic_ends_the_note_and_the_music_goes_on() -> None:
    sink = CollectingSink()
    source = ScriptedSource(play_and_stay((0.2, 1.0)))
    with make_engine(source, sink=sink) as engine:
        assert sink.has(1)
        engine.panic()
        assert sink.has(2)
        source.play(sound(1.0, (0.5, 0.7)))
        source.finish()
        assert engine.wait(20.0)
    assert spans(sink.notes)[1] == (1.5, 1.71)


def test_the_note_ends_before_the_program_stops_and_the_music_goes_on() -> None:
    sink, tap = CollectingSink(), ListeningTap()
    source = ScriptedSource(play_and_stay((0.2, 1.0)))
    with make_engine(source, sink=sink, taps=[tap]) as engine:
        assert sink.has(1)
        seen: list[int] = []
        engine.suspend(lambda: seen.append(len(sink.events)))
        assert seen == [2]
        assert not sink.notes[1].is_on
        assert "silenced" in tap.calls
        source.play(sound(1.0, (0.5, 0.7)))
        source.finish()
        assert engine.wait(20.0)
        engine.suspend(lambda: seen.append(0))  # nothing plays any more
    assert seen == [2, 0]
    assert spans(sink.notes)[1] == (1.5, 1.71)


def test_a_lost_device_ends_its_notes_and_is_opened_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recovery, "BACK_OFF", (0.0,))
    sink = CollectingSink()
    first = ScriptedSource(play_and_stay((0.2, 1.0)), name="first")
    back = ScriptedSource(play_file((0.1, 0.3)), name="second")
    with caplog.at_level(logging.WARNING, "engine.live.engine"):
        engine = make_engine(
            first,
            DeviceError("no such device"),
            ScriptedSource(fails_to_start=True),
            back,
            sink=sink,
        )
        with engine:
            assert sink.has(1)
            first.lose("first was unplugged")
            assert engine.wait(20.0)
            assert engine.status().n_losses == 1
    assert caplog.messages == ["first was unplugged; trying again", "audio is back: second"]
    assert first.has_stopped.is_set()
    (before, after) = spans(sink.notes)
    assert before == (0.2, 1.01)
    assert after[0] > 0.1  # the take's time goes on: the second source's 0 is not the first's
    assert after[1] - after[0] == pytest.approx(0.21)


def test_a_device_that_came_back_slower_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recovery, "BACK_OFF", (0.0,))
    first = ScriptedSource(lambda source: source.lose("gone"))
    settings = EngineSettings(time=TimeSettings(backlog=20.0))
    engine = make_engine(first, ScriptedSource(play_file(), latency=0.4), settings=settings)
    with engine:
        assert engine.wait(20.0)
    assert "this input needs 476 ms, more than the 80 ms of this session" in caplog.text


def test_a_device_that_comes_back_slower_than_the_latency_asked_for_is_played(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recovery, "BACK_OFF", (0.0,))
    sink = CollectingSink()
    first = ScriptedSource(lambda source: source.lose("gone"))
    back = ScriptedSource(play_and_stay((0.1, 0.3)), latency=0.6)
    with make_engine(first, back, sink=sink) as engine:
        assert sink.has(2)
        engine.change(with_style("intense"))  # does not count anew what the input has cost since
        assert engine.budget.total == 0.5
        back.finish()
        assert engine.wait(20.0)
    assert "this input needs 676 ms, more than the 500 ms of this session" in caplog.text


def test_whatever_a_return_raises_for_the_user_is_tried_again_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recovery, "BACK_OFF", (0.0,))
    first = ScriptedSource(lambda source: source.lose("gone"))
    odd = ConfigError("audio.input is odd")
    with make_engine(first, odd, odd, DeviceError("not there"), ScriptedSource(play_file())) as e:
        assert e.wait(20.0)
    told = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert told == ["gone; trying again", "not yet: audio.input is odd", "audio is back: script"]


def test_what_comes_back_after_stop_is_stopped_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "BACK_OFF", (0.0,))
    first = ScriptedSource(lambda source: source.lose("gone"))
    engine: Engine
    back = ScriptedSource(lambda source: engine._worker.request_stop())
    engine = make_engine(first, back)
    with engine:
        assert engine.wait(20.0)
        assert back.has_stopped.is_set() and not back.is_running


def test_stop_while_the_device_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "BACK_OFF", (1000.0,))
    sink = CollectingSink()
    source = ScriptedSource(play_and_stay((0.2, 1.0)))
    engine = make_engine(source, sink=sink)
    engine.start()
    assert sink.has(1)
    source.lose("gone")
    assert source.has_stopped.wait(20.0)
    assert not engine.status().is_connected
    engine.stop()
    assert len(spans(sink.notes)) == 1


def test_overload_skips_to_the_present(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = EngineSettings(
        audio=AudioSettings(ring=20.0),
        time=TimeSettings(latency=0.5, late_tolerance=10.0, backlog=1.5),
        gate=GateSettings(enabled=False),
    )
    pipeline = make_pipeline()
    is_busy, is_free = threading.Event(), threading.Event()
    step = model_of(pipeline).step

    def slow_step(frames: NDArray[np.int64], features: Array, style: Array) -> Posteriors:
        if 60 in frames:
            is_busy.set()
            assert is_free.wait(20.0)
        return step(frames, features, style)

    monkeypatch.setattr(model_of(pipeline), "step", slow_step)
    sink = CollectingSink()
    source = ScriptedSource(play_and_stay((0.2, 1.0)))
    tap = ListeningTap()
    with make_engine(source, taps=[tap], sink=sink, settings=settings, pipeline=pipeline) as engine:
        assert is_busy.wait(20.0)
        source.play(sound(5.0, (0.0, 5.0)))
        is_free.set()
        assert sink.has(2)
        source.play(sound(1.0, (0.5, 0.7)))
        source.finish()
        assert engine.wait(20.0)
        status = engine.status()
    skipped = [message for message in caplog.messages if message.startswith("too slow by")]
    assert len(skipped) == 1
    assert 525 <= status.n_skipped_frames <= 541  # 5 s, and what waited of the first
    # What waited is passed over in pieces: as one it would leave the process larger.
    assert max(n for n, _, _ in tap.blocks) <= MAX_BLOCK_S * RATE
    assert spans(sink.notes)[-1] == (6.5, 6.71)


def test_a_broken_model_silences_and_reaches_the_caller() -> None:
    sink = CollectingSink()
    source = ScriptedSource(play_and_stay((0.2, 1.0)))
    engine = make_engine(source, sink=sink, pipeline=make_pipeline(fail_at=120))
    engine.start()
    assert sink.has(1)
    source.play(sound(1.0))
    with pytest.raises(RuntimeError, match="the model broke"):
        engine.wait(20.0)
    engine.stop()
    assert len(spans(sink.notes)) == 1
    assert sink.n_closed == 1


def test_a_broken_midi_thread_reaches_the_caller() -> None:
    class BrokenSink(CollectingSink):
        def send(self, event: Event) -> None:
            super().send(event)
            if is_on(event):
                raise RuntimeError("the sink broke")

    sink = BrokenSink()
    source = ScriptedSource(play_and_stay((0.2, 0.4)))
    engine = make_engine(source, sink=sink)
    engine.start()
    assert sink.has(1)
    with pytest.raises(RuntimeError, match="the sink broke"):
        while not engine.wait(20.0):
            pass
    engine.stop()
    assert sink.n_closed == 1


def test_an_overrun_is_counted() -> None:
    settings = EngineSettings(audio=AudioSettings(ring=0.5), time=SETTINGS.time, gate=SETTINGS.gate)
    with make_engine(ScriptedSource(play_file(seconds=0.8)), settings=settings) as engine:
        assert engine.wait(20.0)
        assert engine.status().n_overruns == 1


def test_silence_puts_the_model_to_sleep() -> None:
    settings = EngineSettings(audio=SETTINGS.audio, time=SETTINGS.time)
    pipeline = make_pipeline()
    source = ScriptedSource(play_file(seconds=10.0))
    with make_engine(source, settings=settings, pipeline=pipeline) as engine:
        assert engine.wait(20.0)
    assert len(model_of(pipeline).heard) < 120  # of 1000 frames: the second of hold, one block


def test_the_style_is_read_at_the_next_step() -> None:
    pipeline = make_pipeline()
    source = ScriptedSource()
    with make_engine(source, pipeline=pipeline) as engine:
        with pytest.raises(ConfigError, match="has no style 'wild'"):
            engine.change(with_style("wild"))
        engine.change(with_style("intense"))
        source.play(sound(0.5))
        source.finish()
        assert engine.wait(20.0)
    assert set(model_of(pipeline).styles) == {1.0}


def test_impossible_latency_is_refused_before_an_output_is_opened() -> None:
    sink = CollectingSink()
    settings = EngineSettings(time=TimeSettings(latency=0.01))
    with refused(ConfigError, "time.latency", "at least"):
        make_engine(ScriptedSource(), settings=settings, sink=sink)
    assert sink.n_closed == 0


def test_a_device_that_does_not_start_closes_all_again() -> None:
    sink = CollectingSink()
    engine = make_engine(ScriptedSource(fails_to_start=True, name="mic"), sink=sink)
    with pytest.raises(DeviceError, match="mic does not start"):
        engine.start()
    assert sink.n_closed == 1


def test_a_file_that_cannot_be_saved_is_told_by_stop() -> None:
    engine = make_engine(ScriptedSource(play_file()), sink=CollectingSink(fails_to_close=True))
    engine.start()
    assert engine.wait(20.0)
    with pytest.raises(MidiError, match="the disk is full"):
        engine.stop()
