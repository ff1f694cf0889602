"""An iterable of blocks as an audio source, on a thread of its own.

A file is one (``engine.audio.files.song_source``). Blocks are (n, channels) float32 in [-1, 1].
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from engine.audio.devices.source import LiveFeed, ThreadedSource
from engine.core.errors import DeviceError, LiveCoverError
from engine.signal.clock import RESTART_JUMP_S, StreamClock
from engine.signal.rings import SampleRing

_log = logging.getLogger(__name__)


class BlockSource(ThreadedSource):
    """An iterable of blocks as a source: :class:`engine.audio.devices.source.AudioSource`.

    Parameters
    ----------
    blocks
        Yields (n, n_channels) arrays, or (n,) of one channel, in [-1, 1]. Iterated anew at each
        ``start``: a list begins again, a generator goes on. What it raises ends the song.
    sample_rate, n_channels
        Of the blocks.
    paced
        True: each block counts from when its last sample is due, however early it came. False: the
        iterable waits for the next block itself, as a microphone does.
    block_size
        Samples that a block has at most, for the latency; a longer one arrives later than promised.
    name
        As the user knows it.
    """

    known_errors: tuple[type[Exception], ...] = ()
    """What ``blocks`` is expected to raise, beside LiveCoverError and OSError."""

    def __init__(
        self,
        blocks: Iterable[NDArray[np.float32]],
        sample_rate: int,
        n_channels: int = 1,
        *,
        paced: bool = True,
        block_size: int = 256,
        name: str = "blocks",
    ) -> None:
        self.name = name
        self.sample_rate = sample_rate
        self.n_channels = n_channels
        self.block_size = block_size
        self.latency = 0.0
        self.is_realtime = True
        self.is_finished = False
        self.error: str | None = None
        self.n_overflows = 0
        self.n_bad_samples = 0
        self._blocks = blocks
        self._paced = paced
        super().__init__()

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return iter(self._blocks)

    def start(self, ring: SampleRing, clock: StreamClock) -> None:
        """Write the blocks to ``ring``, in time, on a thread of its own."""
        self.stop()
        self.is_finished = False
        self.error = None
        self._stop = threading.Event()  # an abandoned thread keeps its own
        self._thread = threading.Thread(
            target=self._play, args=(ring, clock), name="audio-blocks", daemon=True
        )
        self._thread.start()

    def _play(self, ring: SampleRing, clock: StreamClock) -> None:
        """Write each block when its last sample would have been captured (no drift)."""
        stop, feed = self._stop, LiveFeed(ring, clock, time.perf_counter)
        start = time.perf_counter()
        n_played = 0
        try:
            for given in self:
                block = self._shaped(given)
                n_played += len(block)
                due = start + n_played / self.sample_rate if self._paced else time.perf_counter()
                late = time.perf_counter() - due
                if late > RESTART_JUMP_S:  # the program was stopped: go on where it was
                    start, due = start + late, due + late
                if stop.wait(max(0.0, due - time.perf_counter())):
                    return
                feed.push(block)
                self.n_bad_samples = feed.n_bad_samples
        except Exception as error:  # whatever the iterable does
            is_known = isinstance(error, (LiveCoverError, OSError, *self.known_errors))
            _log.error("%s; the song ends here", error, exc_info=not is_known)
            self.error = str(error)
        finally:
            # Whatever happened it is over, and not lost: opened again it would start again.
            self.is_finished = not stop.is_set()
            ring.wake()

    def _shaped(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a block as (n, n_channels) float32; raises DeviceError."""
        shaped = np.asarray(block, np.float32)
        if shaped.ndim == 1:
            shaped = shaped[:, None]
        if shaped.ndim != 2 or shaped.shape[1] != self.n_channels:
            raise DeviceError(
                f"{self.name}: expected blocks of shape (n, {self.n_channels}), got"
                f" {np.shape(block)}: give one column a channel"
            )
        return shaped

    def is_alive(self) -> bool:
        """True while it plays."""
        return self._thread is not None and self._thread.is_alive() and not self.is_finished
