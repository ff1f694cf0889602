"""Beats from onset strength: tempo by autocorrelation, beats by dynamic programming.

After Ellis, "Beat tracking by dynamic programming" (2007), with librosa's normalisations, in numpy
alone: memory does not grow with a song's length beyond its onset strength. Onset
strength from a transcriber serves better than spectral flux: it is not late, and a long
reverberation has none. Not here: onset strength (``song_analyzer``), bars (``grid``).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float32]
Times = NDArray[np.floating[Any]]

LEAST_BEATS = 8
USUAL_BPM = 120
SPREAD_OCTAVES = 1.0  # of tempos around the usual one
HIGHEST_BPM = 320  # that is looked at
FASTEST_BPM = 142  # of a song in four
FASTEST_WALTZ_BPM = 220
TEMPO_WINDOW_S = 16.0  # in which a tempo repeats itself
TEMPO_HOP = 4  # frames between two such windows
WINDOWS = 256  # correlated at once: bounds the memory
TIGHTNESS = 100.0  # how much a beat off the tempo costs
SHARPNESS = 32.0  # periods over the standard deviation of what counts as on a beat
AUDIBLE = 0.01  # of the strongest beat: before it the first one does not come
SMOOTHING_BEATS = 9  # neighbours, itself among them, by which a beat is placed
MOST_JITTER_S = 0.03


@dataclass(frozen=True, slots=True)
class Beats:
    """Beats (n,) of a song in seconds, rising, and which of the first ones begins a bar."""

    times: Times
    first_downbeat: int = 0
    beats_per_bar: int = 4

    @property
    def bpm(self) -> float:
        """Beats a minute, of the middle interval."""
        return 60 / float(np.median(np.diff(self.times)))


def track_beats(onset_strength: Array, frame_s: float, fastest_bpm: float = FASTEST_BPM) -> Times:
    """Return the times (n,) of the beats, from the onset strength (T,) of each frame.

    A tempo above ``fastest_bpm`` is taken for twice the song's.
    """
    if len(onset_strength) < LEAST_BEATS or not onset_strength.any():
        return np.zeros(0)
    bpm = estimate_tempo(onset_strength, frame_s)
    while bpm > fastest_bpm:
        bpm /= 2
    period = np.round(60 / (bpm * frame_s))
    return smooth(_best_path(_local_score(onset_strength, period), period) * frame_s)


def estimate_tempo(onset_strength: Array, frame_s: float) -> float:
    """Return the beats a minute at which the onset strength (T,) repeats itself best."""
    n_window = int(TEMPO_WINDOW_S / frame_s)
    padded = np.pad(onset_strength, n_window // 2, mode="linear_ramp")
    windows = sliding_window_view(padded, n_window)[: len(onset_strength) : TEMPO_HOP]
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_window) / n_window)
    n_fft = 1 << (2 * n_window - 1).bit_length()
    total = np.zeros(n_window)
    for start in range(0, len(windows), WINDOWS):
        spectrum = np.fft.rfft(windows[start : start + WINDOWS] * taper, n_fft)
        lags = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, n_fft)[:, :n_window]
        total += (lags / np.maximum(np.abs(lags).max(1, keepdims=True), 1e-12)).sum(0)
    bpm = 60 / (np.arange(1, n_window) * frame_s)
    liking = -0.5 * (np.log2(bpm / USUAL_BPM) / SPREAD_OCTAVES) ** 2
    fit = np.log1p(1e6 * total[1:] / len(windows)) + np.where(bpm < HIGHEST_BPM, liking, -np.inf)
    return float(bpm[fit.argmax()])


def _local_score(onset_strength: Array, period: float) -> NDArray[np.float64]:
    """Return how well each frame (T,) would do as a beat."""
    scaled = onset_strength / max(float(onset_strength.std(ddof=1)), 1e-12)
    offsets = np.arange(-period, period + 1)
    window = np.exp(-0.5 * (offsets * SHARPNESS / period) ** 2)
    return np.asarray(np.convolve(scaled, window)[int(period) :][: len(onset_strength)], float)


def _best_path(score: NDArray[np.float64], period: float) -> NDArray[np.int64]:
    """Return the frames of the beats: much score (T,), steps near the period."""
    nearest, farthest = int(np.round(period / 2)), int(2 * period)
    cost = TIGHTNESS * np.log(np.arange(nearest, farthest + 1) / period) ** 2
    audible = AUDIBLE * score.max()
    total, back = score.copy(), np.full(len(score), -1)
    has_begun = False
    for k in range(len(score)):
        has_begun = has_begun or bool(score[k] >= audible)
        if k < nearest:
            continue
        earlier = total[max(0, k - farthest) : k - nearest + 1][::-1]  # the latest first
        reached = earlier - cost[: len(earlier)]
        best = int(reached.argmax())
        total[k] += reached[best]
        if has_begun:
            back[k] = k - nearest - best
    path = [_last_beat(total)]
    while back[path[-1]] >= 0:
        path.append(int(back[path[-1]]))
    return np.array(path[::-1])


def _last_beat(total: NDArray[np.float64]) -> int:
    """Return the last frame at which the path's total (T,) is high and begins to fall."""
    rises = np.append(False, total[1:] > total[:-1])
    peaks = np.flatnonzero(rises & np.append(total[:-1] >= total[1:], True))
    if not len(peaks):
        return len(total) - 1
    high = peaks[total[peaks] >= 0.5 * np.median(total[peaks])]
    return int(high[-1])


def smooth(times: Times) -> Times:
    """Return beats without the tracker's jitter of a frame: each where its neighbours expect it.

    The line through them is Theil's and Sen's, of middle slope and height. A beat farther from it
    than jitter stays where it is: there the song's tempo moves, or the tracker took another beat.

    >>> smooth(np.array([0.0, 0.5, 1.0, 1.52, 2.0, 2.5, 3.0, 3.5, 4.1])).tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.1]
    """
    if len(times) < 2:
        return times
    smoothed = np.array(times, float)
    for k in range(len(times)):
        start = min(max(0, k - SMOOTHING_BEATS // 2), max(0, len(times) - SMOOTHING_BEATS))
        near = np.arange(len(times))[start : start + SMOOTHING_BEATS]
        first, second = np.triu_indices(len(near), 1)
        period = np.median((times[near[second]] - times[near[first]]) / (second - first))
        expected = np.median(times[near] - period * (near - k))
        if abs(expected - times[k]) <= MOST_JITTER_S:
            smoothed[k] = expected
    return smoothed
