"""Calls into libraries that may never return: a server that hangs keeps its clients waiting.

Such a call runs on a thread of its own, which is left behind if the answer does not come in time.
Not here: which calls, and what an answer that does not come means to the user.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")

_left: list["_Call[object]"] = []
_lock = threading.Lock()  # guards it, and who of caller and callee was first


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

    def answer(self, seconds: float) -> T:
        """Return the result, or raise what the call raised, or leave it behind."""
        if not self._is_over.wait(seconds):
            with _lock:
                if not self._is_over.is_set():
                    self._is_left = True
                    _left.append(self)  # type: ignore[arg-type]
                    raise TimeoutError(f"{self.what} did not answer within {seconds:g} s")
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
) -> T:
    """Return what ``call`` returns, if it does so in time.

    Parameters
    ----------
    seconds
        To wait.
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
    return _Call(what, call, undo).answer(seconds)


def left_behind() -> list[str]:
    """Return who was asked and has not answered to this moment, each once."""
    with _lock:
        return list(dict.fromkeys(call.what for call in _left))
