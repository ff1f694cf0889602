"""Mixdown to mono, or to middle and side, in which channels of inverted polarity do not cancel.

Blocks are (n, channels) float32; of two channels comes stereo (``stereo``), of other numbers mono.
Belongs to the worker thread. Without inverted channels mono and middle are their mean, bit by bit.
"""

import math

import numpy as np
from numpy.typing import NDArray

from engine.signal.stereo import in_turn

Array = NDArray[np.float32]

HOP_S = 0.05
MEMORY_S = 3.0
LEAST_HOPS = 5
"""Hops of sound before a channel can count as inverted."""
INVERTED_BELOW = -0.2
"""Correlation below which a channel counts as inverted, both of all and of the bass alone.

Single instruments are often sampled with one side inverted, and may dominate a mix; bass is centred
on most records, so inverted bass means an inverted channel.
"""
BASS_HZ = 200.0
STEREO = 2  # channels
FADE_S = 0.01
"""Crossfade when a channel's sign changes, so that there is no click."""


class Mixdown:
    """Sound from blocks of any length, with the same result; NaN and infinity are silence.

    Each channel is correlated with the sum of those before it, over the last seconds, and inverted
    while the correlation is negative.

    Parameters
    ----------
    n_channels, sample_rate : int
        Of the blocks.
    """

    def __init__(self, n_channels: int, sample_rate: int) -> None:
        self._n_channels = n_channels
        self._n_hop = round(HOP_S * sample_rate)
        self._fade: Array = np.linspace(0.0, 1.0, round(FADE_S * sample_rate), dtype=np.float32)
        self._n_bass = max(1, round(sample_rate / (2 * BASS_HZ)))  # samples averaged
        self._keep = math.exp(-HOP_S / MEMORY_S)
        self.n_nonfinite = 0
        self.reset()

    def reset(self) -> None:
        """Begin a new stream; ``n_nonfinite`` goes on counting."""
        self._signs = np.ones(self._n_channels, np.float32)
        self._signs_before = self._signs
        self._n_in_hop = 0
        self._hop: Array = np.zeros((self._n_hop, self._n_channels), np.float32)
        self._n_hops = 0
        # of all and of the bass: products of sum and channel, of the sum, of the channel
        self._products = np.zeros((2, self._n_channels, 3))

    @property
    def is_inverted(self) -> bool:
        """Whether some channel is inverted."""
        return bool((self._signs < 0).any())

    def prime(self, block: Array) -> None:
        """Begin with the polarity of a block (n, channels), which is pushed afterwards."""
        self.reset()
        self.push(block)
        signs = self._signs
        self.reset()
        self._signs = self._signs_before = signs

    def push(self, block: Array) -> Array:
        """Return the sound, (n,) or (n, 2), of a block (n, channels), with each channel's sign."""
        assert block.ndim == 2 and block.shape[1] == self._n_channels, block.shape
        finite = np.atleast_1d(np.isfinite(block).all(axis=1))
        if not finite.all():
            self.n_nonfinite += int(len(block) - np.count_nonzero(finite))
            block = np.where(finite[:, None], block, np.float32(0.0))
        if self._n_channels == 1:
            return np.ascontiguousarray(block[:, 0])
        parts = []
        while len(block):
            piece = block[: self._n_hop - self._n_in_hop]
            block = block[len(piece) :]
            parts.append(self._mix(piece))
            self._compare(piece)
        return in_turn(parts) if parts else self._mix(block)

    def _mix(self, piece: Array) -> Array:
        """Return the sound of samples of one hop."""
        if (self._signs_before > 0).all() and (self._signs > 0).all():
            return _mixed(piece)
        signs = np.broadcast_to(self._signs, piece.shape)
        if (self._signs != self._signs_before).any():
            at = np.minimum(self._n_in_hop + np.arange(len(piece)), len(self._fade) - 1)
            share = self._fade[at][:, None]
            signs = share * self._signs + (1 - share) * self._signs_before
        return _mixed((piece * signs).astype(np.float32))

    def _compare(self, piece: Array) -> None:
        """Collect samples of one hop; at its end set the signs of the next."""
        self._hop[self._n_in_hop : self._n_in_hop + len(piece)] = piece
        self._n_in_hop += len(piece)
        if self._n_in_hop < self._n_hop:
            return
        self._n_in_hop = 0
        bass = self._hop[: self._n_hop // self._n_bass * self._n_bass]
        bass = bass.reshape(-1, self._n_bass, self._n_channels).mean(axis=1)
        self._products *= self._keep
        self._products += [_products(self._hop, self._signs), _products(bass, self._signs)]
        self._n_hops += bool(self._hop.any())
        self._signs_before = self._signs
        if self._n_hops >= LEAST_HOPS:
            with_sum, of_sum, of_channel = np.moveaxis(self._products, -1, 0)
            correlation = with_sum / np.sqrt(of_sum * of_channel + 1e-20)
            is_inverted = (self._signs * correlation < INVERTED_BELOW).all(axis=0)
            self._signs = np.where(is_inverted, -self._signs, self._signs)


def _mixed(block: Array) -> Array:
    """Return the mean (n,) of channels (n, c), with half of what two differ by (n, 2)."""
    mean: Array = block.mean(axis=1, dtype=np.float32)
    if block.shape[1] != STEREO:
        return mean
    return np.stack([mean, (block[:, 0] - block[:, 1]) / np.float32(2)], axis=1)


def _products(hop: Array, signs: Array) -> NDArray[np.float64]:
    """Return (channels, 3): each channel times the sum of those before it, and both squared."""
    hop = hop - hop.mean(axis=0)
    sums = np.cumsum(hop * signs, axis=1)
    found = np.zeros((hop.shape[1], 3))
    for c in range(1, hop.shape[1]):
        before, channel = sums[:, c - 1], hop[:, c]
        found[c] = np.vdot(before, channel), np.vdot(before, before), np.vdot(channel, channel)
    return found
