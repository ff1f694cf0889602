"""Resampling at a variable ratio, position by position.

What ``engine.signal.resample`` does at a fixed ratio, with the same filters, here at positions of
the caller's choice. Arrays are (n, channels) float32.
"""

import math

import numpy as np
from numpy.typing import NDArray

from engine.signal.resample import polyphase_sinc

Array = NDArray[np.float32]

N_PHASES = 1024
"""Places between two samples at which a value can be read."""


class Varispeed:
    """Reads values between samples, for a step of about ``ratio`` samples from one to the next.

    Parameters
    ----------
    ratio
        Input samples for each output sample; above 1 the filter is an anti-aliasing one.
    """

    def __init__(self, ratio: float) -> None:
        self._filters = polyphase_sinc(N_PHASES, max(1, round(N_PHASES * ratio)))
        n_taps = self._filters.shape[1]
        self.before = n_taps // 2 - 1
        """Samples that it needs before a position's own."""
        self.after = n_taps // 2
        """Samples that it needs after it."""

    def span(self, first: float, last: float) -> tuple[int, int]:
        """Return the samples (start, stop) that reading from ``first`` to ``last`` needs."""
        return math.floor(first) - self.before, math.floor(last) + self.after + 2

    def read(self, samples: Array, positions: NDArray[np.float64]) -> Array:
        """Return the values (m, c) at ``positions``, counted from the first of ``samples``."""
        ticks = np.rint(positions * N_PHASES).astype(np.int64)
        whole, phase = np.divmod(ticks, N_PHASES)
        n_taps = self._filters.shape[1]
        windows = np.lib.stride_tricks.sliding_window_view(samples, n_taps, axis=0)
        taken = windows[whole - self.before]  # (m, c, taps)
        values: Array = np.einsum("mct,mt->mc", taken, self._filters[phase])
        return values
