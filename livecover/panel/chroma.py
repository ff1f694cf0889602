"""Chroma of the song, for the background of the piano roll.

For display only: no tuning, no peak picking. Runs on the panel's thread (``livecover.panel.tap``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

WINDOW_S = 0.15
"""Least length of the window: two semitones at A2 are 6.5 Hz apart."""
F_MIN, F_MAX = 80.0, 2000.0
LEAST_RATE = 8000
"""Least sample rate after decimation, in hertz, to keep the panel's load low."""
GAMMA = 0.5
"""Power to brightness, relative to the strongest class: amplitude."""
SILENCE = 1e-5
"""RMS of a window below which nothing is shown (-100 dBFS)."""
N_CLASSES = 12


class Chroma:
    """The chroma of the last window of a song.

    Parameters
    ----------
    sample_rate
        Hertz.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._factor = max(1, sample_rate // LEAST_RATE)
        self._rate = sample_rate / self._factor
        self._n_fft = 1 << round(WINDOW_S * self._rate).bit_length()
        self._rest = np.zeros(0, np.float32)  # less than ``_factor`` samples
        self._samples = np.zeros(self._n_fft, np.float32)
        self._window = np.hanning(self._n_fft).astype(np.float32)
        frequencies = np.fft.rfftfreq(self._n_fft, 1 / self._rate)
        self._bins = slice(*np.searchsorted(frequencies, (F_MIN, F_MAX)))
        self._classes = pitch_classes(frequencies[self._bins])

    @property
    def middle(self) -> float:
        """Seconds from the middle of the window to its end."""
        return self._n_fft / 2 / self._rate

    def push(self, blocks: Sequence[Array]) -> None:
        """Take blocks (n, channels) float32, in order; at least one."""
        joined = np.concatenate(blocks)
        n_channels = joined.shape[1]
        mono = np.concatenate([self._rest, joined @ _mean_of(n_channels)])
        n_whole = len(mono) // self._factor * self._factor
        # A mean of a few samples is a poor filter, but its aliases below F_MAX are faint.
        thin = mono[:n_whole].reshape(-1, self._factor) @ _mean_of(self._factor)
        self._rest = mono[n_whole:]
        self._samples = np.concatenate([self._samples, thin])[-self._n_fft :]

    def values(self) -> list[int]:
        """Return 12 brightnesses, 0 to 255, from C to B; the strongest is 255, in silence none."""
        if float(np.dot(self._samples, self._samples)) < SILENCE**2 * self._n_fft:
            return [0] * N_CLASSES
        power = np.abs(np.fft.rfft(self._samples * self._window)[self._bins]) ** 2
        sums = np.bincount(self._classes, power, N_CLASSES)
        strongest = sums.max()
        if not strongest > 0:
            return [0] * N_CLASSES
        return [int(v) for v in np.rint(255 * (sums / strongest) ** GAMMA)]


def _mean_of(n: int) -> Array:
    """Return the weights (n,) whose dot product is a mean."""
    return np.full(n, 1 / n, np.float32)


def pitch_classes(frequencies: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Return the pitch class, 0 for C to 11 for B, that each frequency > 0 Hz is nearest to.

    >>> pitch_classes(np.array([261.6, 440.0, 466.2])).tolist()
    [0, 9, 10]
    """
    classes: NDArray[np.int64] = (
        np.rint(69 + 12 * np.log2(frequencies / 440.0)).astype(np.int64) % N_CLASSES
    )
    return classes
