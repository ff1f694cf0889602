"""Ctrl-Z, ``fg`` and ``bg``: the program is stopped with its notes ended, and goes on in time.

Nothing on Windows, which has no such thing. Not here: how the engine goes on (``Engine.suspend``).
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
"""Between two tries of a program to get the terminal, where the system does not let it stop."""


class JobControl:
    """Whether a shell wants the program stopped; its methods belong to the main thread."""

    def __init__(self) -> None:
        self._is_asked = False

    @property
    def is_asked(self) -> bool:
        """Whether Ctrl-Z was pressed."""
        return self._is_asked

    def stop(self, instrument: Instrument) -> None:
        """End every note, stop the program, and return when it goes on."""
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        try:
            instrument.suspend(_stop_program)
        finally:
            signal.signal(signal.SIGTSTP, handler)
            self._is_asked = False

    def wait_for_terminal(self, instrument: Instrument, over: threading.Event) -> None:
        """Stop the program until it is in the foreground, or ``over`` is set."""
        while not (over.is_set() or in_foreground(sys.stdin)):
            self.stop(instrument)
            if not in_foreground(sys.stdin):
                over.wait(BACKGROUND_POLL_S)

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Want the program stopped. The handler of the signal."""
        self._is_asked = True


def _stop_program() -> None:
    """Stop every thread of the program; on one of them, which gets the signal before it goes on."""
    if sys.platform != "win32":
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)


def in_foreground(stream: TextIO) -> bool:
    """Return whether the terminal, if ``stream`` is one, belongs to this program now."""
    if sys.platform == "win32" or not stream.isatty():
        return True
    try:
        return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except OSError:  # it is not the terminal of this session
        return True


@contextlib.contextmanager
def job_control() -> Iterator[JobControl]:
    """Yield what Ctrl-Z asks. In the background the terminal may be written to, as it is."""
    control = JobControl()
    if sys.platform == "win32":
        yield control
        return
    before = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGTSTP, control.ask),
            (signal.SIGTTOU, signal.SIG_IGN),  # either would stop the program with notes sounding
            (signal.SIGTTIN, signal.SIG_IGN),
        )
    }
    try:
        yield control
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
