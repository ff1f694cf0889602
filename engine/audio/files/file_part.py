"""A part of a file, read as a file of its own."""

import io
from pathlib import Path

from engine.system.paths import system_path


class FilePart(io.RawIOBase):
    """A file from one byte to another, with other bytes in place of its first.

    ``start`` may lie before the file where those are more than what they stand for.
    """

    def __init__(
        self, path: Path, start: int = 0, end: int | None = None, head: bytes = b""
    ) -> None:
        self._file = open(system_path(path), "rb")  # noqa: SIM115  # closed by close
        self._start, self._head = start, head
        self._size = (self._file.seek(0, io.SEEK_END) if end is None else end) - start
        self._at = 0

    def readinto(self, buffer: memoryview | bytearray) -> int:  # type: ignore[override]
        """Read what fits."""
        data = self._head[self._at : self._at + len(buffer)]
        n_left = min(len(buffer), self._size - self._at) - len(data)
        if n_left > 0:
            self._file.seek(self._start + self._at + len(data))
            data += self._file.read(n_left)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte of the part."""
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        """Return the byte that is read next."""
        return self._at

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
