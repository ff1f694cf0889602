"""Ctrl-C and SIGTERM as a flag that a loop reads between steps."""

import logging
import signal
import threading
from types import FrameType
from typing import Any, Self

log = logging.getLogger(__name__)


class InterruptFlag:
    """Set by the first Ctrl-C or SIGTERM within its context; the second raises KeyboardInterrupt.

    >>> with InterruptFlag() as interrupt:
    ...     interrupt.is_set
    False
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.is_set = False

    def __enter__(self) -> Self:
        self._before: dict[signal.Signals, Any] = {}
        if threading.current_thread() is threading.main_thread():  # signals come to no other
            self._before = {s: signal.signal(s, self._set) for s in self.SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _set(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_set:
            raise KeyboardInterrupt
        self.is_set = True
        log.warning("stopping after this step")
