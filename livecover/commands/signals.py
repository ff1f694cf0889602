"""The signals that stop livecover. Ctrl-Z, which stops it for now, is ``job_control``."""

import contextlib
import queue
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from engine.system.bounded import begin_shutdown


class SignalEvent(threading.Event):
    """An event that ends the program, which the handler of a signal may set, at any moment.

    The handler runs on the main thread. Would that be within ``threading.Event.wait``, the lock of
    the event were taken already, and never given back. ``SimpleQueue`` may be entered again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._has_come = False
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()

    def is_set(self) -> bool:
        """Return whether it has come."""
        return self._has_come

    def set(self) -> None:
        """Let it come, for good: the program's time to end runs from here."""
        self._has_come = True
        begin_shutdown()
        self._news.put(None)

    def clear(self) -> None:
        """Raise NotImplementedError: what has come stays."""
        raise NotImplementedError

    def wait(self, timeout: float | None = None) -> bool:
        """Return True once it has come, False after ``timeout`` s. Any thread."""
        if not self._has_come:
            with contextlib.suppress(queue.Empty):
                self._news.get(timeout=timeout)
                self._news.put(None)  # for others who wait
        return self._has_come


@contextlib.contextmanager
def stop_on_signals(is_at_once: bool = False) -> Iterator[threading.Event]:
    """Yield an event that SIGINT, SIGTERM or SIGHUP sets; a second SIGINT raises KeyboardInterrupt.

    The first does so already where what is half done is of no use: ``is_at_once``.
    """
    stop = SignalEvent()

    def on_signal(number: int, frame: FrameType | None) -> None:
        # A terminal that hangs up says so twice.
        if is_at_once or (stop.is_set() and number == signal.SIGINT):
            raise KeyboardInterrupt
        stop.set()

    numbers = {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
