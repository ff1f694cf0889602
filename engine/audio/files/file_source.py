"""An audio file that libsndfile reads, as a source: WAV, FLAC, OGG, MP3 and more.

1 to 8 channels, 8 to 192 kHz. Not here: other formats (``engine.audio.decoding``).
"""

import contextlib
import dataclasses
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.audio.files.damage import is_flac, lone_streaminfo, mp3_frames, next_frame
from engine.audio.files.declared_lengths import true_head
from engine.audio.files.file_part import FilePart
from engine.audio.files.ogg_pages import first_sample, whole_runs
from engine.audio.files.song_source import SCAN_BLOCK, SongSource
from engine.audio.files.sound_file import (
    SequentialFile,
    check_finite,
    check_format,
    find_streams,
    open_sound,
    open_stream,
)
from engine.audio.files.streams import UNKNOWN_LENGTH

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".oga", ".opus", ".w64", ".caf")
READ_AT_ONCE = 4096  # samples: at most these are lost before a break
LEAST_GAP_S = 0.2  # of a stream that ends early, for what follows the damage to be looked for
# libsndfile's words on a WAV chunk that is longer than the file, and on an OGG without its end.
_UNKNOWN = str(0xFFFFFFFF)  # what a recorder writes that does not know yet
_CUT_SHORT = ("(should be", "lacks an end-of-stream bit")


@dataclass(frozen=True, slots=True)
class _Part:
    """Bytes of a file that are decoded by themselves, after the header that they need."""

    start: int = 0
    end: int | None = None
    head: bytes = b""
    n_lost: int = 0
    """Samples before it that are damaged."""

    def open(self, path: Path) -> SequentialFile:
        if not self.start:
            return open_sound(path, self.end)
        return open_stream(path, self.start, self.end, self.head)


