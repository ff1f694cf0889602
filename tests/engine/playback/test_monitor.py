"""The delayed song: where it stands, at other rates and clocks, and without clicks."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.settings import EngineSettings
from engine.core.taps import TappedSource
from engine.playback.monitor import FADE_S, MAX_BEND, Monitor

Array = NDArray[np.float32]
LATENCY = 0.2
HERTZ = 440.0
BLOCK = 240


class Room:
    """A source that hums and an output; ``now`` is the moment heard next. ``drift``: of clocks."""

    def __init__(self, rate: int = 48000, output: int = 48000, drift: float = 0.0) -> None:
        self.monitor = Monitor(output)
        self.output, self.drift = output, drift
        self.now = 0.0
        self.heard: list[Array] = []
        self.host_times: list[NDArray[np.float64]] = []
        self.begin(rate, at=0.0)

    def begin(self, rate: int, at: float, n_channels: int = 1) -> None:
        self.rate, self.start, self.n = rate, at, 0
        self.n_channels = n_channels
        source = SimpleNamespace(name="song", sample_rate=rate, n_channels=n_channels)
        self.monitor.begin(cast(TappedSource, source), 0.0, LATENCY)

    def host_time_of(self, sample: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.asarray(self.start + sample / (self.rate * (1 + self.drift)))

    def sing(self, until: float) -> None:
        """Hear the hum as far as moment ``until``."""
        while self.host_time_of(self.n) < until:
            places = self.n + np.arange(256, dtype=np.float64)
            hum = np.sin(2 * np.pi * HERTZ * self.host_time_of(places)).astype(np.float32)
            block = np.repeat(hum[:, None], self.n_channels, axis=1)
            self.monitor.audio(block, 0.0, float(self.host_time_of(self.n)))
            self.n += 256

    def play(self, seconds: float, sings: bool = True) -> None:
        for _ in range(round(seconds * self.output / BLOCK)):
            if sings:
                self.sing(self.now)
            self.heard.append(self.monitor.render(BLOCK, self.now))
            self.host_times.append(self.now + np.arange(BLOCK) / self.output)
            self.now += BLOCK / self.output

    def sound(self) -> tuple[NDArray[np.float64], Array]:
        return np.concatenate(self.host_times), np.concatenate(self.heard)


def hum(host_times: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is to be heard."""
    return np.asarray(np.sin(2 * np.pi * HERTZ * (host_times - LATENCY)))


@pytest.mark.parametrize(
    ("rate", "output"), [(48000, 48000), (44100, 48000), (48000, 44100), (96000, 44100)]
)
def test_the_song_is_heard_its_latency_later(rate: int, output: int) -> None:
    room = Room(rate, output)
    room.play(0.6)
    host_times, sound = room.sound()
    settled = host_times > LATENCY + 0.05
    # 1e-2 of a sine of 440 Hz is 4 microseconds; the phases of the filter are 20 ns apart
    np.testing.assert_allclose(sound[settled, 0], hum(host_times[settled]), atol=1e-2)
    assert np.array_equal(sound[:, 0], sound[:, 1])
    assert not sound[host_times < LATENCY - 0.01].any()
    assert room.monitor.n_jumps == 0


def test_the_song_waits_for_notes_that_are_heard_later_elsewhere() -> None:
    room = Room()
    room.monitor.extra_delay = 0.05
    room.play(0.6)
    host_times, sound = room.sound()
    settled = host_times > LATENCY + 0.1
    later = hum(host_times[settled] - 0.05)
    np.testing.assert_allclose(sound[settled, 0], later, atol=1e-2)


@pytest.mark.parametrize("drift", [1e-4, -1e-4])
def test_clocks_that_differ_do_not_move_the_song(drift: float) -> None:
    room = Room(drift=drift)
    room.play(6.0)
    host_times, sound = room.sound()
    late = host_times > 3.0
    # in balance, the bend equals the drift: 1e-4 s for 1e-4, which is 0.28 of a sine of 440 Hz
    assert abs(room.monitor.error) < 1.2e-4
    assert np.abs(sound[late, 0] - hum(host_times[late])).max() < 0.4
    assert room.monitor.n_jumps == 0


def clicks(sound: Array) -> float:
    """The largest step from sample to sample, in steps that the hum has of itself."""
    return float(np.abs(np.diff(sound[:, 0])).max() / (2 * np.pi * HERTZ / 48000))


def test_start_gap_and_end_are_faded() -> None:
    room = Room()
    room.play(0.5)
    room.play(0.4, sings=False)  # the source is gone
    assert not room.heard[-1].any()
    room.begin(48000, at=room.now, n_channels=2)
    room.play(0.5)
    _, sound = room.sound()
    assert np.abs(room.heard[-1]).max() > 0.5
    assert clicks(sound) < 1 + MAX_BEND + 1 / (FADE_S * 2 * np.pi * HERTZ)


def test_a_place_far_away_is_taken_under_a_crossfade() -> None:
    room = Room()
    room.play(0.5)
    room.monitor.changed(EngineSettings(), LATENCY - 0.05)
    room.play(0.1)
    host_times, sound = room.sound()
    late = host_times > 0.52
    expected = np.sin(2 * np.pi * HERTZ * (host_times - LATENCY + 0.05))
    np.testing.assert_allclose(sound[late, 0], expected[late], atol=1e-2)
    assert room.monitor.n_jumps == 1
    assert clicks(sound) < 1.5


def test_gain_is_a_factor_and_nothing_is_played_before_a_source() -> None:
    monitor = Monitor(48000, gain=0.5)
    assert not monitor.render(BLOCK, 1.0).any()
    room = Room()
    room.monitor.gain = 0.5
    room.play(0.5)
    assert np.abs(room.heard[-1]).max() == pytest.approx(0.5, abs=0.01)
