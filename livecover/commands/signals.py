"""The signals that end livecover. Ctrl-Z is in ``job_control``."""

import contextlib
import queue
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from engine.system.bounded import begin_shutdown


class SignalEvent(threading.Event):
    """An event that ends the program, which a signal handler can set at any time.

    The handler runs on the main thread, perhaps within ``threading.Event.wait``, which holds the
    event's lock: setting that event would deadlock. ``SimpleQueue`` is reentrant.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_set = False
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Let it come, for good: the program's time to end runs from here."""
        self._is_set = True
        begin_shutdown()
        self._news.put(None)

    def clear(self) -> None:
        """Raise NotImplementedError: it stays set."""
        raise NotImplementedError

    def wait(self, timeout: float | None = None) -> bool:
        """Return True once it is set, False after ``timeout`` s. Any thread."""
        if not self._is_set:
            with contextlib.suppress(queue.Empty):
                self._news.get(timeout=timeout)
                self._news.put(None)  # for other waiters
        return self._is_set


@contextlib.contextmanager
def stop_on_signals(is_at_once: bool = False) -> Iterator[threading.Event]:
    """Yield an event that SIGINT, SIGTERM or SIGHUP sets; a second SIGINT raises KeyboardInterrupt.

    With ``is_at_once`` the first does, for work of which a part is of no use. SIGHUP does nothing
    where it was ignored before: nohup.
    """
    stop = SignalEvent()

    def on_signal(number: int, frame: FrameType | None) -> None:
        # A terminal that closes sends its signal twice.
        if is_at_once or (stop.is_set() and number == signal.SIGINT):
            raise KeyboardInterrupt
        stop.set()

    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.append(hangup)
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
