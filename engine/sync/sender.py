"""The thread that sends the beat to other programs: a tap that hears of it.

Not here: which message is due when (``clock_writer``, ``link_writer``).
"""

import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from engine.core.errors import MidiError
from engine.core.settings import EngineSettings
from engine.core.taps import Tap, TappedSource
from engine.core.tempo import Beat
from engine.midi.scheduler import FINE_WAIT, IDLE_WAIT
from engine.sync.line import SongLine
from engine.system.bounded import join_thread
from engine.system.priority import raise_thread_priority

CLOSE_S = 1.0


M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)


class Writer(Protocol[M_co]):
    """Which message is due when."""

    song: SongLine
    is_running: bool
    """Whether the receiver has been started and not stopped."""

    def follow(self, beat: Beat, now: float) -> None:
        """Take the beat as it is known at ``now``."""

    def stop(self) -> None:
        """Let the receiver stop, until the beat is locked again."""

    def reset(self) -> None:
        """Stop; what comes next is another song."""

    def next_due(self) -> float:
        """Return when the next message is due; infinite where none is."""

    def pop(self, now: float) -> M_co | None:
        """Return the next message that is due; None where none is."""


class SyncSender(Tap, Generic[M]):
    """Sends the beat, in time with the notes.

    Parameters
    ----------
    writer
        Says which message is due when.
    send
        Sends one message; raises MidiError where the port is gone. On the sender's thread.
    offset
        Seconds by which beats are later than the notes; less than 0: earlier.
    port_latency
        Returns the seconds from ``send`` until receivers have it: sent so much sooner.
    clock
        Monotonic seconds.
    """

    def __init__(
        self,
        writer: Writer[M],
        send: Callable[[M], None],
        offset: float = 0.0,
        port_latency: Callable[[], float] = lambda: 0.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._send, self._clock = send, clock
        self._port_latency = port_latency
        self._offset, self._latency = offset, 0.0
        self._changed = threading.Condition()  # guards what follows
        self._writer = writer
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._thread.start()

    @property
    def offset(self) -> float:
        """Seconds by which beats are later than the notes. May be set at any time."""
        return self._offset

    @offset.setter
    def offset(self, seconds: float) -> None:
        self._offset = seconds
        self._take(self._set_delay)

    @property
    def is_running(self) -> bool:
        """Whether the receiver has been started and not stopped."""
        return self._writer.is_running

    def begin(self, source: TappedSource, offset: float, latency: float) -> None:  # noqa: D102
        self._latency = latency
        self._take(self._set_delay)

    def changed(self, settings: EngineSettings, latency: float) -> None:  # noqa: D102
        self._latency = latency
        self._take(self._set_delay)

    def beat(self, beat: Beat) -> None:  # noqa: D102
        self._take(lambda: self._writer.follow(beat, self._clock()))

    def lost(self) -> None:  # noqa: D102
        self._take(self._writer.stop)

    def close(self) -> None:  # noqa: D102
        self._take(self._writer.reset)

    def shut_down(self) -> None:
        """Stop the receiver, and end the thread; a second call does nothing."""
        with self._changed:
            self._writer.reset()
            self._is_closing = True
            self._changed.notify()
        join_thread(self._thread, CLOSE_S)

    def _set_delay(self) -> None:
        self._writer.song.delay = self._latency + self._offset - self._port_latency()

    def _take(self, change: Callable[[], None]) -> None:
        with self._changed:
            change()
            self._changed.notify()

    def _run(self) -> None:
        raise_thread_priority()
        while True:
            with self._changed:
                message = self._writer.pop(self._clock())
                if message is None:
                    if self._is_closing:
                        return
                    remaining = min(self._writer.next_due() - self._clock(), IDLE_WAIT)
                    if remaining > FINE_WAIT:
                        self._changed.wait(remaining - FINE_WAIT)
                        continue
            if message is None:
                time.sleep(min(max(remaining, 0.0), 0.0005))
                continue
            try:
                self._send(message)
            except MidiError:
                continue  # the port says so itself, and is opened again
