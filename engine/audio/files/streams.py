"""Where the streams of a sound file begin.

libsndfile reads one stream: of files joined end to end (``cat a.mp3 b.mp3``, a radio's chained Ogg)
the first alone, or none, or the headers of the others as sound.
Not here: reading them one after the other (``file_source``).
"""

import io
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from engine.audio.files.declared_lengths import HEADS, N_HEAD, declared_end
from engine.system.paths import system_path

UNKNOWN_LENGTH = 1 << 62
"""Samples from which a length is libsndfile's word for an unknown one."""
_CHUNK = 1 << 20
_LEAST = 64  # bytes of a stream
_KEPT = 128  # bytes that a beginning may take
_BEGINNINGS = {
    b"fLaC": re.compile(rb"fLaC\x00\x00\x00\x22"),  # then 34 bytes of STREAMINFO
    b"OggS": re.compile(rb"OggS\x00\x02\x00{8}"),  # first page of the first logical stream
}
# a first frame, with the tag that counts its stream's, after: stereo, mono, low rates
_MP3 = re.compile(rb"\xff[\xe0-\xff](?:.{34}|.{19}|.{11})(?:Xing|Info)", re.DOTALL)


def later_streams(path: Path) -> list[int]:
    """Return the bytes at which the second stream of a file begins, and each after it."""
    with open(system_path(path), "rb") as file:
        start = file.read(N_HEAD)
        if head := next((head for head in HEADS if head.match(start)), None):
            return list(_later_heads(file, head))
        beginning = _BEGINNINGS.get(start[:4])
        if start.startswith(b"ID3") or (start[:1] == b"\xff" and start[1:2] >= b"\xe0"):
            beginning = _MP3
        found = [] if beginning is None else list(_matches(file, beginning))
    return [at for before, at in pairwise(found) if at - before > _LEAST]


def _later_heads(file: io.BufferedReader, head: re.Pattern[bytes]) -> Iterator[int]:
    """Yield where a WAV, AIFF, CAF, AU or W64 begins after another of its kind.

    That is where the one before ends; where its length is not true, heads are looked for.
    """
    size, at = file.seek(0, io.SEEK_END), 0
    while at < size:
        end = declared_end(file, at, size)
        first = at + N_HEAD if end is None or end > size else end
        at = next(_matches(file, head, first), size)
        if at < size:
            yield at


def _matches(file: io.BufferedReader, pattern: re.Pattern[bytes], first: int = 0) -> Iterator[int]:
    """Yield the bytes from one on at which a pattern is found."""
    file.seek(first)
    base, window, last = first, b"", -1
    while chunk := file.read(_CHUNK):
        window += chunk
        for found in pattern.finditer(window):
            if base + found.start() > last:
                last = base + found.start()
                yield last
        kept = min(len(window), _KEPT)
        base, window = base + len(window) - kept, window[-kept:]
