"""Atomic file writes: written beside their place, then renamed.

A link stays a link: the file that it leads to is replaced.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from engine.core.errors import DataError
from engine.system.paths import shown


def check_writable(path: Path) -> None:
    """Raise DataError unless a file can be put at ``path``; what is there stays as it is."""
    with _as_data_error(path):
        place = _place(path)
        part = _part(place)
        part.touch()
        part.unlink()


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file to write; it takes its place when the block ends well, else nothing is left.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    with _as_data_error(path):
        place = _place(path)
        part = _part(place)
        try:
            with open(part, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, place)
        finally:
            part.unlink(missing_ok=True)


def _place(path: Path) -> Path:
    """Return where a path leads. Raises OSError where something is that is no file."""
    place = Path(os.path.realpath(path))
    if place.is_dir():
        raise IsADirectoryError(0, "it is a folder")
    if place.exists() and not place.is_file():
        raise OSError(0, "it is a device, not a file")
    return place


def _part(place: Path) -> Path:
    return place.with_name(f".livecover-{os.getpid()}-{threading.get_native_id()}.part")


@contextlib.contextmanager
def _as_data_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{shown(path)!r} cannot be written ({error.strerror or error}): give a path in a"
            " folder that exists, that you may write to and that has space"
        ) from error