class FileSource(SongSource):
    """A song in a file that libsndfile reads.

    Parameters
    ----------
    path
        The file.
    paced
        True: ``start`` plays it in time. False: it is for ``blocks`` alone.
    block_size
        Samples in a block.

    Raises
    ------
    DeviceError
        The file is missing, empty, out of the limits above, or holds samples that are not finite;
        NotReadError where libsndfile does not read it.
    """

    known_errors = (soundfile.LibsndfileError,)

    def __init__(self, path: Path | str, paced: bool = True, block_size: int = 256) -> None:
        path = Path(path)
        streams = find_streams(path)
        with open_sound(path, streams[0][1]) as file:
            check_format(path, file.frames, file.channels, file.samplerate)
            super().__init__(path, file.samplerate, file.channels, paced, block_size)
            self.n_samples = file.frames
            check_finite(self.path, file)
            said = file.extra_info
            if any(sign in said for sign in _CUT_SHORT) and _UNKNOWN not in said:
                self._warn(f"is cut short; playing the {self.duration:.1f} s there are")
        self._parts: list[_Part] = []
        for start, end in streams:
            if not start or self._fits(start, end):
                self._warn_of_length(start, end)
                self._parts += self._parts_of(start, end)
        if self.n_samples >= UNKNOWN_LENGTH or any(part.head for part in self._parts):
            self.n_samples = 0
            self.n_samples = sum(len(block) for block in self.blocks(SCAN_BLOCK))
            self.position = 0.0

    def _fits(self, start: int, end: int | None) -> bool:
        """Count the stream that begins at a byte, and return True, unless it cannot be played."""
        try:
            with open_stream(self.path, start, end) as file:
                if (file.samplerate, file.channels) == (self.sample_rate, self.n_channels):
                    n_before, self.n_samples = self.n_samples, self.n_samples + file.frames
                    check_finite(self.path, file, n_before)
                    return True
                found = f"{file.samplerate} Hz, {file.channels} ch"
        except soundfile.LibsndfileError as error:
            found = error.error_string.rstrip(".")
        self._warn(f"holds another stream, from byte {start} on, that is left out ({found})")
        return False

    def _warn_of_length(self, start: int, end: int | None) -> None:
        head = true_head(self.path, start, end)
        if head and head.n_declared:
            self._warn(
                f"declares {head.n_declared} bytes of samples and holds {head.n_held}; all of"
                " them are heard"
            )

    def _parts_of(self, start: int, end: int | None) -> list[_Part]:
        """Return what is to be read of a stream: all at once, or of a damaged Ogg what is whole."""
        head, runs = whole_runs(self.path, start, end)
        is_first_whole = bool(runs) and runs[0].start == start + len(head)
        if not runs or (is_first_whole and len(runs) == 1):
            return [_Part(start, end)]
        parts, n_before, origin = [], 0, 0
        for run in runs:
            part = _Part(run.start, run.end, head)
            with contextlib.suppress(soundfile.LibsndfileError), part.open(self.path) as file:
                at = first_sample(run, head, file.frames, self.sample_rate)
                if is_first_whole and run is runs[0]:  # a recorded radio does not begin at 0
                    origin = max(0, at)
                at = max(n_before, at - origin)
                parts.append(dataclasses.replace(part, n_lost=at - n_before))
                n_before = at + file.frames
        return parts or [_Part(start, end)]

    def blocks(self, block_size: int | None = None) -> Generator[NDArray[np.float32]]:
        """Yield the song's blocks, as :class:`SongSource` does."""
        size = self.block_size if block_size is None else block_size
        n_read = 0
        self.position = 0.0
        for part in self._parts:
            start, end = part.start, part.end
            file = part.open(self.path)
            if part.n_lost:
                self._warn(f"is damaged at {self.position:.1f} s; what follows is heard")
                n_read += part.n_lost
                yield from self._silence(part.n_lost, size)
            n_before, n_declared = n_read, file.frames
            while True:
                with file:
                    while not file.fault and len(block := self._read(file, size)):
                        n_read += len(block)
                        self.position = n_read / self.sample_rate
                        yield block
                n_part = n_read - n_before
                if not file.fault and n_part + self.sample_rate * LEAST_GAP_S > n_declared:
                    break
                resumed = None if part.head else self._after_damage(start, end, n_part)
                if resumed is None:
                    if file.fault:
                        self._warn(f"is broken at {self.position:.1f} s: {file.fault}")
                    break
                file, start, n_lost = resumed
                if not n_lost:  # an MP3 declares the length of what is left
                    n_before, n_declared = n_read, file.frames
                self._warn(f"is damaged at {self.position:.1f} s; what follows is heard")
                n_read += n_lost
                yield from self._silence(n_lost, size)
        if n_read < self.n_samples:
            declared, held = self.duration, self.position
            self._warn(f"is cut short: it declares {declared:.1f} s and holds {held:.1f} s")

    def _silence(self, n_samples: int, size: int) -> Iterator[NDArray[np.float32]]:
        """Yield blocks in place of what is lost."""
        for first in range(0, n_samples, size):
            yield np.zeros((min(size, n_samples - first), self.n_channels), np.float32)

    def _read(self, file: SequentialFile, size: int) -> NDArray[np.float32]:
        """Return the next block (n, channels); none at the end of a stream, or where it breaks."""
        parts = [np.zeros((0, self.n_channels), np.float32)]
        n_left = size
        try:
            while n_left and len(
                piece := file.read(min(n_left, READ_AT_ONCE), dtype="float32", always_2d=True)
            ):
                parts.append(piece)
                n_left -= len(piece)
        except soundfile.LibsndfileError as error:
            file.fault = error.error_string.rstrip(".")
        return parts[1] if len(parts) == 2 else np.concatenate(parts)

    def _after_damage(
        self, start: int, end: int | None, n_heard: int
    ) -> tuple[SequentialFile, int, int] | None:
        """Return a stream from the first frame on that is whole again, its byte, and samples lost.

        For FLAC and MP3; a FLAC's frames know their time, what an MP3 lost is not made up.
        """
        size = self.path.stat().st_size if end is None else end
        head, n_lost = b"", 0
        starts: Iterable[int]
        if is_flac(self.path):
            head = lone_streaminfo(self.path)
            found = next_frame(self.path, head, start + len(head), size, n_heard + 1)
            starts = [] if found is None else [found[0]]
            n_lost = 0 if found is None else found[1] - n_heard
        elif n_taken := self._n_taken(start, end):
            starts = mp3_frames(self.path, start + n_taken, size)
        else:
            return None
        for at in starts:
            with contextlib.suppress(soundfile.LibsndfileError):
                file = open_stream(self.path, at, end, head)
                if (file.samplerate, file.channels) == (self.sample_rate, self.n_channels):
                    return file, at, n_lost
                file.close()
        return None

    def _n_taken(self, start: int, end: int | None) -> int:
        """Return how many bytes of a stream are read until it ends; 0 if it is no MP3."""
        part = FilePart(self.path, start, end)
        with SequentialFile(part) as file:
            while file.format == "MP3" and len(self._read(file, SCAN_BLOCK)):
                pass
            return part.tell() if file.format == "MP3" else 0
