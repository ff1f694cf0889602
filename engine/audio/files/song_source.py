"""A song in a file as a source: what readers of all formats have in common.

Blocks are (n, channels) float32; memory does not grow with the length of the file.
Not here: reading a format (``file_source``, ``engine.audio.decoding``).
"""

import logging
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.devices.block_source import BlockSource
from engine.audio.files.transport import SongTransport
from engine.core.song_place import SongPlace
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing

SCAN_BLOCK = 1 << 16  # samples

_log = logging.getLogger(__name__)


class SongSource(BlockSource):
    """A song in a file; a subclass reads it (``blocks``), and knows its length (``n_samples``).

    Parameters
    ----------
    path
        The file.
    sample_rate, n_channels
        Of the song.
    paced
        True: ``start`` plays it in time. False: it is for ``blocks`` alone.
    block_size
        Samples in a block.
    """

    n_samples: int
    """Samples of the song, as far as they are known before it was read."""

    def __init__(
        self, path: Path, sample_rate: int, n_channels: int, paced: bool, block_size: int
    ) -> None:
        super().__init__((), sample_rate, n_channels, block_size=block_size, name=path.name)
        self.path = path
        self.position = 0.0
        """Seconds of audio read so far."""
        self.is_realtime = paced
        self.transport = SongTransport()
        self._played = 0.0
        self._warned: set[str] = set()

    def blocks(self, block_size: int | None = None) -> Generator[NDArray[np.float32]]:
        """Yield the song's blocks (n, channels) as fast as they are asked for.

        A file cut short ends early, with a warning.
        """
        raise NotImplementedError

    @property
    def duration(self) -> float:
        """Seconds of the song."""
        return self.n_samples / self.sample_rate

    def head(self, seconds: float) -> NDArray[np.float32]:
        """Return the first seconds (n, channels), less where the file is shorter."""
        return self.part(0.0, seconds)

    def part(self, start: float, seconds: float | None = None) -> NDArray[np.float32]:
        """Return samples (n, channels) from a second on, all of them or so many seconds."""
        first = round(start * self.sample_rate)
        last = sys.maxsize if seconds is None else first + round(seconds * self.sample_rate)
        taken, n_read = [np.zeros((0, self.n_channels), np.float32)], 0
        for block in self.blocks(SCAN_BLOCK):
            if len(piece := block[max(0, first - n_read) : max(0, last - n_read)]):
                taken.append(piece)  # an empty one would keep its block in memory
            n_read += len(block)
            if n_read >= last:
                break
        self.position = 0.0
        return np.concatenate(taken)

    @property
    def place(self) -> SongPlace:
        """Where it plays. Any thread."""
        return SongPlace(self._played, self.duration, self.transport.is_paused, self.transport.loop)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Yield the blocks that are played, as ``transport`` is told."""
        start: float | None = 0.0
        while start is not None:
            n_read, first, start = 0, round(start * self.sample_rate), None
            for block in self.blocks():
                n_read += len(block)
                if n_read <= first:
                    continue
                self._played = n_read / self.sample_rate
                yield block[-min(len(block), n_read - first) :]
                if not self.transport.wait(self._stop):
                    return
                start = self.transport.next_start(self._played)
                if start is not None:
                    break
            else:
                start = self.transport.next_start(self._played, is_end=True)
                if start is not None and start * self.sample_rate >= n_read:
                    return

    def start(self, ring: SampleRing, clock: StreamClock) -> None:
        """Play from the beginning, in time, on a thread of its own. Needs ``paced``."""
        assert self.is_realtime, "a file that is not paced is read with blocks()"
        super().start(ring, clock)

    def _warn(self, what: str) -> None:
        """Log what is wrong with the file, once however often it is read."""
        if what not in self._warned:
            self._warned.add(what)
            _log.warning("%s %s", self.path, what)
