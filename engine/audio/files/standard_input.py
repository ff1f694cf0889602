"""A song on standard input: what comes is kept in a temporary file, which is read as any other."""

import atexit
import contextlib
import functools
import shutil
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from engine.core.errors import DeviceError

STANDARD_INPUT = "-"
"""What stands after ``--input`` for it."""
NAME = "standard-input"
_HOW = "cat song.mp3 | livecover --input -"


@functools.cache
def song_on_standard_input() -> Path:
    """Return the file of what comes on standard input, once it has ended; removed with the program.

    The next call returns the same file. Raises DeviceError where nothing comes.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise DeviceError(f"--input {STANDARD_INPUT} needs a song on standard input: {_HOW}")
    folder = Path(tempfile.mkdtemp(prefix="livecover-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return keep(sys.stdin.buffer, folder / NAME)


def keep(stream: BinaryIO, path: Path) -> Path:
    """Write what a stream holds to a file, and return it. Raises DeviceError."""
    try:
        with path.open("xb") as file:
            shutil.copyfileobj(stream, file)
            is_empty = not file.tell()
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise DeviceError(f"standard input cannot be kept: {error.strerror}") from error
    if is_empty:
        raise DeviceError(f"nothing came on standard input; give a song: {_HOW}")
    return path
