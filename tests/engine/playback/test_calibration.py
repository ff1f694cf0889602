"""A way out, measured on a source and an output that share one clock; nothing waits."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.core.errors import DeviceError
from engine.core.notes import NoteEvent
from engine.playback import calibration as subject
from engine.playback.calibration import ClickPlayer, measure_output, measure_port
from engine.signal.clicks import make_click
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing
from tests.messages import refused

RATE, BLOCK = 48000, 480


class Room:
    """Time that passes where somebody waits, and what is heard in it, ``delay`` s late."""

    name, sample_rate, n_channels, latency = "the microphone", RATE, 2, 0.01
    error: str | None = None

    def __init__(self, delay: float, gain: float = 1.0) -> None:
        self.now = 100.0
        self.delay, self.gain = delay, gain
        self.n_stopped = 0
        self.heard: list[tuple[float, np.ndarray]] = []  # host times and sounds
        self._n_captured = 0
        self._started = 0.0

    # a source

    def start(self, ring: SampleRing, clock: StreamClock) -> None:
        self._ring, self._clock, self._started = ring, clock, self.now

    def stop(self) -> None:
        self.n_stopped += 1

    # time

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now + BLOCK / RATE <= end:
            self.now += BLOCK / RATE
            self._capture()

    def _capture(self) -> None:
        """Capture the block that has just been over; it comes ``latency`` later."""
        first = self._started + self._n_captured / RATE - Room.latency
        block = np.zeros(BLOCK, np.float32)
        for host_time, sound in self.heard:
            start = round((host_time + self.delay - first) * RATE)
            begin, end = max(0, start), min(BLOCK, start + len(sound))
            if begin < end:
                block[begin:end] += self.gain * sound[begin - start : end - start]
        self._n_captured += BLOCK
        self._ring.write(np.repeat(block[:, None], 2, axis=1))
        self._clock.update(self._n_captured, self.now)

    # a port

    def send(self, event: NoteEvent) -> None:
        if event.is_on:
            t = np.arange(RATE // 10) / RATE
            note = 0.5 * np.exp(-20 * t) * np.cos(2 * np.pi * 1000 * t)
            self.heard.append((self.now + 0.005, note.astype(np.float32)))


class Graph(Room):
    """A sound server that loses a period now and then, and knows of it five seconds later."""

    name, lost_at, knows_after = "the monitor", (101.0, 106.5, 112.0), 5.0

    @property
    def latency(self) -> float:  # type: ignore[override]
        n_unknown = sum(at <= self.now < at + self.knows_after for at in self.lost_at)
        first = self._started - n_unknown * BLOCK / RATE - Room.latency
        return self._clock.time_of(self._n_captured) - first - self._n_captured / RATE

    def _capture(self) -> None:
        if any(at - BLOCK / RATE < self.now <= at for at in self.lost_at):
            self._started += BLOCK / RATE
        else:
            super()._capture()


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def made(delay: float, gain: float = 1.0, kind: type[Room] = Room) -> Any:
        room = kind(delay, gain)
        monkeypatch.setattr(subject, "time", SimpleNamespace(perf_counter=lambda: room.now))
        monkeypatch.setattr(subject, "_wait", lambda stop, seconds: room.wait(seconds))
        return room

    return made


class Playback:
    """Plays at once what is to be played."""

    sample_rate, latency = RATE, 0.04

    def __init__(self, room: Room) -> None:
        self._room = room

    def play(self, players: Any) -> None:
        (player,) = players
        for time in player._times:
            self._room.heard.append((time, 0.5 * make_click(RATE)))


@pytest.mark.parametrize("delay", [0.0, 0.0421, 0.31])
def test_an_output_is_measured(delay: float, make: Callable[..., Any]) -> None:
    room = make(delay)
    found = measure_output(Playback(room), room, threading.Event())  # type: ignore[arg-type]
    assert found.seconds == pytest.approx(delay, abs=1e-3)
    assert found.low == pytest.approx(found.high, abs=1e-3) and found.n_heard == 12
    assert room.n_stopped == 1


def test_a_port_is_measured_less_what_its_graph_takes(make: Callable[..., Any]) -> None:
    room = make(0.06)
    port: Any = SimpleNamespace(latency=0.005, send=room.send)
    found = measure_port(port, room, threading.Event())
    assert found.seconds == pytest.approx(0.06, abs=2e-3) and found.n_heard == 24


def test_periods_that_are_lost_move_nothing(make: Callable[..., Any]) -> None:
    room = make(0.06, kind=Graph)
    port: Any = SimpleNamespace(latency=0.005, send=room.send)
    found = measure_port(port, room, threading.Event())
    assert found.seconds == pytest.approx(0.06, abs=1e-3)
    assert found.high - found.low < 2e-3


def test_what_is_not_heard_is_told_of(make: Callable[..., Any]) -> None:
    room = make(0.0, gain=0.0)
    with refused(DeviceError, "the microphone", "0 of 12", "--input"):
        measure_output(Playback(room), room, threading.Event())  # type: ignore[arg-type]


def test_a_lost_input_is_told_of(make: Callable[..., Any]) -> None:
    room = make(0.0)
    room.error = "the microphone was unplugged"
    with refused(DeviceError, "unplugged"):
        measure_output(Playback(room), room, threading.Event())  # type: ignore[arg-type]


def test_it_can_be_stopped() -> None:
    room, stop = Room(0.0), threading.Event()
    stop.set()
    with refused(DeviceError, "stopped"):
        measure_output(Playback(room), room, stop)  # type: ignore[arg-type]
    assert room.n_stopped == 1


def test_a_click_is_played_at_its_sample_over_blocks() -> None:
    player = ClickPlayer(RATE, [10.0])
    blocks = [player.render(240, 9.999 + k * 240 / RATE) for k in range(6)]
    sound = np.concatenate(blocks)
    click = 0.5 * make_click(RATE)
    expected = np.zeros(len(sound), np.float32)
    expected[48 : 48 + len(click)] = click
    np.testing.assert_allclose(sound[:, 0], expected, atol=1e-6)
