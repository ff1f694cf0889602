"""Ring buffers, allocated once: samples from the audio callback, rows of features or embeddings.

Shapes: n samples (frames of a device block), c channels. ``SampleRing`` crosses threads (one
producer, one consumer); ``FeatureRing`` belongs to the worker alone.
"""

import math
import threading
import time

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class SampleRing:
    """A lock-free ring from the audio callback (producer) to the worker (consumer).

    Neither side takes a lock that the other could hold: each advances a counter that only it
    writes, after its copy is done. The worker sleeps on a binary semaphore; the producer only ever
    releases it, which never waits.

    Parameters
    ----------
    n_samples : int
        Capacity, in samples a channel.
    n_channels : int
        Channels of every block.
    """

    def __init__(self, n_samples: int, n_channels: int) -> None:
        assert n_samples > 0 and n_channels > 0
        self._buffer: Array = np.zeros((n_samples, n_channels), np.float32)
        self._written = 0  # samples taken in since the start; only the producer changes it
        self._read = 0  # samples handed out since the start; only the consumer changes it
        self._overruns = 0
        self._is_woken = False
        self._signal = threading.Lock()  # a semaphore: locked means nothing new since the last wait
        self._signal.acquire()

    @property
    def n_channels(self) -> int:
        """Channels of every block."""
        return int(self._buffer.shape[1])

    @property
    def capacity(self) -> int:
        """Samples a channel that fit."""
        return len(self._buffer)

    @property
    def available(self) -> int:
        """Samples that wait to be read."""
        return self._written - self._read

    @property
    def total_written(self) -> int:
        """Samples taken in since the ring was made; dropped ones are not among them."""
        return self._written

    @property
    def total_read(self) -> int:
        """Samples handed out since the ring was made: the index of the next one read."""
        return self._read

    @property
    def overruns(self) -> int:
        """Samples dropped because the ring was full."""
        return self._overruns

    def write(self, block: Array) -> int:
        """Copy a block in; what does not fit is dropped. Audio callback; never waits.

        Parameters
        ----------
        block : (n, c) float32
            Samples in [-1, 1].

        Returns
        -------
        int
            Samples taken in; the ``n - taken`` last ones were dropped and counted.
        """
        n_block = len(block)
        n_taken = min(n_block, self.capacity - self.available)
        start = self._written % self.capacity
        n_first = min(n_taken, self.capacity - start)
        self._buffer[start : start + n_first] = block[:n_first]
        self._buffer[: n_taken - n_first] = block[n_first:n_taken]
        self._overruns += n_block - n_taken
        self._written += n_taken
        self._notify()
        return n_taken

    def read(self, max_samples: int) -> Array:
        """Return a copy of the oldest samples, (n, c) with n up to ``max_samples``. Worker."""
        n = min(max_samples, self.available)
        start = self._read % self.capacity
        n_first = min(n, self.capacity - start)
        out = np.empty((n, self.n_channels), np.float32)
        out[:n_first] = self._buffer[start : start + n_first]
        out[n_first:] = self._buffer[: n - n_first]
        self._read += n
        return out

    def wait(self, timeout: float) -> bool:
        """Return True once samples are there, False after ``timeout`` s or ``wake()``. Worker."""
        deadline = time.monotonic() + timeout
        while not self._is_woken:
            if self.available:
                return True
            # A signal may be older than the last read: look again, for the time that is left.
            if not self._signal.acquire(timeout=max(0.0, deadline - time.monotonic())):
                return bool(self.available)
        self._is_woken = False
        return bool(self.available)

    def wake(self) -> None:
        """End the worker's present or next ``wait``, to let it look at a stop flag. Any thread."""
        self._is_woken = True
        self._notify()

    def _notify(self) -> None:
        if self._signal.locked():
            try:
                self._signal.release()
            except RuntimeError:  # released by another thread in between: the signal stands
                pass


class FeatureRing:
    """The last ``n_frames`` rows, always as one contiguous view.

    Each row is stored twice, ``n_frames`` apart, so that a view of the last rows never wraps and
    pushing costs two copies of the new rows, not a shift of the whole.

    Parameters
    ----------
    n_frames : int
        Rows held.
    row_shape : int or tuple of int
        Shape of a row: bins of a feature frame, or the shape of an embedding.
    fill : (row_shape) float32, or float
        What the rows hold at the start and after ``clear``.
    """

    def __init__(
        self, n_frames: int, row_shape: int | tuple[int, ...], fill: Array | float = 0.0
    ) -> None:
        shape = (row_shape,) if isinstance(row_shape, int) else row_shape
        assert n_frames > 0 and math.prod(shape) > 0
        self._n_frames = n_frames
        self._fill = fill
        self._buffer: Array = np.empty((2 * n_frames, *shape), np.float32)
        self._next = 0  # where the next row goes, below n_frames
        self.clear()

    def __len__(self) -> int:
        return self._n_frames

    def push(self, rows: Array) -> None:
        """Append rows (n, *row_shape); of more than the ring holds, the last ones."""
        rows = rows[-self._n_frames :]
        n_first = min(len(rows), self._n_frames - self._next)
        for part, start in ((rows[:n_first], self._next), (rows[n_first:], 0)):
            self._buffer[start : start + len(part)] = part
            self._buffer[start + self._n_frames : start + self._n_frames + len(part)] = part
        self._next = (self._next + len(rows)) % self._n_frames

    def last(self, n: int) -> Array:
        """Return a contiguous view of the last n rows, valid until the next push."""
        assert 0 <= n <= self._n_frames
        end = self._next + self._n_frames
        return self._buffer[end - n : end]

    def clear(self) -> None:
        """Fill every row with the value given at the start."""
        self._buffer[:] = self._fill
        self._next = 0
