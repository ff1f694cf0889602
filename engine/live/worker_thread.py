"""A thread that does commands of other threads between its steps.

Not here: what its steps are (``engine.live.worker``).
"""

import threading
from collections.abc import Callable
from concurrent.futures import wait

from engine.core.errors import StoppedError
from engine.system.command_queue import CommandQueue

WAIT = 0.1
"""Seconds after which the thread looks at its source, and a caller at the thread."""


class WorkerThread:
    """The thread of a worker: a subclass has the steps (``_run``) and wakes them (``_wake``).

    Attributes
    ----------
    error : BaseException or None
        What ended the thread before its time.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._commands = CommandQueue()
        self._thread: threading.Thread | None = None

    @property
    def is_started(self) -> bool:
        """Whether the thread was started."""
        return self._thread is not None

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread is over; at once if it was never started."""
        if self._thread is not None:
            self._thread.join(timeout)

    def request_stop(self) -> None:
        """End after the present step; its events are not played."""
        self._stop.set()
        self._commands.news.set()
        self._wake()

    def run_on_worker(self, action: Callable[[], None]) -> None:
        """Do something between two steps, and return once it is done. Any other thread.

        Raises what ``action`` raised, while the worker goes on, and StoppedError where the worker
        ended before.
        """
        if self._thread is None and not self._stop.is_set():
            action()
            return
        future = self._commands.submit(action)
        self._wake()
        while not future.done():
            wait([future], WAIT)
            if self._stop.is_set() or not self.is_alive:
                future.cancel()  # unless it is being done
        if future.cancelled():
            raise StoppedError("nothing plays any more: nothing was changed; start again first")
        future.result()

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        raise NotImplementedError

    def _wake(self) -> None:
        raise NotImplementedError
