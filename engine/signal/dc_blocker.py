"""DC offset removal, where the offset matters.

Cheap converters add one. Level and gate would measure it in place of a quiet song. Blocks are
(n, channels) float32. Belongs to the worker thread. A sound without an offset passes through
unchanged, bit by bit.
"""

import math

import numpy as np
from numpy.typing import NDArray

from engine.core.settings import GateSettings

Array = NDArray[np.float32]

HOP_S = 0.05
MEMORY_S = 2.0
LEAST = 10 ** (GateSettings().threshold_dbfs / 20) / 4
"""Smallest offset that is removed: the gate's threshold, less 12 dB."""
BEGIN, END = 0.5, 0.25
"""Offset, as a share of the sound's level, from which its removal begins and ends.

Less changes the level by under a decibel. Bass has an offset over one hop, but not over seconds.
"""
BEGIN_EARLY = 1.5
"""Added to that at the first hop; less at each later one, as the estimate gets better."""
FLAT = 0.1
"""A hop whose deviation is below this share of the offset gives the offset at once."""


class DcBlocker:
    """A slow estimate of each channel's offset, subtracted; the same for blocks of any length.

    The first hop, 50 ms, is held back until it is full: even the first sample is free of an offset.
    From then on nothing is.

    Parameters
    ----------
    n_channels, sample_rate : int
        Of the blocks.
    """

    def __init__(self, n_channels: int, sample_rate: int) -> None:
        self._n_hop = round(HOP_S * sample_rate)
        self._hop: Array = np.zeros((self._n_hop, n_channels), np.float32)
        self._forget = 1 - math.exp(-HOP_S / MEMORY_S)
        self.reset()

    def reset(self) -> None:
        """Begin a new stream."""
        n_channels = self._hop.shape[1]
        self._mean = np.zeros(n_channels)
        self._power = np.zeros(n_channels)
        self._offset: Array = np.zeros(n_channels, np.float32)
        self._n_hops = 0
        self.restart()

    def restart(self) -> None:
        """Begin the same stream from its start; the offset estimate stays."""
        self._offset_before = self._offset
        self._n_in_hop = 0

    def prime(self, block: Array) -> Array:
        """Estimate the offset from the first block (n, c), pushed afterwards; return it without."""
        self.reset()
        self.push(block)
        self.restart()
        corrected = self.push(block)
        self.restart()
        return corrected if len(corrected) else block

    def push(self, block: Array) -> Array:
        """Return a block (n, c) without its offset."""
        parts = [block[:0]]
        while len(block):
            piece = block[: self._n_hop - self._n_in_hop]
            block = block[len(piece) :]
            is_held = not self._n_hops
            if not is_held:
                parts.append(self._less(piece))
            self._hop[self._n_in_hop : self._n_in_hop + len(piece)] = piece
            self._n_in_hop += len(piece)
            if self._n_in_hop == self._n_hop:
                self._end_hop()
                if is_held:
                    self._offset_before = self._offset
                    parts.append(self._less(self._hop.copy()))
        return parts[1] if len(parts) == 2 else np.concatenate(parts)

    def flush(self) -> Array:
        """Return what is held back, (n, c), at the end of a stream that is shorter than a hop."""
        n_held = 0 if self._n_hops else self._n_in_hop
        return self._hop[:n_held].copy()

    def _less(self, piece: Array) -> Array:
        """Return samples of one hop without the offset, interpolated between hops."""
        if not (self._offset.any() or self._offset_before.any()):
            return piece
        share = (self._n_in_hop + np.arange(len(piece), dtype=np.float32)[:, None]) / self._n_hop
        return piece - (self._offset_before + share * (self._offset - self._offset_before))

    def _end_hop(self) -> None:
        """Update the estimate with the hop, and set the offset of the next."""
        hop = np.nan_to_num(self._hop, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float64)
        mean, deviation = hop.mean(axis=0), hop.std(axis=0)
        power = mean**2 + deviation**2
        self._n_hops += 1
        is_flat = deviation < FLAT * np.abs(mean - self._offset) - LEAST * FLAT
        share = np.where(is_flat, 1.0, max(self._forget, 1 / self._n_hops))
        self._mean += share * (mean - self._mean)
        self._power += share * (power - self._power)
        level = np.sqrt(np.maximum(self._power - self._mean**2, 0.0))
        begin = np.where(is_flat, BEGIN, BEGIN + BEGIN_EARLY / self._n_hops)
        least = np.where(self._offset != 0, END, begin) * level
        is_offset = np.abs(self._mean) > np.maximum(least, LEAST)
        self._offset_before = self._offset
        self._offset = np.where(is_offset, self._mean, 0.0).astype(np.float32)
        self._n_in_hop = 0
