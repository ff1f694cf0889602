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
PIECE = 1 << 13  # samples read at once on the way to a place
MAX_KEPT_S = 120.0
"""Seconds of a loop that are kept, so that it is read once."""

Block = NDArray[np.float32]

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

    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks that are played, as ``transport`` is told."""
        start: float | None = 0.0
        kept: tuple[tuple[float, float], list[Block]] | None = None  # a loop, and its sound
        while start is not None:
            at, loop, start = start, self.transport.loop, None
            is_loop = loop is not None and at == loop[0] and loop[1] - at <= MAX_KEPT_S
            is_kept = is_loop and kept is not None and kept[0] == loop
            n_played, heard = round(at * self.sample_rate), []
            for block in kept[1] if is_kept and kept else self._blocks_from(n_played):
                n_played += len(block)
                self._played = n_played / self.sample_rate
                if is_loop:
                    heard.append(block)
                yield block
                if not self.transport.wait(self._stop):
                    return
                start = self.transport.next_start(self._played)
                if start is not None:
                    break
            else:
                start = self.transport.next_start(self._played, is_end=True)
                if start is None and is_kept:  # it is repeated no more
                    start = self._played
                elif not heard and start == at:  # the loop lies behind the song
                    return
            if loop is not None and is_loop and start == at:
                kept = loop, heard

    def _blocks_from(self, first: int) -> Iterator[Block]:
        """Yield blocks from a sample on; what is before is read, too, in larger pieces."""
        if not first:
            yield from self.blocks()
            return
        size, n_read = self.block_size, 0
        for piece in self.blocks(size * max(1, PIECE // size)):
            n_read += len(piece)
            if n_read > first:
                rest = piece[-min(len(piece), n_read - first) :]
                yield from (rest[k : k + size] for k in range(0, len(rest), size))

    def start(self, ring: SampleRing, clock: StreamClock) -> None:
        """Play from the beginning, in time, on a thread of its own. Needs ``paced``."""
        assert self.is_realtime, "a file that is not paced is read with blocks()"
        super().start(ring, clock)

    def _warn(self, what: str) -> None:
        """Log what is wrong with the file, once however often it is read."""
        if what not in self._warned:
            self._warned.add(what)
            _log.warning("%s %s", self.path, what)
