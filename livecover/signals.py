"""The signals that stop livecover. Ctrl-Z, which stops it for now, is ``livecover.job_control``."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def stop_on_signals(is_at_once: bool = False) -> Iterator[threading.Event]:
    """Yield an event that SIGINT, SIGTERM or SIGHUP sets; a second SIGINT raises KeyboardInterrupt.

    The first does so already where what is half done is of no use: ``is_at_once``.
    """
    stop = threading.Event()

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
