"""Reads single keys from the terminal, and restores the terminal at the end.

A key's name is its letter, or left, right, up, down. Not here: what a key does.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator

from engine.system.bounded import join_thread

OnKey = Callable[[str], None]

_SEQUENCES = {
    f"{start}{letter}": name
    for start in ("\x1b[", "\x1bO")
    for letter, name in zip("ABCD", ("up", "down", "right", "left"), strict=True)
}
_WINDOWS = {"H": "up", "P": "down", "M": "right", "K": "left"}


def parse_keys(text: str) -> list[str]:
    r"""Return the keys in a terminal's input, without unknown escape sequences.

    >>> parse_keys("a\x1b[D\x1b[5~1")
    ['a', 'left', '1']
    """
    keys = []
    while text:
        name = _SEQUENCES.get(text[:3])
        if name is not None:
            keys.append(name)
            text = text[3:]
        elif text[0] == "\x1b":
            text = _after_sequence(text)
        else:
            if text[0].isprintable():
                keys.append(text[0].lower())
            text = text[1:]
    return keys


def _after_sequence(text: str) -> str:
    """Return the text after an unknown escape sequence (ECMA-48 5.4) or a lone escape."""
    if text[1:2] not in ("[", "O"):
        return text[1:]
    for at, letter in enumerate(text[2:], 2):
        if "@" <= letter <= "~":
            return text[at + 1 :]
    return ""


@contextlib.contextmanager
def listen_for_keys(on_key: OnKey) -> Iterator[None]:
    """Call ``on_key`` with each key within the block, on a thread; needs a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    with _windows(on_key) if sys.platform == "win32" else _posix(on_key, sys.stdin.fileno()):
        yield


@contextlib.contextmanager
def _posix(on_key: OnKey, terminal: int) -> Iterator[None]:
    """Read single keys; Ctrl-C and Ctrl-Z still send signals, Ctrl-Backslash does not."""
    import select
    import termios

    before = termios.tcgetattr(terminal)
    now = termios.tcgetattr(terminal)
    now[3] &= ~(termios.ICANON | termios.ECHO)
    now[6][termios.VMIN], now[6][termios.VTIME] = 1, 0
    now[6][termios.VQUIT] = os.fpathconf(terminal, "PC_VDISABLE").to_bytes(1, "little")
    woken, wake = os.pipe()

    def read() -> None:
        while True:
            ready, _, _ = select.select([terminal, woken], [], [])
            if woken in ready:
                return
            try:
                text = os.read(terminal, 256)
            except OSError:
                return
            if not text:  # the terminal is closed
                return
            for key in parse_keys(text.decode(errors="ignore")):
                on_key(key)

    thread = threading.Thread(target=read, name="keys", daemon=True)
    termios.tcsetattr(terminal, termios.TCSADRAIN, now)
    try:
        thread.start()
        yield
    finally:
        os.write(wake, b"x")
        join_thread(thread, 1.0)
        for end in (woken, wake):
            os.close(end)
        with contextlib.suppress(termios.error):  # the terminal is closed
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _windows(on_key: OnKey) -> Iterator[None]:
    """Read single keys; the thread that waits for the next ends with the program."""
    import msvcrt

    is_over = threading.Event()
    read: Callable[[], str] = getattr(msvcrt, "getwch")  # noqa: B009, elsewhere mypy has no such name

    def run() -> None:
        while not is_over.is_set():
            key = read()
            if key in ("\x00", "\xe0"):
                key = _WINDOWS.get(read(), "")
            if key and not is_over.is_set():
                on_key(key if len(key) > 1 else key.lower())

    threading.Thread(target=run, name="keys", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()
