"""The end of the program while everything hangs that can: no wait has a time of its own."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.notes import Event
from engine.core.settings import EngineSettings
from engine.core.taps import Tap
from engine.live.engine import Engine
from engine.system import bounded
from engine.system.bounded import MIN_SAVE_S, begin_shutdown
from livecover.commands.signals import stop_on_signals
from livecover.control.command_queue import CommandQueue
from livecover.instrument import sound_output
from livecover.instrument.instrument import Instrument
from livecover.instrument.rig import Rig
from livecover.settings.output import MonitorSettings, RecordSettings
from livecover.settings.sections import Settings
from livecover.takes.flac import FlacFile
from tests.engine.fakes import CollectingSink, ScriptedSource, make_pipeline, sound
from tests.livecover.instrument.test_rig import Wall

Array = NDArray[np.float32]


class Trap:
    """Calls that hang in it until it is opened; it tells which do."""

    def __init__(self) -> None:
        self.caught: set[str] = set()
        self._changed = threading.Condition()
        self._is_open = False

    def catch(self, what: str) -> None:
        with self._changed:
            self.caught.add(what)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._is_open, 60)

    def wait_for(self, *what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.caught.issuperset(what), 60), self.caught

    def open(self) -> None:
        with self._changed:
            self._is_open = True
            self._changed.notify_all()


class HungWall(Wall):
    """An output whose server hangs once it has begun to play."""

    def __init__(self, trap: Trap) -> None:
        super().__init__()
        self.trap, self.hangs = trap, False

    def write(self, block: Array) -> None:
        if self.hangs:
            self.trap.catch("output")
        super().write(block)

    def close(self) -> None:
        self.trap.catch("closing the output")


class HungSink(CollectingSink):
    """A port whose driver hangs."""

    def __init__(self, trap: Trap) -> None:
        super().__init__()
        self.trap = trap

    def send(self, event: Event) -> None:
        self.trap.catch("port")


@pytest.fixture
def trap() -> Any:
    trap = Trap()
    yield trap
    trap.open()


def test_whatever_hangs_no_wait_has_a_time_of_its_own(
    trap: Trap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall, source = HungWall(trap), ScriptedSource()
    monkeypatch.setattr(sound_output, "open_output", lambda device: wall)
    monkeypatch.setattr(FlacFile, "write", lambda *_: trap.catch("disk"))
    pipeline = make_pipeline()
    monkeypatch.setattr(pipeline, "push", lambda samples: trap.catch("model"))
    monkeypatch.setattr(bounded, "SHUTDOWN_S", 0.0)

    def open_engine(settings: EngineSettings, taps: Sequence[Tap]) -> Engine:
        return Engine(
            settings,
            taps,
            open_source=lambda text, audio: source,
            open_pipeline=lambda model: pipeline,
            open_beat=lambda *_: None,
            open_sink=lambda names, already: HungSink(trap),
        )

    settings = Settings(
        record=RecordSettings(folder=str(tmp_path)), monitor=MonitorSettings(device="wall")
    )
    waits: list[float | None] = []
    join = threading.Thread.join

    def note(thread: threading.Thread, timeout: float | None = None) -> None:
        waits.append(timeout)
        join(thread, timeout)

    with Rig(settings, open_engine) as rig:
        with Instrument(settings, None, rig.recorder, rig.open_engine, rig) as instrument:
            instrument.start()
            instrument.record(True)
            with CommandQueue(instrument) as queue:
                instrument.engine._scheduler.hold((1,))  # type: ignore[union-attr]
                source.play(sound(0.1, (0.0, 0.1)))
                wall.hangs = True
                trap.wait_for("model", "port", "disk", "output")
                queue.put("midi.transpose", 3)  # waits for the worker
                monkeypatch.setattr(threading.Thread, "join", note)
                begin_shutdown()
    monkeypatch.setattr(threading.Thread, "join", join)
    assert waits and all(wait is not None and wait <= MIN_SAVE_S for wait in waits), waits
    assert sum(wait or 0.0 for wait in waits) <= MIN_SAVE_S + 1e-9  # of the take alone
    assert (
        "the next start of livecover completes it from what was written" in rig.recorder.faults[0]
    )
    assert not list(tmp_path.glob("*.mid")) and list(tmp_path.glob("*.journal"))


def has_begun_to_end() -> bool:
    return bounded.remaining_timeout(60.0) < 60.0


def test_the_end_runs_from_the_signal() -> None:
    with stop_on_signals() as stop:
        assert not has_begun_to_end()
        stop.set()
        assert has_begun_to_end()


@pytest.mark.parametrize("ends_program", [False, True])
def test_the_end_runs_from_that_of_the_only_song(ends_program: bool) -> None:
    source = ScriptedSource()

    def open_engine(settings: EngineSettings, taps: Sequence[Tap]) -> Engine:
        return Engine(
            settings,
            taps,
            open_source=lambda text, audio: source,
            open_pipeline=lambda model: make_pipeline(),
            open_beat=lambda *_: None,
            open_sink=lambda names, already: CollectingSink(),
        )

    instrument = Instrument(Settings(), open_engine=open_engine)
    instrument.start()
    source.finish()
    while not instrument.wait(1.0, ends_program=ends_program):
        pass
    assert has_begun_to_end() is ends_program
