"""The protocol of an audio source, and what live sources have in common.

Shapes: a block is (n, channels) float32 in [-1, 1].
Not here: the sources (``device``, ``block_source``, ``engine.audio.files``, ``.loopback``).
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing
from engine.system.bounded import join_thread

LOST_AFTER = 1.0
"""Seconds without a block after which a live source counts as lost."""
START_GRACE = 3.0
"""The same for the first block: a device may take its time to start."""


class AudioSource(Protocol):
    """An audio input: one block after the other into a ring, each with its time of arrival.

    ``start``, ``stop`` and ``is_alive`` are called from one thread, blocks come from another.
    After ``stop``, ``start`` begins anew.
    """

    name: str
    sample_rate: int
    n_channels: int
    block_size: int  # samples
    latency: float  # seconds from air or wire to ``ring``, as the device reports it
    is_realtime: bool

    @property
    def error(self) -> str | None:
        """Why the source is not alive, in words for the user."""

    @property
    def n_overflows(self) -> int:
        """Gaps that the device reported."""

    @property
    def n_bad_samples(self) -> int:
        """Samples that were not finite and became 0."""

    @property
    def is_finished(self) -> bool:
        """True once the end of a file is reached and written; a device never finishes."""

    def start(self, ring: SampleRing, clock: StreamClock) -> None:
        """Begin to write blocks to ``ring`` and their arrival to ``clock``. DeviceError if not."""

    def stop(self) -> None:
        """End writing; on return no more blocks come. Calling it again does nothing."""

    def is_alive(self) -> bool:
        """False before ``start``, after ``stop``, once the device is lost or the file ended."""


@dataclass(frozen=True, slots=True)
class InputInfo:
    """One input as ``livecover devices`` lists it."""

    index: int | None  # PortAudio's index; None for a loopback that does not go through PortAudio
    name: str
    n_channels: int
    sample_rate: int
    is_loopback: bool
    what_to_type: str  # after --input


class LiveFeed:
    """Writes blocks of a device's callback or reader thread to the ring, and watches for a loss.

    Parameters
    ----------
    ring, clock
        Where blocks and their arrival go.
    now
        Clock in seconds.
    pick
        Makes of a block (n, opened channels) what goes to the ring.
    """

    def __init__(
        self,
        ring: SampleRing,
        clock: StreamClock,
        now: Callable[[], float] = time.perf_counter,
        pick: Callable[[NDArray[np.float32]], NDArray[np.float32]] = lambda block: block,
    ) -> None:
        self._ring = ring
        self._clock = clock
        self._now = now
        self._pick = pick
        self._due = now() + START_GRACE
        self.n_overflows = 0
        self.n_bad_samples = 0
        self.error: str | None = None

    def push(self, block: NDArray[np.float32], has_overflowed: bool = False) -> None:
        """Copy ``block`` (n, channels) into the ring; samples that are not finite become 0.

        Called from the audio callback: no lock, no log, no file. Where samples are missing (the
        device lost some, or the ring was full), the clock starts anew.
        """
        arrival = self._now()
        block = self._pick(block)
        if not math.isfinite(float(block.sum(dtype=np.float64))):
            is_bad = ~np.isfinite(block)
            self.n_bad_samples += int(is_bad.sum())
            block = np.where(is_bad, np.float32(0.0), block)
        n_written = self._ring.write(block)
        if has_overflowed:
            self.n_overflows += 1
        if has_overflowed or n_written < len(block):
            self._clock.reset()
        self._clock.update(self._ring.total_written, arrival)
        self._due = arrival + LOST_AFTER

    def begin_anew(self) -> None:
        """Allow for another device, which may take its time to start.

        While nothing pushes.
        """
        self.n_overflows += 1
        self._clock.reset()
        self._due = self._now() + START_GRACE

    def fail(self, message: str) -> None:
        """Mark the source as lost; the first reason stays."""
        if self.error is None:
            self.error = message

    def is_alive(self, name: str) -> bool:
        """Return whether blocks still come; if not, ``error`` says so."""
        if self.error is None and self._now() > self._due:
            self.fail(f"{name}: no audio came for more than {LOST_AFTER:g} s; is it still there?")
        return self.error is None


class ThreadedSource:
    """What sources have in common that write their blocks on a thread of their own."""

    join_timeout = 1.0
    """Seconds after which a thread that waits for its next block is left to end by itself."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def stop(self) -> None:
        """End playing or recording; calling it again does nothing."""
        self._stop.set()
        if self._thread is not None:
            join_thread(self._thread, self.join_timeout)
            self._thread = None


class LiveSource:
    """What sources that feed a :class:`LiveFeed` from a thread or callback have in common."""

    is_realtime = True
    is_finished = False
    _feed: LiveFeed | None = None

    @property
    def error(self) -> str | None:
        """Why the source is not alive."""
        return self._feed.error if self._feed else None

    @property
    def n_overflows(self) -> int:
        """Blocks before which samples were lost."""
        return self._feed.n_overflows if self._feed else 0

    @property
    def n_bad_samples(self) -> int:
        """Samples that were not finite and became 0."""
        return self._feed.n_bad_samples if self._feed else 0
