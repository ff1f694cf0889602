"""Waits that end: for calls into libraries that may never return, and for threads.

A server that hangs keeps its clients waiting. Such a call runs on a thread of its own, which is
left behind if the answer does not come in time. Once the program is to end, all waits share one
deadline: whoever closes something waits by :func:`within`, :func:`join` or :func:`patience`, and by
nothing else. Not here: which calls, and what an answer that does not come means to the user.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")

ENDING_S = 2.0
"""Seconds that all waits have together once the program is to end."""
LEAST_S = 0.5
"""What a file that is being written has at least, whatever hung before."""
LOOK_S = 0.1
"""Seconds after which a wait looks whether the end has begun meanwhile."""

_left: list["_Call[object]"] = []
_lock = threading.Lock()  # guards it, and who of caller and callee was first


class _Ending:
    """The program's end: the moment by which it is to be over, where it has begun."""

    deadline: float | None = None


_ending = _Ending()


def begin_ending() -> None:
    """Let all waits be over in ``ENDING_S``. A second call changes nothing. Any thread."""
    if _ending.deadline is None:
        _ending.deadline = time.monotonic() + ENDING_S


@contextlib.contextmanager
def own_ending() -> Iterator[None]:
    """Let what runs within the block be a program of its own, which has not begun to end."""
    before, _ending.deadline = _ending.deadline, None
    try:
        yield
    finally:
        _ending.deadline = before


def patience(seconds: float, least: float = 0.0) -> float:
    """Return how long to wait: ``seconds``, or what the program's end has left for it.

    That is ``least`` at least.
    """
    if _ending.deadline is None:
        return seconds
    return min(seconds, max(least, _ending.deadline - time.monotonic()))


def join(thread: threading.Thread, seconds: float, least: float = 0.0) -> bool:
    """Return whether a thread is over, having waited for it as :func:`patience` says.

    An end that begins meanwhile counts, here as in :func:`within`.
    """

    def is_over(timeout: float) -> bool:
        thread.join(timeout)
        return not thread.is_alive()

    return _waited_for(is_over, seconds, least)


def _waited_for(is_over: Callable[[float], bool], seconds: float, least: float) -> bool:
    """Return whether ``is_over``, which waits so many seconds, came true in time."""
    start = time.monotonic()
    while True:
        passed = time.monotonic() - start
        left = max(0.0, patience(seconds - passed, least - passed))
        if is_over(min(left, LOOK_S)):
            return True
        if left <= LOOK_S:
            return False


class _Call(Generic[T]):
    """One call, on its thread."""

    def __init__(self, what: str, call: Callable[[], T], undo: Callable[[T], object]) -> None:
        self.what = what
        self._call, self._undo = call, undo
        self._is_left = False
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
            is_left = self._is_left
            if is_left:
                _left.remove(self)  # type: ignore[arg-type]
        if is_left and self._result:
            self._undo(self._result[0])

    def answer(self, seconds: float, least: float) -> T:
        """Return the result, or raise what the call raised, or leave it behind."""
        if not _waited_for(self._is_over.wait, seconds, least):
            with _lock:
                if not self._is_over.is_set():
                    self._is_left = True
                    _left.append(self)  # type: ignore[arg-type]
                    raise TimeoutError(f"{self.what} did not answer in time")
        if self._error is not None:
            raise self._error
        return self._result[0]


def begun(call: Callable[[], T], name: str) -> Future[T]:
    """Return what becomes of a call on a thread that does not keep the program if it hangs."""
    future: Future[T] = Future()

    def run() -> None:
        future.set_running_or_notify_cancel()
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def within(
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
        To wait, as :func:`patience` says.
    what
        Who is asked, in words for the user.
    call
        Runs on another thread.
    undo
        Gets a result that comes too late, to close it. On that thread.

    Raises
    ------
    TimeoutError
        There is no answer yet; ``call`` is left behind.
    """
    return _Call(what, call, undo).answer(seconds, least)


def left_behind() -> list[str]:
    """Return who was asked and has not answered to this moment, each once."""
    with _lock:
        return list(dict.fromkeys(call.what for call in _left))
