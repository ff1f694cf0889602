"""The grid of sixteenths on which an arrangement is written: beats, bars, steps.

Bars have four beats or three; a unit is two bars. Times are seconds, steps count from the grid's
first beat, which begins a bar. Not here: where the beats are (``beats``), what is played
(``arranger``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.whole_song.beats import LEAST_BEATS, Times

Array = NDArray[np.float32]

BEATS_PER_BAR = 4
STEPS_PER_BEAT = 4
UNIT_BARS = 2
UNIT_BEATS = UNIT_BARS * BEATS_PER_BAR
UNIT_STEPS = UNIT_BEATS * STEPS_PER_BEAT


@dataclass(frozen=True, slots=True)
class Grid:
    """Beats (b,) in seconds, rising, b a multiple of the bar's and one more for the end."""

    beats: Times
    beats_per_bar: int = BEATS_PER_BAR

    @property
    def steps_per_bar(self) -> int:
        """Sixteenths of a bar."""
        return self.beats_per_bar * STEPS_PER_BEAT

    @property
    def n_bars(self) -> int:
        """Whole bars."""
        return (len(self.beats) - 1) // self.beats_per_bar

    @property
    def n_units(self) -> int:
        """Units of two bars; the last may reach past the end."""
        return -(-self.n_bars // UNIT_BARS)

    @property
    def n_steps(self) -> int:
        """Steps of whole bars."""
        return self.n_bars * self.steps_per_bar

    @property
    def bpm(self) -> float:
        """Beats a minute, of the middle interval."""
        return 60 / float(np.median(np.diff(self.beats)))

    def time(self, steps: NDArray[Any] | float) -> Times:
        """Return the seconds of steps, those past the end at the last beat's tempo."""
        position = np.asarray(steps, float) / STEPS_PER_BEAT
        last = len(self.beats) - 1
        inside = np.interp(position, np.arange(last + 1), self.beats)
        beyond = np.maximum(position - last, 0) * (self.beats[-1] - self.beats[-2])
        return np.asarray(inside + beyond)

    def position(self, times: NDArray[np.floating] | Sequence[float]) -> Times:
        """Return the steps, with fractions, of times; those outside go on at the border's tempo."""
        times = np.asarray(times, float)
        beats = self.beats
        inside = np.interp(times, beats, np.arange(len(beats)))
        before = np.minimum(times - beats[0], 0) / (beats[1] - beats[0])
        beyond = np.maximum(times - beats[-1], 0) / (beats[-1] - beats[-2])
        return np.asarray((inside + before + beyond) * STEPS_PER_BEAT)

    def step(self, times: NDArray[np.floating] | Sequence[float]) -> NDArray[np.int64]:
        """Return the nearest steps of times."""
        return np.round(self.position(times)).astype(np.int64)


def grid_of(
    beats: NDArray[np.floating],
    first_downbeat: int,
    seconds: float,
    beats_per_bar: int = BEATS_PER_BAR,
) -> Grid:
    """Return the grid of beats (n,), of which one is known to begin a bar.

    Beats are added at the border's tempo, back to the bar that holds second 0 and on to the bar
    that holds the end, so that every sound has its place: the first bar may begin before 0, and
    not after it by more than half a step.

    Raises
    ------
    DataError
        If there are fewer than eight beats, or they do not rise.
    """
    beats = np.asarray(beats, float)
    if len(beats) < LEAST_BEATS or (np.diff(beats) <= 0).any():
        raise DataError(
            f"expected at least {LEAST_BEATS} rising beats, got {len(beats)}: the sound is too"
            " short, or has no beat"
        )
    n_before = -first_downbeat % beats_per_bar
    period = float(np.median(np.diff(beats[:9])))
    while beats[0] - n_before * period > 0.5 * period / STEPS_PER_BEAT:
        n_before += beats_per_bar
    earlier = beats[0] - period * np.arange(n_before, 0, -1)
    beats = np.concatenate([earlier, beats])
    last_period = float(np.median(np.diff(beats[-9:])))
    n_after = 1
    while (len(beats) + n_after - 1) % beats_per_bar or (
        beats[-1] + n_after * last_period < seconds
    ):
        n_after += 1
    later = beats[-1] + last_period * np.arange(1, n_after + 1)
    return Grid(np.concatenate([beats, later]), beats_per_bar)


def bar_phases(
    onset: Array, bass: Array, chroma: Array, beats_per_bar: int = BEATS_PER_BAR
) -> NDArray[np.floating]:
    """Return how well each of the first beats (beats_per_bar,) would do as a downbeat.

    It does well where harmony changes and bass plays.

    Parameters
    ----------
    onset, bass
        (n,) onset strength at each beat, of all keys and of the bass.
    chroma
        (n, 12) chroma from each beat on.
    beats_per_bar
        Of the song.
    """
    lengths = np.linalg.norm(chroma, axis=1, keepdims=True)
    direction = chroma / np.maximum(lengths, 1e-9)
    change = np.zeros(len(chroma))
    change[1:] = 1 - (direction[1:] * direction[:-1]).sum(1)

    def scaled(values: NDArray[np.floating]) -> NDArray[np.floating]:
        return values / max(float(np.mean(np.abs(values))), 1e-9)

    evidence = 2 * scaled(change) + scaled(bass) + 0.5 * scaled(onset)
    return np.array([evidence[k::beats_per_bar].mean() for k in range(beats_per_bar)])
