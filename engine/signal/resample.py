"""Device audio to the model's rate, block by block.

A polyphase filter of our own rather than soxr's stream: soxr computes in blocks and holds back up
to 40 ms on the way from 44.1 to 16 kHz, by an amount that changes from call to call (measured with
soxr 1.1); here every output sample leaves as soon as its last input sample is there, 2 ms late.
"""

import math

import numpy as np
from numpy.typing import NDArray

from engine.signal.mixdown import STEREO, Mixdown

Array = NDArray[np.float32]

ZERO_CROSSINGS = 32  # of the windowed sinc, on each side
PASSBAND = 0.94  # of the lower Nyquist frequency: the -6 dB point
KAISER_BETA = 7.0  # about 70 dB of stopband
MAX_CHUNK = 4096  # output samples computed at once


class Resampler:
    """A finite stream at ``to_rate`` from blocks of any length at ``from_rate``.

    Mono (m,), or stereo (m, 2) as middle and side (``engine.signal.stereo``).

    Output sample m lies exactly at input time m / to_rate: the filter's delay is how long one
    waits for it, not a shift. Belongs to the worker thread.

    Parameters
    ----------
    from_rate, to_rate : int
        Hertz. Equal rates pass through.
    n_channels : int
        Channels of the blocks (``Mixdown``).
    """

    def __init__(self, from_rate: int, to_rate: int, n_channels: int) -> None:
        assert from_rate > 0 and to_rate > 0 and n_channels > 0
        divisor = math.gcd(from_rate, to_rate)
        self._up, self._down = to_rate // divisor, from_rate // divisor
        self._mixdown = Mixdown(n_channels, from_rate)
        self._shape = (STEREO,) if n_channels == STEREO else ()  # of a sample
        self._is_through = from_rate == to_rate
        self._filters = np.ones((1, 1), np.float32)
        if not self._is_through:
            self._filters = polyphase_sinc(self._up, self._down)
        self._half = self._filters.shape[1] // 2
        self.delay: float = self._half / from_rate
        self.reset()

    @property
    def n_nonfinite(self) -> int:
        """Samples that were not finite."""
        return self._mixdown.n_nonfinite

    def reset(self) -> None:
        """Begin a new stream; ``n_nonfinite`` goes on counting."""
        self._mixdown.reset()
        self._tail: Array = np.zeros((max(0, self._half - 1), *self._shape), np.float32)
        self._phase = 0  # position of the next output sample, in 1/up input samples into the tail
        self._n_in = 0
        self._n_out = 0

    def prime(self, block: Array) -> None:
        """Estimate polarity from a song's first block (n, c), which is pushed afterwards."""
        self._mixdown.prime(block)

    def push(self, block: Array) -> Array:
        """Return the samples that a block (n, c) completes; NaN and infinity are silence."""
        sound = self._mixdown.push(block)
        self._n_in += len(sound)
        return sound if self._is_through else self._filter(sound)

    def flush(self) -> Array:
        """Return what the filter holds back: the stream as if silence followed."""
        if self._is_through:
            return np.zeros((0, *self._shape), np.float32)
        n_left = -(-self._n_in * self._up // self._down) - self._n_out
        return self._filter(np.zeros((self._half, *self._shape), np.float32))[:n_left]

    def _filter(self, sound: Array) -> Array:
        samples = np.concatenate((self._tail, sound))
        n_taps = self._filters.shape[1]
        n_ready = len(samples) - n_taps + 1  # input positions with all their taps
        n_out = max(0, -(-(n_ready * self._up - self._phase) // self._down))
        out = np.zeros((n_out, *self._shape), np.float32)
        for column, filtered in zip(_columns(samples), _columns(out), strict=True):
            if n_out and column.any():  # silence stays silence
                self._filter_column(np.ascontiguousarray(column), filtered)
        consumed, self._phase = divmod(self._phase + n_out * self._down, self._up)
        n_kept = min(consumed, len(samples))
        self._phase += (consumed - n_kept) * self._up
        self._tail = samples[n_kept:]
        self._n_out += n_out
        return out

    def _filter_column(self, samples: Array, out: Array) -> None:
        """Fill ``out`` (m,) with what samples (n,) give from the present phase on."""
        windows = np.lib.stride_tricks.sliding_window_view(samples, self._filters.shape[1])
        for start in range(0, len(out), MAX_CHUNK):
            index = np.arange(start, min(len(out), start + MAX_CHUNK), dtype=np.int64)
            position, phase = np.divmod(self._phase + index * self._down, self._up)
            out[index] = np.einsum("mt,mt->m", windows[position], self._filters[phase])


def _columns(sound: Array) -> Array:
    """Return a view of a sound, (1, n) of mono, (2, n) of stereo."""
    return sound.T if sound.ndim > 1 else sound[None]


def polyphase_sinc(up: int, down: int) -> Array:
    """Return filters (up, taps): row p gives the value p / up samples after the middle tap pair.

    A sinc cut off at ``PASSBAND`` of the lower Nyquist frequency, under a Kaiser window (J. O.
    Smith, "Digital Audio Resampling", https://ccrma.stanford.edu/~jos/resample/); each row sums
    to 1, so that a constant stays one.
    """
    cutoff = PASSBAND * min(1.0, up / down)  # of the input's Nyquist frequency
    half = math.ceil(ZERO_CROSSINGS / cutoff)
    taps = np.arange(-half + 1, half + 1)
    distance = taps[None, :] - np.arange(up)[:, None] / up  # input samples from the output sample
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (distance / half) ** 2, 0, None)))
    filters = np.sinc(cutoff * distance) * window
    unity: Array = (filters / filters.sum(axis=1, keepdims=True)).astype(np.float32)
    return unity
