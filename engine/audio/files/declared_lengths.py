"""The true length of a sound file's samples, where its header is wrong, and where it ends.

A recorder that crashed leaves a length of 0, one of 32 bits wraps at 4 GB, and copies are cut. WAV
(RIFF, RIFX, RF64), AIFF, CAF and AU declare a length before their samples; what follows those are
chunks, or nothing. A W64's is taken as it is. A header that declares too much needs no help:
libsndfile stops at the file's end.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Literal

from engine.audio.files.file_part import FilePart

_W64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
HEADS = tuple(
    re.compile(head, re.DOTALL)
    for head in (
        rb"R(?:IFF|IFX|F64).{4}WAVE",
        rb"FORM.{4}AIF[FC]",
        rb"caff\x00\x01\x00\x00",
        rb"\.snd\x00\x00.{6}\x00{3}[\x01-\x1b]\x00.{3}\x00{3}[\x01-\x08]",
        re.escape(_W64),
    )
)
"""What a WAV, AIFF, CAF, AU or W64 begins with."""
N_HEAD = 24  # bytes, of the longest
LEAST_BYTES = 1 << 16
"""After the declared samples, for them to be samples too; less is what programs leave there."""
_LONGEST_HEAD = 1 << 22
_N_LOOKED_AT = 4096
_UNKNOWN = (0, (1 << 32) - 1)
_MOST = (1 << 32) - 2  # that 32 bits can say
_KNOWN = b"LIST id3  ID3  bext iXML cue  smpl fact PEAK JUNK PAD  _PMX acid inst DISP cart axml"
_AFTER_SAMPLES = frozenset(_KNOWN[k : k + 4] for k in range(0, len(_KNOWN), 5))


@dataclass(frozen=True, slots=True)
class Head:
    """What stands for a stream's first bytes, with the true length."""

    data: bytes
    first: int
    """Byte of the stream that follows it."""
    n_declared: int
    """Bytes of samples, as the file has it."""
    n_held: int


@dataclass(frozen=True, slots=True)
class _Layout:
    order: Literal["little", "big"]
    first: int  # byte of the first chunk
    n_length: int  # bytes of a chunk's length
    name: bytes  # of the chunk of samples
    n_before: int = 0  # bytes of that chunk before the samples
    alignment: int = 2


_WAV, _RIFX = _Layout("little", 12, 4, b"data"), _Layout("big", 12, 4, b"data")
_AIFF = _Layout("big", 12, 4, b"SSND", n_before=8)
_CAF = _Layout("big", 8, 8, b"data", n_before=4, alignment=1)
_LAYOUTS = {b"RIFF": _WAV, b"RF64": _WAV, b"RIFX": _RIFX, b"FORM": _AIFF, b"caff": _CAF}


def true_head(path: Path, start: int = 0, end: int | None = None) -> Head | None:
    """Return a head for a stream that declares fewer samples than it holds; None for any other.

    A stream is a file, or its bytes from one to another.
    """
    stream: BufferedReader = BufferedReader(FilePart(path, start, end))
    with stream as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        magic = file.read(12)
        if magic[:4] == b".snd":
            return _of_au(file, magic, size)
        layout = _LAYOUTS.get(magic[:4])
        if layout is None or (layout.first == 12 and magic[8:] not in (b"WAVE", b"AIFF", b"AIFC")):
            return None
        chunks = _chunks(file, layout.first, size, layout)
        found = next((c for c in chunks if c[0] == layout.name or c[1] > _LONGEST_HEAD), None)
        if found is None or found[0] != layout.name:
            return None
        at, n_declared = found[1] + layout.n_before, found[2] - layout.n_before
        file.seek(0)
        head = bytearray(file.read(at))
        if magic[:4] == b"RF64" and head[12:16] == b"ds64":
            n_declared = int.from_bytes(head[28:36], "little")
        n_held = size - at
        if not _declares_too_little(file, at, n_declared, size, layout):
            return None
    return Head(_patched(head, found[1], n_held, layout), at, n_declared, n_held)


