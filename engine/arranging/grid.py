"""The grid of sixteenths on which an arrangement is written: beats, bars, steps.

Bars have four beats; a unit is two bars. Beats come from annotations, or from librosa's tracker
(Ellis, "Beat tracking by dynamic programming", 2007), which is told what a transcriber hears
struck. Times are seconds, steps count from the grid's first beat, which begins a bar. Not here:
what is played (``arranger``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.extras import needs

Array = NDArray[np.float32]
Times = NDArray[np.floating[Any]]

BEATS_PER_BAR = 4
STEPS_PER_BEAT = 4
STEPS_PER_BAR = BEATS_PER_BAR * STEPS_PER_BEAT
UNIT_BEATS = 8
UNIT_STEPS = UNIT_BEATS * STEPS_PER_BEAT
LEAST_BEATS = 8
USUAL_BPM = 120
FASTEST_BPM = 142  # a tempo above it is taken for twice the song's
TEMPO_WINDOW_S = 16.0  # in which a tempo repeats itself


@dataclass(frozen=True, slots=True)
class Grid:
    """Beats (b,) in seconds, rising, b a multiple of four and one more for the end."""

    beats: Times

    @property
    def n_bars(self) -> int:
        """Whole bars."""
        return (len(self.beats) - 1) // BEATS_PER_BAR

    @property
    def n_units(self) -> int:
        """Units of two bars; the last may reach past the end."""
        return -(-self.n_bars * BEATS_PER_BAR // UNIT_BEATS)

    @property
    def n_steps(self) -> int:
        """Steps of whole bars."""
        return self.n_bars * STEPS_PER_BAR

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


def grid_of(beats: NDArray[np.floating], first_downbeat: int, seconds: float) -> Grid:
    """Return the grid of beats (n,), of which one is known to begin a bar.

    Beats are added at the border's tempo, back to the bar that holds second 0 and on to the bar
    that holds the end, so that every sound has its place. A first bar that would begin before 0
    by more than half a beat is left out where nothing but its end would be heard.

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
    n_before = -first_downbeat % BEATS_PER_BAR
    period = float(np.median(np.diff(beats[:9])))
    while beats[0] - n_before * period > 0.5 * period:
        n_before += BEATS_PER_BAR
    earlier = beats[0] - period * np.arange(n_before, 0, -1)
    beats = np.concatenate([earlier, beats])
    last_period = float(np.median(np.diff(beats[-9:])))
    n_after = 1
    while (len(beats) + n_after - 1) % BEATS_PER_BAR or (
        beats[-1] + n_after * last_period < seconds
    ):
        n_after += 1
    later = beats[-1] + last_period * np.arange(1, n_after + 1)
    return Grid(np.concatenate([beats, later]))


def track_beats(strength: Array, sample_rate: int, hop_length: int) -> Times:
    """Return the times (n,) of the beats, from how much is struck in each frame (T,).

    What a transcriber hears serves better than the spectrum's own changes: it is not late, and a
    long reverberation does not strike.

    Raises
    ------
    DataError
        If librosa is not installed.
    """
    if find_spec("librosa") is None:
        raise DataError(needs("finding beats needs librosa", "arrange"))
    if not strength.any():
        return np.zeros(0)
    librosa = import_module("librosa")
    frames = {"onset_envelope": strength, "sr": sample_rate, "hop_length": hop_length}
    tempo = librosa.feature.tempo(**frames, start_bpm=USUAL_BPM, ac_size=TEMPO_WINDOW_S)
    bpm = float(tempo[0])
    while bpm > FASTEST_BPM:
        bpm /= 2
    _, beats = librosa.beat.beat_track(**frames, bpm=bpm, units="time", trim=False)
    return np.asarray(beats, float)


def first_downbeat(onset: Array, bass: Array, chroma: Array) -> int:
    """Return which of the first four beats begins a bar, by where harmony changes and bass plays.

    Parameters
    ----------
    onset, bass
        (n,) how much is struck, and how much of it low, at each beat.
    chroma
        (n, 12) what sounds from each beat on.
    """
    lengths = np.linalg.norm(chroma, axis=1, keepdims=True)
    direction = chroma / np.maximum(lengths, 1e-9)
    change = np.zeros(len(chroma))
    change[1:] = 1 - (direction[1:] * direction[:-1]).sum(1)

    def scaled(values: NDArray[np.floating]) -> NDArray[np.floating]:
        return values / max(float(np.mean(np.abs(values))), 1e-9)

    evidence = 2 * scaled(change) + scaled(bass) + 0.5 * scaled(onset)
    phases = [float(evidence[k::BEATS_PER_BAR].mean()) for k in range(BEATS_PER_BAR)]
    return int(np.argmax(phases))
