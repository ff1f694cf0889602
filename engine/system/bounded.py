"""Waits with a timeout: for calls into libraries that may hang, and for threads.

Such a call runs on a thread of its own, which is abandoned if it does not return in time. Once
shutdown has begun, all waits share one deadline: whatever closes something waits by
:func:`call_with_timeout`, :func:`join_thread`, :func:`get_with_timeout` or
:func:`remaining_timeout`, and by nothing else.
Not here: what a timeout means to the user.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")

SHUTDOWN_S = 2.0
"""Seconds that all waits have together once shutdown has begun."""
MIN_SAVE_S = 0.5
"""Seconds that writing a file has at least, whatever hung before."""
POLL_S = 0.1
"""Seconds after which a wait looks whether shutdown has begun."""

_abandoned: list[threading.Thread] = []
_hung: list["_Call[object]"] = []
_lock = threading.Lock()  # guards it, and whether the call or the timeout came first


class _Shutdown:
    """The monotonic time by which all waits are over; None before shutdown begins."""

    deadline: float | None = None


_shutdown = _Shutdown()


def begin_shutdown() -> None:
    """Let all waits be over in ``SHUTDOWN_S``. A second call changes nothing. Any thread."""
    if _shutdown.deadline is None:
        _shutdown.deadline = time.monotonic() + SHUTDOWN_S


@contextlib.contextmanager
def separate_shutdown() -> Iterator[None]:
    """Run the block without a shutdown deadline, as a program of its own."""
    before, _shutdown.deadline = _shutdown.deadline, None
    try:
        yield
    finally:
        _shutdown.deadline = before


def remaining_timeout(seconds: float, least: float = 0.0) -> float:
    """Return ``seconds``, or what is left of shutdown if that is shorter; at least ``least``."""
    if _shutdown.deadline is None:
        return seconds
    return min(seconds, max(least, _shutdown.deadline - time.monotonic()))


def join_thread(thread: threading.Thread, seconds: float, least: float = 0.0) -> bool:
    """Wait for a thread as :func:`remaining_timeout` says; return whether it is over.

    A shutdown that begins meanwhile counts, here as in :func:`call_with_timeout`.
    """

    def is_over(timeout: float) -> bool:
        thread.join(timeout)
        return not thread.is_alive()

    if _wait_until(is_over, seconds, least):
        return True
    _leave_behind(thread)
    return False


def _leave_behind(thread: threading.Thread) -> None:
    _abandoned[:] = [*(one for one in _abandoned if one.is_alive()), thread]


def get_with_timeout(items: "queue.SimpleQueue[T]", seconds: float) -> T:
    """Return the next item, waited for as by :func:`join_thread`. Raises TimeoutError."""
    found: list[T] = []

    def has_come(timeout: float) -> bool:
        with contextlib.suppress(queue.Empty):
            found.append(items.get(timeout=timeout))
        return bool(found)

    if not _wait_until(has_come, seconds, 0.0):
        raise TimeoutError("nothing has come in time")
    return found[0]


def has_abandoned_threads() -> bool:
    """Return whether a thread still runs that :func:`join_thread` has given up.

    Or one of :func:`call_in_thread`, which nobody joins: a library that is at work there may end
    the process with an error while the interpreter ends.
    """
    return any(thread.is_alive() for thread in tuple(_abandoned))


def _wait_until(is_over: Callable[[float], bool], seconds: float, least: float) -> bool:
    """Return whether ``is_over``, which waits for a number of seconds, came true in time."""
    start = time.monotonic()
    while True:
        passed = time.monotonic() - start
        left = max(0.0, remaining_timeout(seconds - passed, least - passed))
        if is_over(min(left, POLL_S)):
            return True
        if left <= POLL_S:
            return False


class _Call(Generic[T]):
    """One call, on its thread."""

    def __init__(self, what: str, call: Callable[[], T], undo: Callable[[T], object]) -> None:
        self.what = what
        self._call, self._undo = call, undo
        self._is_abandoned = False
        self._is_over = threading.Event()
        self._error: BaseException | None = None
        self._result: list[T] = []
        threading.Thread(target=self._run, name=what, daemon=True).start()

    def _run(self) -> None:
        try:
            self._result.append(self._call())
        except BaseException as error:
            self._error = error
        with _lock:
            self._is_over.set()
            is_abandoned = self._is_abandoned
            if is_abandoned:
                _hung.remove(self)  # type: ignore[arg-type]
        if is_abandoned and self._result:
            self._undo(self._result[0])

    def answer(self, seconds: float, least: float) -> T:
        """Return the result or raise what the call raised; TimeoutError where it hangs."""
        if not _wait_until(self._is_over.wait, seconds, least):
            with _lock:
                if not self._is_over.is_set():
                    self._is_abandoned = True
                    _hung.append(self)  # type: ignore[arg-type]
                    raise TimeoutError(f"{self.what} did not answer in time")
        if self._error is not None:
            raise self._error
        return self._result[0]


def call_in_thread(call: Callable[[], T], name: str) -> Future[T]:
    """Return the future of a call on a daemon thread, which does not keep the program."""
    future: Future[T] = Future()

    def run() -> None:
        future.set_running_or_notify_cancel()
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    _leave_behind(thread)
    return future


def call_with_timeout(
    seconds: float,
    what: str,
    call: Callable[[], T],
    undo: Callable[[T], object] = lambda result: None,
    least: float = 0.0,
) -> T:
    """Return what ``call`` returns, if it does so in time.

    Parameters
    ----------
    seconds, least
        To wait, as :func:`remaining_timeout` says.
    what
        The library or server, in words for the user.
    call
        Runs on another thread.
    undo
        Called with a result that comes too late, to close it. On that thread.

    Raises
    ------
    TimeoutError
        ``call`` has not returned; its thread is abandoned.
    """
    return _Call(what, call, undo).answer(seconds, least)


def list_hung_calls() -> list[str]:
    """Return the names (``what``) of abandoned calls that have not returned yet, each once."""
    with _lock:
        return list(dict.fromkeys(call.what for call in _hung))
