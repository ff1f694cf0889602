"""Rows of probabilities, a frame each, compressed: hours of them fit into memory.

Each is a byte, in steps of 1/255, and blocks of them are compressed: most are near 0.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

BLOCK = 1024  # rows compressed at once
SCALE = 255
INTERVALS = 512  # reduced at once: bounds the memory


class FrameRows:
    """Rows (T, C) in [0, 1] that are appended, then read.

    Parameters
    ----------
    n_columns
        C.
    """

    def __init__(self, n_columns: int) -> None:
        self._n_columns = n_columns
        self._blocks: list[bytes] = []
        self._open = np.zeros((0, n_columns), np.uint8)
        self._last_read = -1, self._open

    def __len__(self) -> int:
        return len(self._blocks) * BLOCK + len(self._open)

    def append(self, rows: Array) -> None:
        """Keep rows (t, C); what is no number is 0."""
        small = np.round(np.clip(np.nan_to_num(rows), 0, 1) * SCALE).astype(np.uint8)
        self._open = np.concatenate([self._open, small])
        while len(self._open) >= BLOCK:
            self._blocks.append(zlib.compress(self._open[:BLOCK].tobytes(), 1))
            self._open = self._open[BLOCK:]

    def read(self, start: int, stop: int) -> Array:
        """Return the rows (stop - start, C); zeros past the end."""
        assert 0 <= start <= stop
        parts = []
        for k in range(start // BLOCK, -(-min(stop, len(self)) // BLOCK)):
            first = k * BLOCK
            parts.append(self._block(k)[max(start - first, 0) : stop - first])
        rows = np.concatenate([np.zeros((0, self._n_columns), np.uint8), *parts])
        padding = np.zeros((stop - start - len(rows), self._n_columns), np.uint8)
        return np.asarray(np.concatenate([rows, padding]) / np.float32(SCALE), np.float32)

    def between(self, bounds: NDArray[np.int64], how: np.ufunc) -> Array:
        """Return the greatest (np.maximum) or mean (np.add) row (n, C) of each interval.

        ``bounds`` (n + 1,) are frames that do not fall; an interval without a frame takes the one
        that it begins with; before 0 and past the end there is nothing.
        """
        is_before = bounds[1:] <= 0
        bounds = np.clip(bounds, 0, len(self))
        out = np.zeros((len(bounds) - 1, self._n_columns), np.float32)
        for k in range(0, len(out), INTERVALS):
            own = bounds[k : k + INTERVALS + 1]
            rows = self.read(int(own[0]), int(own[-1]) + 1)
            reduced = how.reduceat(rows, own - own[0], axis=0)[:-1]
            if how is np.add:
                reduced = reduced / np.maximum(np.diff(own), 1)[:, None]
            out[k : k + INTERVALS] = reduced
        out[is_before] = 0
        return out

    def _block(self, k: int) -> NDArray[np.uint8]:
        if k == len(self._blocks):
            return self._open
        if self._last_read[0] != k:
            flat = np.frombuffer(zlib.decompress(self._blocks[k]), np.uint8)
            self._last_read = k, flat.reshape(-1, self._n_columns)
        return self._last_read[1]
