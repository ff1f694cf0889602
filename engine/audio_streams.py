"""Where the streams of a sound file begin.

libsndfile reads one stream: of files joined end to end (``cat a.mp3 b.mp3``, a radio's chained Ogg)
the first alone.
Not here: reading them one after the other (``engine.audio_file``).
"""

import io
from collections.abc import Iterator
from pathlib import Path

from engine.paths import system_path

UNKNOWN_LENGTH = 1 << 62
"""Samples from which a length is libsndfile's word for an unknown one."""
_CHUNK = 1 << 20
_OGG = b"OggS\x00"  # then flags, of which 2 is the beginning of a stream
_FLAC = b"fLaC\x00\x00\x00\x22"  # then 34 bytes of STREAMINFO
_MP3_TAGS = (b"Xing", b"Info")  # which counts the frames of its stream, in the first of them
_MP3_TAG_AT = (36, 21, 13)  # bytes from that frame's header to the tag: stereo, mono, low rates
_LONGEST = 64  # bytes around a marker that are looked at


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


def later_streams(path: Path) -> list[int]:
    """Return the bytes at which the second stream of a file begins, and each after it."""
    with open(system_path(path), "rb") as file:
        start = file.read(4)
        if start.startswith(b"fLaC"):
            markers: tuple[bytes, ...] = (_FLAC,)
        elif start.startswith(b"OggS"):
            markers = (_OGG,)
        elif start.startswith(b"ID3") or (start[:1] == b"\xff" and start[1:2] >= b"\xe0"):
            markers = _MP3_TAGS
        else:
            return []
        found = sorted({at for at in _marked(file, markers)})
    return [at for before, at in zip(found, found[1:], strict=False) if at - before > _LONGEST]


def _marked(file: io.BufferedReader, markers: tuple[bytes, ...]) -> Iterator[int]:
    """Yield where streams begin that one of the markers stands in."""
    file.seek(0)
    base, window = 0, b""
    while chunk := file.read(_CHUNK):
        window += chunk
        for marker in markers:
            at = -1
            while (at := window.find(marker, at + 1)) >= 0:
                begins = _beginning(window, at, marker)
                if begins is not None:
                    yield base + begins
        kept = min(len(window), 2 * _LONGEST)
        base, window = base + len(window) - kept, window[-kept:]


def _beginning(window: bytes, at: int, marker: bytes) -> int | None:
    """Return where the stream begins that the marker found at ``at`` stands in, or None."""
    if marker == _FLAC:
        return at
    if marker == _OGG:  # its first page, of the first of its logical streams
        is_first = window[at + 5 : at + 6] == b"\x02" and window[at + 6 : at + 14] == bytes(8)
        return at if is_first else None
    for back in _MP3_TAG_AT:
        header = window[max(0, at - back) : at - back + 2]
        if at >= back and header[:1] == b"\xff" and header[1:2] >= b"\xe0":
            return at - back
    return None
