"""Tuning estimation: cents from A = 440 Hz, from a song's partials while it plays.

Partials of tuned music lie on a grid of semitones; where the grid lies is the circular mean of
their places in it, weighted by magnitude (as librosa's ``estimate_tuning`` and essentia's
``TuningFrequency`` take a histogram's peak). Here the histogram decays, so that it follows a
change of song. Belongs to the worker thread.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

A4_HZ = 440.0
WINDOW_S = 0.5
F_MIN, F_MAX = 80.0, 2000.0
LEAST_PEAK = 0.03  # of the highest in a window
N_BINS = 600  # of the histogram, over an octave: 2 cents each
MEMORY_S = 15.0
LEAST_WINDOWS = 3.5
"""Windows of music that the memory must hold before there is an estimate."""
LEAST_AGREEMENT = 0.35
"""Length of the mean vector, 0 to 1; noise and drums stay below 0.2, music reaches 0.5."""
IN_TUNE = 8.0
"""Cents that count as 0: instruments of a song at 440 Hz differ by as much."""
HYSTERESIS = 2.0
"""Cents by which a new estimate must differ from the present one."""
TIE = 5.0
"""Cents around a quarter tone in which a song may as well be sharp as flat."""
LEAST_ADVANTAGE = 0.25
"""Share of the histogram by which the other of the two must win to replace the present one."""
WHITE = (0, 2, 3, 5, 7, 8, 10)
"""Pitch classes of the white keys, counted from A."""


def cents_of(a4_hz: float) -> float:
    """Return how many cents a tuning lies above A = 440 Hz.

    >>> round(cents_of(432.0), 1), cents_of(440.0)
    (-31.8, 0.0)
    """
    return 1200 * math.log2(a4_hz / A4_HZ)


def hertz_of(cents: float) -> float:
    """Return the Hertz of an A4 so many cents above 440 Hz.

    >>> round(hertz_of(-31.77), 1), hertz_of(0.0)
    (432.0, 440.0)
    """
    return A4_HZ * 2 ** (cents / 1200)


class TuningEstimator:
    """A running estimate; the same for blocks of any length.

    ``cents`` is 0 until enough music agrees, and for a song that is in tune. A song a quarter tone
    off could be sharp or flat; the one with more notes on white keys is taken.

    Parameters
    ----------
    sample_rate : int
        Of the samples.
    """

    def __init__(self, sample_rate: int) -> None:
        n_fft = 1 << round(math.log2(WINDOW_S * sample_rate))
        self._window = np.hanning(n_fft).astype(np.float32)
        self._hop = n_fft // 2
        self._hertz = sample_rate / n_fft
        self._bins = np.arange(int(F_MIN / self._hertz), min(int(F_MAX / self._hertz), n_fft // 2))
        self._keep = math.exp(-self._hop / sample_rate / MEMORY_S)
        self.reset()

    def reset(self) -> None:
        """Begin with a new song."""
        self.cents = 0.0
        self._pending: Array = np.zeros(0, np.float32)
        self._histogram = np.zeros(N_BINS)
        self._n_windows = 0.0

    def restart(self) -> None:
        """Begin the same song from its start; the estimate stays."""
        self._pending = self._pending[:0]

    def pieces(self, samples: Array) -> Iterator[Array]:
        """Yield samples in pieces, each to be pushed in turn: ``cents`` may change between.

        One piece at least, which may be empty.
        """
        while len(samples) > (n := len(self._window) - len(self._pending)):
            yield samples[:n]
            samples = samples[n:]
        yield samples

    def push(self, piece: Array) -> None:
        """Analyse a piece (n,) of a song."""
        self._pending = np.concatenate((self._pending, piece))
        if len(self._pending) == len(self._window):
            self._analyse(self._pending * self._window)
            self._pending = self._pending[self._hop :]

    def _analyse(self, windowed: Array) -> None:
        """Update the histogram and the estimate with a window."""
        cents, weights = self._partials(windowed)
        if not len(cents):
            return
        self._histogram *= self._keep
        self._n_windows = self._n_windows * self._keep + 1
        bins = np.rint(cents % 1200 * N_BINS / 1200).astype(int) % N_BINS
        np.add.at(self._histogram, bins, weights / weights.sum())
        places = np.arange(N_BINS) * 1200 / N_BINS
        mean = (self._histogram * np.exp(2j * np.pi * places / 100)).sum() / self._histogram.sum()
        if self._n_windows < LEAST_WINDOWS or abs(mean) < LEAST_AGREEMENT:
            return
        found = self._nearest(float(np.angle(mean)) * 50 / np.pi)
        if abs(found - self.cents) > (HYSTERESIS if self.cents else IN_TUNE):
            self.cents = found if abs(found) > IN_TUNE else 0.0

    def _partials(self, windowed: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the peaks of a spectrum: cents above A4 (k,) and weights (k,)."""
        magnitude = np.abs(np.fft.rfft(windowed))
        k = self._bins
        here = magnitude[k]
        is_peak = (here > magnitude[k - 1]) & (here >= magnitude[k + 1])
        k = k[is_peak & (here > LEAST_PEAK * here.max(initial=1e-6))]
        left, peak, right = (np.log(magnitude[j] + 1e-12) for j in (k - 1, k, k + 1))
        curvature = np.minimum(left - 2 * peak + right, -1e-9)
        offset = np.clip(0.5 * (left - right) / curvature, -0.5, 0.5)
        return 1200 * np.log2((k + offset) * self._hertz / A4_HZ), magnitude[k]

    def _nearest(self, cents: float) -> float:
        """Return the deviation in cents for a place in the grid; near +-50, sharp or flat."""
        if abs(cents) < 50 - TIE:
            return cents
        flat = cents - 100 if cents > 0 else cents
        near, far = sorted((flat, flat + 100), key=lambda c: abs(c - self.cents))
        advantage = self._white_share(far) - self._white_share(near)
        least = LEAST_ADVANTAGE * self._histogram.sum() if self.cents else 0.0
        return far if advantage > least else near

    def _white_share(self, cents: float) -> float:
        """Return the histogram's mass on white keys, were the song so many cents sharp."""
        places = np.arange(N_BINS) * 1200 / N_BINS - cents
        classes = np.rint(places / 100).astype(int) % 12
        return float(self._histogram[np.isin(classes, WHITE)].sum())
