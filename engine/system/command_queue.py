"""Commands from other threads to one that works in steps."""

import collections
import threading
from collections.abc import Callable
from concurrent.futures import Future


class CommandQueue:
    """Commands from any thread, done one after the other by the thread that owns the queue.

    Attributes
    ----------
    news : threading.Event
        Set by each command; the owner clears it, and may set it to wake itself.
    """

    def __init__(self) -> None:
        self.news = threading.Event()
        self._waiting: collections.deque[tuple[Future[None], Callable[[], None]]]
        self._waiting = collections.deque()
        self._is_closed = False

    def __bool__(self) -> bool:
        """Whether something waits."""
        return bool(self._waiting)

    def submit(self, command: Callable[[], None]) -> Future[None]:
        """Return the future of a command, cancelled if the queue is closed before it runs."""
        future: Future[None] = Future()
        self._waiting.append((future, command))
        if self._is_closed:
            future.cancel()
        self.news.set()
        return future

    def do_next(self) -> None:
        """Do the command that waits longest. The owner."""
        future, command = self._waiting.popleft()
        if not future.set_running_or_notify_cancel():
            return
        try:
            command()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(None)

    def close(self) -> None:
        """Cancel what waits and whatever comes. The owner."""
        self._is_closed = True
        while self._waiting:
            self._waiting.popleft()[0].cancel()
