"""The frames of FLAC and MP3 files, found by their headers: where to go on after damage.

RFC 9639, section 9.1; ISO 11172-3, section 2.4.1.3. Not here: decoding them (libsndfile).
"""

from collections.abc import Iterator
from pathlib import Path

from engine.system.paths import system_path

N_STREAMINFO = 42  # bytes: "fLaC", a block header, STREAMINFO
_LONGEST_HEADER = 16
_CHUNK = 1 << 20
_MOST_TRIES = 300
_POLYNOMIAL = 0x07


def is_flac(path: Path) -> bool:
    """Return whether a file begins as FLAC does."""
    with open(system_path(path), "rb") as file:
        return file.read(4) == b"fLaC"


def lone_streaminfo(path: Path) -> bytes:
    """Return the head of a FLAC file for frames of unknown number, without tags."""
    with open(system_path(path), "rb") as file:
        head = bytearray(file.read(N_STREAMINFO))
    head[4] |= 0x80  # the last block of metadata
    head[21] &= 0xF0  # 36 bits that count the samples
    head[22:26] = bytes(4)
    return bytes(head)


def next_frame(path: Path, head: bytes, first: int, end: int, after: int) -> tuple[int, int] | None:
    """Return (byte, sample) of the first whole frame from byte ``first`` to ``end``.

    Only those whose first sample is ``after`` or later. ``head`` is the stream's.
    """
    block_size = int.from_bytes(head[8:10], "big")
    with open(system_path(path), "rb") as file:
        while first < end:
            file.seek(first)
            data = file.read(min(end - first, _CHUNK + _LONGEST_HEADER))
            at = -1
            while (at := data.find(b"\xff", at + 1)) >= 0:
                sample = _first_sample(data[at : at + _LONGEST_HEADER], block_size)
                if sample is not None and sample >= after:
                    return first + at, sample
            first += _CHUNK
    return None


def _first_sample(header: bytes, block_size: int) -> int | None:
    """Return the first sample of the frame that a header begins, None if it is none."""
    if len(header) < _LONGEST_HEADER or header[1] not in (0xF8, 0xF9):
        return None
    n_more = next((n for n in range(7, -1, -1) if header[4] >> (7 - n) == (1 << (n + 1)) - 2), 0)
    if header[4] < 0x80:
        number, n_coded = header[4], 1
    elif n_more >= 2:
        number, n_coded = header[4] & ((1 << (7 - n_more)) - 1), n_more
        for byte in header[5 : 4 + n_more]:
            number = number << 6 | byte & 0x3F
    else:
        return None
    length = 4 + n_coded
    length += {6: 1, 7: 2}.get(header[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    if length >= len(header) or _crc8(header[:length]) != header[length]:
        return None
    return number if header[1] == 0xF9 else number * block_size


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (_POLYNOMIAL if crc & 0x80 else 0)) & 0xFF
    return crc


def mp3_frames(path: Path, first: int, end: int) -> Iterator[int]:
    """Yield bytes from ``first`` on at which a frame of an MP3 may begin, a few hundred at most."""
    with open(system_path(path), "rb") as file:
        file.seek(first)
        data = file.read(max(0, min(end - first, _CHUNK)))
    at, n_left = -1, _MOST_TRIES
    while n_left and (at := data.find(b"\xff", at + 1)) >= 0:
        header = data[at : at + 4]
        is_frame = len(header) == 4 and header[1] >= 0xE0 and header[1] >> 1 & 3 == 1
        if is_frame and header[2] >> 4 not in (0, 15) and header[2] >> 2 & 3 != 3:
            n_left -= 1
            yield first + at
