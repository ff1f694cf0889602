"""Whether a cover sits on the beat.

Grid share: onsets within 60 ms of the half-beat grid. The grid is the song's annotated beats and
their midpoints, continued at the first and last beat's pace. Played at random, 120 ms of each half
beat are near the grid: 0.48 at 120 beats a minute, so read it beside the human's.

Distance from the sixteenths: how far onsets are from the nearest quarter of a beat on the same
grid, median and 90th percentile of a song; by chance 31 and 56 ms at 120 beats a minute.

Rhythmic grid coherence (Chen and Joung, "Etude", arXiv 2509.16522, 2025; here after its public
code, on onsets rounded to 10 ms): of the eight most frequent intervals between distinct onsets,
each of at least 10 ms is tried as the grid's period; the result is the smallest mean distance of
the eight from whole multiples of a period, in periods. 0 is a machine's grid, 0.25 is chance before
the best period is chosen; the paper gives humans 0.042 and AMT-APC 0.114. Rounding makes intervals
occur more than once in what was not quantized. It knows nothing of the song's beat.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Notes = NDArray[np.float32]
Times = NDArray[np.floating]

NEAR_GRID_S = 0.06
PER_BEAT, SIXTEENTHS = 2, 4
ROUNDED_S = 0.01
N_INTERVALS = 8
INTERVAL_DIGITS = 4
LEAST_PERIOD_S = 0.01
TICK_S = 0.5 / 220


@dataclass(frozen=True, slots=True)
class RhythmScore:
    """One song's; None where it is undefined."""

    n_onsets: int
    n_near_grid: int | None = None  # without beats there is no grid
    sixteenth_s: float | None = None  # median distance from the nearest sixteenth
    sixteenth_90_s: float | None = None  # its 90th percentile

    @property
    def grid_share(self) -> float | None:
        """Share of onsets near the half-beat grid."""
        if self.n_near_grid is None or not self.n_onsets:
            return None
        return self.n_near_grid / self.n_onsets


def score_rhythm(notes: Notes, beats: Times | None) -> RhythmScore:
    """Return the score of notes (n, >= 4); ``beats`` (b,) in seconds, if they are known."""
    onsets = notes[:, 0].astype(float)
    if beats is None or len(beats) < 2:
        return RhythmScore(len(onsets))
    near = int((grid_distance(onsets, beats) < NEAR_GRID_S + 1e-6).sum())
    if not len(onsets):
        return RhythmScore(0, near)
    distances = grid_distance(onsets, beats, SIXTEENTHS)
    middle, most = np.quantile(distances, (0.5, 0.9))
    return RhythmScore(len(onsets), near, float(middle), float(most))


def grid_distance(onsets: Times, beats: Times, per_beat: int = PER_BEAT) -> NDArray[np.float64]:
    """Return how far, in seconds, each onset (n,) is from a grid that divides beats (b >= 2,)."""
    if not len(onsets):
        return np.zeros(0)
    n = per_beat * (len(beats) - 1) + 1
    grid = np.interp(np.arange(n) / per_beat, np.arange(len(beats)), beats)
    before, after = grid[1] - grid[0], grid[-1] - grid[-2]
    n_before = max(int((grid[0] - onsets.min()) / max(before, 0.05)) + 1, 0)
    n_after = max(int((onsets.max() - grid[-1]) / max(after, 0.05)) + 1, 0)
    grid = np.concatenate(
        [
            grid[0] - before * np.arange(n_before, 0, -1),
            grid,
            grid[-1] + after * np.arange(1, n_after + 1),
        ]
    )
    right = np.clip(np.searchsorted(grid, onsets), 1, len(grid) - 1)
    return np.minimum(np.abs(onsets - grid[right - 1]), np.abs(grid[right] - onsets))


def grid_coherence(onsets: Times) -> float | None:
    """Return Etude's rhythmic grid coherence of onsets (n,), or None if there are too few."""
    onsets = np.round(onsets / ROUNDED_S) * ROUNDED_S
    intervals = np.diff(np.unique(np.round(onsets / TICK_S))) * TICK_S
    counts = Counter(np.round(intervals, INTERVAL_DIGITS).tolist())
    if len(intervals) < N_INTERVALS or len(counts) < 2:
        return None
    common = np.array([interval for interval, _ in counts.most_common(N_INTERVALS)])
    periods = common[common >= LEAST_PERIOD_S]
    if not len(periods):
        return None
    ratios = common[None] / periods[:, None]
    return float(np.abs(ratios - np.round(ratios)).mean(axis=1).min())