def declared_end(file: BufferedReader, at: int, size: int) -> int | None:
    """Return where what begins with a head at a byte ends by its header, None if nowhere.

    ``size`` is the file's, which goes on there or not.
    """
    file.seek(at)
    head = file.read(N_HEAD)
    if head.startswith(_W64):
        return at + int.from_bytes(head[16:24], "little")
    if head.startswith(b".snd"):
        length = int.from_bytes(head[8:12], "big")
        return None if length in _UNKNOWN else at + int.from_bytes(head[4:8], "big") + length
    if head.startswith(b"caff"):
        chunks = _chunks(file, at + _CAF.first, size, _CAF)
        ends = (start + length for name, start, length in chunks if name == _CAF.name)
        return next(ends, None)
    length = int.from_bytes(head[4:8], "little" if head[:4] in (b"RIFF", b"RF64") else "big")
    if head.startswith(b"RF64"):
        length = int.from_bytes(head[20:24] + file.read(4), "little")
    return None if length in _UNKNOWN else at + 8 + length


def _of_au(file: BufferedReader, magic: bytes, size: int) -> Head | None:
    """Return the head of an AU file, which has no chunks."""
    at, n_declared = int.from_bytes(magic[4:8], "big"), int.from_bytes(magic[8:], "big")
    if size - at - n_declared <= (LEAST_BYTES if n_declared else 0) or at > _LONGEST_HEAD:
        return None
    file.seek(0)
    head = file.read(at)
    return Head(head[:8] + b"\xff\xff\xff\xff" + head[12:], at, n_declared, size - at)


def _declares_too_little(
    file: BufferedReader, at: int, n_declared: int, size: int, layout: _Layout
) -> bool:
    """Return whether samples from a byte on go on after the declared ones."""
    end = at + n_declared
    if n_declared < 0 or size - end <= (LEAST_BYTES if n_declared else 0):
        return False
    file.seek(end)
    if n_declared and not any(file.read(_N_LOOKED_AT)):  # space that was kept and not used
        return False
    return not any(_are_chunks(file, start, size, layout) for start in {end, end + end % 2})


def _are_chunks(file: BufferedReader, at: int, size: int, layout: _Layout) -> bool:
    """Return whether chunks fill a file from a byte on, or one begins there that is known."""
    for name, start, length in _chunks(file, at, size, layout):
        if name in _AFTER_SAMPLES:
            return True
        if not (name.isascii() and name.decode("latin-1").isprintable()):
            return False
        at = start + length
    return abs(size - at) <= 1


def _chunks(
    file: BufferedReader, at: int, size: int, layout: _Layout
) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, first byte, length) of the chunks from a byte on."""
    while at + 4 + layout.n_length <= size:
        file.seek(at)
        header = file.read(4 + layout.n_length)
        start, length = at + len(header), int.from_bytes(header[4:], layout.order)
        yield header[:4], start, length
        at = start + length + length % layout.alignment


def _patched(head: bytearray, at_chunk: int, n_held: int, layout: _Layout) -> bytes:
    """Return a head whose lengths are those of the file; ``at_chunk`` follows that of samples."""
    n_chunk, n_all = n_held + layout.n_before, len(head) + n_held - 8
    if head[:4] == b"RF64":
        head[20:36] = n_all.to_bytes(8, "little") + n_held.to_bytes(8, "little")
        return bytes(head)
    if head[:4] == b"RIFF" and n_all > _MOST:  # in the format that has longer lengths
        lengths = (n_all + 36).to_bytes(8, "little") + n_held.to_bytes(8, "little") + bytes(12)
        chunk = b"ds64" + len(lengths).to_bytes(4, "little") + lengths
        unknown = b"\xff\xff\xff\xff"
        return b"RF64" + unknown + b"WAVE" + chunk + bytes(head[12 : at_chunk - 4]) + unknown
    field = slice(at_chunk - layout.n_length, at_chunk)
    most = _MOST if layout.n_length == 4 else n_chunk
    head[field] = min(n_chunk, most).to_bytes(layout.n_length, layout.order)
    if layout.first == 12:
        head[4:8] = min(n_all, _MOST).to_bytes(4, layout.order)
    return bytes(head)
