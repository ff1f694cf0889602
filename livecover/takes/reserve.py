"""Disk space reserved for ending a take, so that it can be ended on a full disk."""

import os
from pathlib import Path

LEAST = 1 << 16
"""Bytes: enough for the MIDI file and JSON of a short take."""


class DiskReserve:
    """A file that takes up space until it is released. One thread; OSError if the disk is full.

    Its bytes are random, since a file system may store zeros without using space.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._n_bytes = 0
        self.keep(0)

    def keep(self, n_bytes: int) -> None:
        """Reserve ``n_bytes`` and a little more."""
        if n_bytes + LEAST // 2 <= self._n_bytes:
            return
        with self._path.open("ab", buffering=0) as file:
            while self._n_bytes < n_bytes + LEAST:
                self._n_bytes += file.write(os.urandom(LEAST)) or 0

    def release(self) -> None:
        """Remove the file. A second call does nothing."""
        self._path.unlink(missing_ok=True)
