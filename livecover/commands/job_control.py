"""Ctrl-Z, ``fg`` and ``bg``: suspends the program with its notes ended, and resumes it in time.

Does nothing on Windows. Not here: how the engine resumes (``Engine.suspend``).
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TextIO

from livecover.instrument.instrument import Instrument

BACKGROUND_POLL_S = 1.0
"""Seconds between two tries to get the terminal, if the system does not stop the program."""


class JobControl:
    """Suspends the program on Ctrl-Z. All methods on the main thread."""

    def __init__(self) -> None:
        self._is_asked = False

    @property
    def is_asked(self) -> bool:
        """Whether Ctrl-Z was pressed."""
        return self._is_asked

    def stop(self, instrument: Instrument) -> None:
        """End every note, suspend the program, and return when it resumes."""
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        try:
            instrument.suspend(_stop_program)
        finally:
            signal.signal(signal.SIGTSTP, handler)
            self._is_asked = False

    def wait_for_terminal(self, instrument: Instrument, over: threading.Event) -> None:
        """Suspend the program until it is in the foreground, or ``over`` is set."""
        while not (over.is_set() or in_foreground(sys.stdin)):
            self.stop(instrument)
            if not in_foreground(sys.stdin):
                over.wait(BACKGROUND_POLL_S)

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Ask to suspend the program. The signal's handler."""
        self._is_asked = True


def _stop_program() -> None:
    """Suspend all threads; the signal goes to this one, so that it takes effect at once."""
    if sys.platform != "win32":
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)


def in_foreground(stream: TextIO) -> bool:
    """Return whether this program is in the foreground of the terminal, if ``stream`` is one."""
    if sys.platform == "win32" or not stream.isatty():
        return True
    try:
        return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except OSError:  # it is not the terminal of this session
        return True


@contextlib.contextmanager
def job_control() -> Iterator[JobControl]:
    """Yield the handler of Ctrl-Z. In the background the program can still write."""
    control = JobControl()
    if sys.platform == "win32":
        yield control
        return
    before = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGTSTP, control.ask),
            (signal.SIGTTOU, signal.SIG_IGN),  # either would suspend the program while notes sound
            (signal.SIGTTIN, signal.SIG_IGN),
        )
    }
    try:
        yield control
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
