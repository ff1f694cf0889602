"""Conditioning of a source's blocks: no DC offset, middle and side, the model's sample rate.

Shared by live, whole songs and training. Samples are mono (m,), or stereo (m, 2)
(``engine.signal.stereo``). Level and tuning come after it (``engine.model.pipeline.Pipeline``).
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.signal.dc_blocker import DcBlocker
from engine.signal.mixdown import Mixdown
from engine.signal.resample import Resampler

Array = NDArray[np.float32]

PRIME_S = 10.0
"""Seconds of a file from which offset, polarity, level and tuning are estimated beforehand."""
BLOCK_S = 0.5


class WholeSource(Protocol):
    """A source that can be read as a whole, as a file."""

    sample_rate: int
    n_channels: int

    def head(self, seconds: float) -> Array:
        """Return its first seconds, (n, channels)."""

    def blocks(self, block_size: int) -> Iterator[Array]:
        """Yield it from its beginning, in blocks (n, channels)."""


class InputConditioner:
    """Blocks (n, c) in, samples out; the same for blocks of any length.

    The first 50 ms are held back until they are whole. Belongs to the worker thread.

    Parameters
    ----------
    from_rate, to_rate : int
        Hertz, of the blocks and of the samples.
    n_channels : int
        Of the blocks.
    """

    def __init__(self, from_rate: int, to_rate: int, n_channels: int) -> None:
        self._rates = from_rate, to_rate
        self._n_channels = n_channels
        self._blocker = DcBlocker(n_channels, from_rate)
        self._resampler = Resampler(from_rate, to_rate, n_channels)

    @property
    def delay(self) -> float:
        """Seconds that the resampler holds back."""
        return self._resampler.delay

    def prime(self, block: Array) -> Array:
        """Estimate offset and polarity from a song's first block (n, c), pushed afterwards.

        Return the block's samples.
        """
        block = self._blocker.prime(block)
        self._resampler.prime(block)
        ahead = Resampler(*self._rates, self._n_channels)
        ahead.prime(block)
        return ahead.push(block)

    def push(self, block: Array) -> Array:
        """Return the samples that a block (n, c) completes."""
        return self._resampler.push(self._blocker.push(block))

    def flush(self) -> Array:
        """Return what is held back; the stream is over."""
        last = self._resampler.push(self._blocker.flush())
        return np.concatenate((last, self._resampler.flush()))


def conditioned_blocks(source: WholeSource, to_rate: int) -> Iterator[Array]:
    """Yield a file as samples, primed with its beginning; raises as ``SongSource.blocks``."""
    conditioner = InputConditioner(source.sample_rate, to_rate, source.n_channels)
    conditioner.prime(source.head(PRIME_S))
    for block in source.blocks(round(BLOCK_S * source.sample_rate)):
        yield conditioner.push(block)
    yield conditioner.flush()


def conditioned(sound: Array, sample_rate: int) -> Array:
    """Return a sound (n, channels) at its own rate, primed with its beginning."""
    blocker, mixdown = DcBlocker(sound.shape[1], sample_rate), Mixdown(sound.shape[1], sample_rate)
    mixdown.prime(blocker.prime(sound[: round(PRIME_S * sample_rate)]))
    return mixdown.push(np.concatenate((blocker.push(sound), blocker.flush())))
