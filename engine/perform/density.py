"""Thresholds that adapt to the song, so that the note rate comes near a target.

A model is less confident on sounds unlike its training data; fixed thresholds then give too few
notes, though the right ones. The order of its onset peaks still holds, so the threshold is chosen
from the distribution of recent peaks. Causal, and the same for any block
size. Not here: what a note is (``engine.perform.decoder``).
"""

import math

import numpy as np
from numpy.typing import NDArray

MEMORY_S = 12.0
"""Time constant of the distribution: some six bars."""
TRUSTED_S, TRUSTED_PEAKS = 6.0, 24.0
"""Seconds of music, and peaks, in the memory from which the factor applies in full."""
STRENGTH = 0.75
"""How far a song's own rate is moved to the target, 0 to 1, on a logarithmic scale; some songs are
sparse."""
LOWEST, HIGHEST = 0.3, 2.5
"""Bounds of the factor."""
MOST_PULL = 4.0
"""Bound of the change of the note rate, as a ratio: a sparse drone is not filled with notes."""

_N_BINS = 64


class DensityControl:
    """Finds the factor by which thresholds must move, from the peaks so far.

    The distribution is a histogram of peaks relative to their thresholds, with exponential decay:
    its mass above a factor is the number of notes at that factor. Wanted is the number at factor 1,
    moved by ``STRENGTH`` to the target, times ``pace`` and ``density``; without a target, times
    ``density``.

    Parameters
    ----------
    frame_s
        Seconds from one frame to the next.
    notes_per_second
        The target in the balanced style; 0 for none. May be changed at any time.
    density
        Notes played for each note wanted. May be changed at any time.
    """

    def __init__(self, frame_s: float, notes_per_second: float = 0.0, density: float = 1.0) -> None:
        self._frame_s = frame_s
        self._decay = math.exp(-frame_s / MEMORY_S)
        self.notes_per_second = notes_per_second
        self.density = density
        self._edges = np.geomspace(LOWEST, HIGHEST, _N_BINS)  # bin k holds edges[k] <= peak
        self._at_one = int(np.searchsorted(self._edges, 1.0))
        self.pace = 1.0
        """Notes that the style asks for, for each that the balanced style does."""
        self.reset()

    def reset(self) -> None:
        """Forget the song."""
        self._mass: NDArray[np.float64] = np.zeros(_N_BINS)
        self._seconds = 0.0  # of music that the mass is of
        self.factor = 1.0
        """By which every threshold is to be multiplied."""

    @property
    def is_needed(self) -> bool:
        """False if the factor stays 1."""
        return self.notes_per_second > 0.0 or self.density != 1.0

    def observe(self, peaks: NDArray[np.floating]) -> None:
        """Take the peaks (n,) of one more frame of music, each over its threshold at factor 1."""
        self._mass *= self._decay
        self._seconds = self._seconds * self._decay + self._frame_s
        bins = np.searchsorted(self._edges, peaks, side="right") - 1
        self._mass += np.bincount(bins[bins >= 0], minlength=_N_BINS)
        notes = np.cumsum(self._mass[::-1])[::-1]  # notes[k] at factor edges[k]: falls with k
        n_enough = int((notes >= self._wanted(float(notes[self._at_one]))).sum())
        sought = float(self._edges[max(n_enough - 1, 0)])
        trust = min(1.0, self._seconds / TRUSTED_S, float(notes[0]) / TRUSTED_PEAKS)
        self.factor = sought**trust

    def _wanted(self, natural: float) -> float:
        """Return the notes wanted in the memory, where ``natural`` come at factor 1."""
        natural = max(natural, 1.0)
        if self.notes_per_second == 0.0:
            return natural * self.density
        pull: float = (self.notes_per_second * self._seconds / natural) ** STRENGTH
        return natural * min(max(pull, 1.0 / MOST_PULL), MOST_PULL) * self.pace * self.density
