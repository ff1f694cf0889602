"""Room on the disk that is kept for the end of a take: on a full disk it is what is left."""

import os
from pathlib import Path

LEAST = 1 << 16
"""Bytes: the MIDI file and JSON of a short take."""


class Reserve:
    """A file of bytes that nobody needs. One thread; raises OSError where there is no room.

    Its bytes are random, since a disk may keep next to nothing of zeros.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._n_bytes = 0
        self.keep(0)

    def keep(self, n_bytes: int) -> None:
        """Keep room for ``n_bytes`` and a little more."""
        if n_bytes + LEAST // 2 <= self._n_bytes:
            return
        with self._path.open("ab", buffering=0) as file:
            while self._n_bytes < n_bytes + LEAST:
                self._n_bytes += file.write(os.urandom(LEAST)) or 0

    def release(self) -> None:
        """Give the room back; a second call does nothing."""
        self._path.unlink(missing_ok=True)
