"""Stand-ins for plugins that break, opened in a process of their own; not tests themselves."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DeviceError
from engine.midi.messages import Message

BREAK = 99
"""A note-on of this key breaks the synthesizer, in the way that it was opened for."""


class Fragile:
    """Plays the sum of the samples at which messages come, until the key that breaks it."""

    def __init__(self, way: str, folder: Path) -> None:
        self.way, self.folder = way, folder
        (folder / "opened").write_text(str(os.getpid()))

    def render(self, n: int, messages: Sequence[tuple[int, Message]]) -> NDArray[np.float32]:
        if any(message[1] == BREAK for _, message in messages):
            if self.way == "abort":
                os.abort()
            if self.way == "hang":
                threading.Event().wait()
            if self.way == "print":
                os.write(1, b"what a plugin has to say")
            if self.way == "raise":
                raise ZeroDivisionError("in the plugin")
        return np.full((n, 2), sum(at for at, _ in messages), np.float32)

    def close(self) -> None:
        (self.folder / "closed").touch()


def open_fragile(way: str, folder: Path) -> Fragile:
    """Return one that breaks later, or break now."""
    if threading.current_thread() is not threading.main_thread():
        raise DeviceError("load plugins on the main thread")
    if way == "missing":
        raise DeviceError("there is no such plugin")
    if way == "raise while opened":
        raise KeyError("no licence")
    if way == "abort while opened":
        os.abort()
    if way == "hang while opened":
        threading.Event().wait()
    return Fragile(way, folder)
