"""Players on one output: what fails is taken out, the others play on."""

import queue
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import DeviceError
from engine.core.notes import NoteEvent
from engine.core.taps import Tap
from engine.playback import playback_clock
from engine.playback import playback_thread as subject
from engine.playback.piano import Piano
from engine.playback.playback_thread import PlaybackThread

Array = NDArray[np.float32]
RATE = 8000
BLOCK = 40


class Wall:
    """An output that takes a block when it is asked to."""

    name, sample_rate = "wall", RATE

    def __init__(self) -> None:
        self.is_gated = self.is_closed = False
        self.asked: queue.Queue[None] = queue.Queue()
        self.heard: queue.Queue[Array] = queue.Queue()

    def write(self, block: Array) -> None:
        if self.is_gated:
            self.asked.get(timeout=60)
            self.heard.put(block)

    def hear(self, n: int = 3) -> Array:
        """The last of ``n`` blocks: the first may have been mixed before the players came."""
        for _ in range(n):
            self.asked.put(None)
        return [self.heard.get(timeout=60) for _ in range(n)][-1]

    def latency(self) -> float:
        return 0.04

    def is_heard_in(self, source: str) -> bool:
        return False

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wall]:
    monkeypatch.setattr(playback_clock, "SETTLE_S", 0.01)
    yield Wall()


@pytest.fixture
def playback(wall: Wall) -> Iterator[PlaybackThread]:
    found = PlaybackThread(wall, lambda: wall)
    wall.is_gated = True
    yield found
    found._stop.set()
    wall.is_gated = False
    wall.asked.put(None)
    found._thread.join(60)


class Hum(Tap):
    """Always 0.25, until it is told to fail."""

    name = "the hum"

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.calls: list[str] = []

    def render(self, n: int, host_time: float) -> Array:
        sound = np.full((n, 2), 0.25, np.float32)
        if self.fault == "raises":
            raise ZeroDivisionError("in the plugin")
        if self.fault == "device":
            raise DeviceError("of its own")
        if self.fault == "nan":
            sound[n // 2] = np.nan
        return sound[:-1] if self.fault == "shape" else sound

    def silenced(self) -> None:
        self.calls.append("silenced")
        if self.fault == "tap":
            raise KeyError("deaf")


class Asked:
    """Keeps the host times that it is asked for."""

    name = "asked"

    def __init__(self) -> None:
        self.host_times: list[float] = []

    def render(self, n: int, host_time: float) -> Array:
        self.host_times.append(host_time)
        return np.zeros((n, 2), np.float32)


def test_what_is_heard_later_than_the_output_says_is_played_for_then(
    wall: Wall, playback: PlaybackThread
) -> None:
    asked = Asked()
    playback.play([asked])
    wall.hear()
    before = asked.host_times[-1]
    playback.way_out = 5.0
    wall.hear()
    assert 4.0 < asked.host_times[-1] - before < 6.0


@pytest.mark.parametrize("fault", ["raises", "device", "nan", "shape", "tap"])
def test_a_player_that_fails_is_taken_out_and_the_others_play_on(
    wall: Wall, playback: PlaybackThread, fault: str, caplog: Any
) -> None:
    good, bad = Hum(), Hum()
    playback.play([bad, good])
    assert np.all(wall.hear() == 0.5)
    bad.fault = fault
    if fault == "tap":
        playback.silenced()
    assert np.all(wall.hear() == 0.25) and np.all(wall.hear() == 0.25)
    (record,) = caplog.records
    assert record.getMessage().startswith("the hum failed (")
    playback.silenced()
    assert good.calls[-1] == "silenced" and len(bad.calls) < len(good.calls) + (fault == "tap")
    assert np.all(wall.hear() == 0.25) and len(caplog.records) == 1


def test_a_faulty_plugin_does_not_silence_the_song(wall: Wall, playback: PlaybackThread) -> None:
    class Plugin:
        def render(self, n: int, messages: Any) -> Array:
            raise RuntimeError("the plugin broke")

        def close(self) -> None:
            raise RuntimeError("and again")

    piano, song = Piano(Plugin(), RATE), Hum()
    playback.play([song, piano])
    assert np.all(wall.hear() == 0.25)
    playback.found([NoteEvent(0.0, 60, 80)], [0.0])
    assert np.all(wall.hear() == 0.25)
    piano.shut_down()


def test_an_output_that_does_not_answer_holds_nobody_up(
    wall: Wall, playback: PlaybackThread, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(subject, "JOIN_TIMEOUT", 0.01)
    playback.shut_down()
    assert playback._thread.is_alive() and not wall.is_closed  # its thread may be in it
    assert "wall does not answer" in caplog.text


def test_a_close_that_does_not_come_back_holds_nobody_up(
    wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    playback = PlaybackThread(wall, lambda: wall)
    monkeypatch.setattr(wall, "close", lambda: released.wait(60))
    monkeypatch.setattr(subject, "JOIN_TIMEOUT", 0.05)
    playback.shut_down()
    released.set()
