"""The pages of an Ogg file that are whole (RFC 3533, section 6): where it goes on after damage.

Not here: decoding them (libsndfile, which leaves out what is damaged and joins the rest).
"""

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from engine.system.paths import system_path

N_HEADER = 27  # bytes, before the table of segments
_MARK = b"OggS\x00"
_LONGEST = N_HEADER + 255 + 255 * 255
_WINDOW = 16 * _LONGEST
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_CODEC_AT = 28  # of the first page, which has one segment
_N_CODEC = 7  # bytes
_OPUS, _OPUS_RATE, _PRE_SKIP_AT = b"OpusHea", 48000, _CODEC_AT + 10
_N_HEADERS = {b"\x01vorbis": 3, _OPUS: 2}  # packets before the first of sound


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page: its bytes, its stream, its number there, and samples up to its end."""

    start: int
    end: int
    serial: bytes
    number: int
    granule: int
    n_packets: int
    """Packets that end here."""


@dataclass(frozen=True, slots=True)
class Run:
    """Pages of sound that follow each other without damage: bytes, and samples up to the end."""

    start: int
    end: int
    granule: int


def whole_runs(path: Path, start: int = 0, end: int | None = None) -> tuple[bytes, list[Run]]:
    """Return the header pages of the stream at a byte, and the runs of its pages of sound.

    Nothing where that is no Vorbis and no Opus, or lies among other streams.
    """
    with open(system_path(path), "rb") as file:
        file.seek(start)
        n_left = _N_HEADERS.get(file.read(N_HEADER + 9)[_CODEC_AT : _CODEC_AT + _N_CODEC], 0)
        pages = whole_pages(file, start, end) if n_left else iter(())
        serial, end_of_head = None, start
        while n_left > 0 and (page := next(pages, None)):
            serial = serial or page.serial
            if page.serial != serial:
                return b"", []
            n_left -= page.n_packets
            end_of_head = page.end
        found: list[list[Page]] = []
        for page in pages:
            if page.serial != serial:
                continue
            if found and _follows(page, found[-1][-1]):
                found[-1].append(page)
            else:
                found.append([page])
        file.seek(start)
        head = file.read(end_of_head - start)
    runs = [Run(p[0].start, p[-1].end, max(page.granule for page in p)) for p in found]
    return head, [run for run in runs if run.granule > 0]


def first_sample(run: Run, head: bytes, n_samples: int, sample_rate: int) -> int:
    """Return where in its stream a run begins that is decoded to so many samples.

    Opus counts at 48 kHz, and from before the samples that its decoder leaves out at the beginning;
    libsndfile leaves that many out at the end of every run but the first.
    """
    if head[_CODEC_AT:].startswith(_OPUS):
        n_skipped = int.from_bytes(head[_PRE_SKIP_AT : _PRE_SKIP_AT + 2], "little")
        return (run.granule - 2 * n_skipped) * sample_rate // _OPUS_RATE - n_samples
    return run.granule - n_samples


def _follows(page: Page, before: Page) -> bool:
    """Return whether a page is the next of its stream, at once after the one before."""
    return page.start == before.end and page.number == before.number + 1


def whole_pages(file: BufferedReader, start: int, end: int | None = None) -> Iterator[Page]:
    """Yield the pages from a byte on (to another) whose checksums are right."""
    last = file.seek(0, io.SEEK_END) if end is None else end
    while start < last:
        file.seek(start)
        window = file.read(min(_WINDOW, last - start))
        n_whole = len(window) if start + len(window) >= last else len(window) - _LONGEST
        at = window.find(_MARK)
        while 0 <= at < n_whole:
            page = _page(window[at : at + _LONGEST], start + at)
            if page is not None:
                yield page
            at = window.find(_MARK, at + 1 if page is None else page.end - start)
        start += max(n_whole, at)


def _page(data: bytes, at: int) -> Page | None:
    """Return the page that data begin with, which lie at a byte; None if it is not whole."""
    segments = data[N_HEADER : N_HEADER + data[26]] if len(data) >= N_HEADER else b""
    length = N_HEADER + len(segments) + sum(segments)
    if not segments or length > len(data) or checksum(data[:length]) != data[22:26]:
        return None
    return Page(
        at,
        at + length,
        data[14:18],
        int.from_bytes(data[18:22], "little"),
        int.from_bytes(data[6:14], "little", signed=True),
        sum(length < 255 for length in segments),
    )


def checksum(page: bytes) -> bytes:
    """Return the checksum of a page, as it stands in one.

    Ogg's CRC-32 is zlib's with the bits of each byte the other way round, and neither begun nor
    ended with an inversion.
    """
    data = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    register = zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return register.to_bytes(4, "big").translate(_REVERSED)
