"""A song from a file: in time, as a device would give it, or as fast as it can be read.

Reads what libsndfile reads: WAV, FLAC, OGG, MP3 and more; 1 to 8 channels, 8 to 192 kHz.
Blocks are (n, channels) float32; memory does not grow with the length of the file.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Generator, Iterable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.audio_streams import (
    UNKNOWN_LENGTH,
    FilePart,
    later_streams,
    wav_without_length,
)
from engine.clock import RESTART_JUMP_S, StreamClock
from engine.damaged_files import is_flac, lone_streaminfo, mp3_frames, next_frame
from engine.errors import DeviceError
from engine.file_kinds import why_no_audio
from engine.paths import NO_SUCH_FILE, did_you_mean, file_fault, shown, system_path
from engine.rings import SampleRing

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".oga", ".opus", ".w64", ".caf")
MIN_SAMPLE_RATE = 8000
MAX_SAMPLE_RATE = 192000
MAX_CHANNELS = 8
SCAN_BLOCK = 1 << 16  # samples
READ_AT_ONCE = 4096  # samples: what a broken file loses before the break at most
LEAST_GAP_S = 0.2  # of a stream that ends early, for what follows the damage to be looked for
JOIN_TIMEOUT = 1.0  # seconds; a slow disk is left to end by itself
_CAN_HOLD_NAN = ("FLOAT", "DOUBLE")
# libsndfile's words on a WAV chunk that is longer than the file, and on an OGG without its end.
_UNKNOWN = str(0xFFFFFFFF)  # what a recorder writes that does not know yet
_CUT_SHORT = ("(should be", "lacks an end-of-stream bit")

_log = logging.getLogger(__name__)


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]  # it has no type information
    """A sound file that is only read on and on.

    python-soundfile seeks after every read where it can, which spoils MP3: a seek there restarts
    the decoder, and up to a frame comes out wrong.
    """

    fault = ""
    """Why reading has failed, if it has."""

    def seekable(self) -> bool:
        """Return False, so that nothing seeks."""
        return False


class FileSource:
    """An audio file as a source.

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
        The file is missing, empty, not audio, out of the limits above, or holds samples that are
        not finite.
    """

    def __init__(self, path: Path | str, paced: bool = True, block_size: int = 256) -> None:
        self.path = Path(path)
        self.name = self.path.name
        self.block_size = block_size
        self.latency = 0.0
        self.is_realtime = paced
        self.is_finished = False
        self.error: str | None = None
        self.n_overflows = 0
        self.n_bad_samples = 0
        self.position = 0.0
        """Seconds of audio read so far."""
        self._told: set[str] = set()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        with _open(self.path) as file:
            _check_header(self.path, file)
            self.sample_rate: int = file.samplerate
            self.n_channels: int = file.channels
            self.n_samples: int = file.frames
            if file.subtype in _CAN_HOLD_NAN:
                _check_finite(self.path, file)
            said = file.extra_info
            if any(sign in said for sign in _CUT_SHORT) and _UNKNOWN not in said:
                self._tell(f"is cut short; playing the {self.duration:.1f} s there are")
        starts = later_streams(self.path)
        ends = [*starts, None]
        self._parts = [(at, ends[k + 1]) for k, at in enumerate(starts) if self._fits(at)]
        self._parts = [(0, ends[0]), *self._parts]
        if self.n_samples >= UNKNOWN_LENGTH:
            self.n_samples = 0
            self.n_samples = sum(len(block) for block in self.blocks(SCAN_BLOCK))
            self.position = 0.0

    def _fits(self, at: int) -> bool:
        """Count the stream that begins at a byte, and return True, unless it cannot be played."""
        try:
            with _Sequential(FilePart(self.path, at)) as file:
                if (file.samplerate, file.channels) == (self.sample_rate, self.n_channels):
                    self.n_samples += file.frames
                    return True
                found = f"{file.samplerate} Hz, {file.channels} ch"
        except soundfile.LibsndfileError as error:
            found = error.error_string.rstrip(".")
        self._tell(f"holds another stream, from byte {at} on, that is left out ({found})")
        return False

    def _tell(self, what: str) -> None:
        """Log what is wrong with the file, once however often it is read."""
        if what not in self._told:
            self._told.add(what)
            _log.warning("%s %s", self.path, what)

    @property
    def duration(self) -> float:
        """Seconds of audio that the file declares."""
        return self.n_samples / self.sample_rate

    def blocks(self, block_size: int | None = None) -> Generator[NDArray[np.float32]]:
        """Yield the file's blocks (n, channels) as fast as they are asked for.

        A file cut short ends early, with a warning.
        """
        size = self.block_size if block_size is None else block_size
        n_read = 0
        self.position = 0.0
        for start, end in self._parts:
            is_whole = (start, end) == (0, None)
            file = _open(self.path) if is_whole else _Sequential(FilePart(self.path, start, end))
            n_before, n_declared = n_read, file.frames
            while True:
                with file:
                    while not file.fault and len(block := self._read(file, size)):
                        n_read += len(block)
                        self.position = n_read / self.sample_rate
                        yield block
                heard = n_read - n_before
                if not file.fault and heard + self.sample_rate * LEAST_GAP_S > n_declared:
                    break
                resumed = self._after_damage(start, end, heard)
                if resumed is None:
                    if file.fault:
                        self._tell(f"is broken at {self.position:.1f} s: {file.fault}")
                    break
                file, start, n_lost = resumed
                if not n_lost:  # an MP3 tells the length of what is left
                    n_before, n_declared = n_read, file.frames
                self._tell(f"is damaged at {self.position:.1f} s; what follows is heard")
                n_read += n_lost
                for first in range(0, n_lost, size):
                    yield np.zeros((min(size, n_lost - first), self.n_channels), np.float32)
        if n_read < self.n_samples:
            declared, held = self.duration, self.position
            self._tell(f"is cut short: it declares {declared:.1f} s and holds {held:.1f} s")

    def _read(self, file: _Sequential, size: int) -> NDArray[np.float32]:
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
    ) -> tuple[_Sequential, int, int] | None:
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
                file = _Sequential(FilePart(self.path, at - len(head), end, head))
                if (file.samplerate, file.channels) == (self.sample_rate, self.n_channels):
                    return file, at, n_lost
                file.close()
        return None

    def _n_taken(self, start: int, end: int | None) -> int:
        """Return how many bytes of a stream are read until it ends; 0 if it is no MP3."""
        part = FilePart(self.path, start, end)
        with _Sequential(part) as file:
            while file.format == "MP3" and len(self._read(file, SCAN_BLOCK)):
                pass
            return part.tell() if file.format == "MP3" else 0

    def head(self, seconds: float) -> NDArray[np.float32]:
        """Return the first seconds (n, channels), less where the file is shorter."""
        return self.part(0.0, seconds)

    def part(self, start: float, seconds: float | None = None) -> NDArray[np.float32]:
        """Return samples (n, channels) from a second on, all of them or so many seconds."""
        first = round(start * self.sample_rate)
        last = self.n_samples if seconds is None else first + round(seconds * self.sample_rate)
        taken, n_read = [np.zeros((0, self.n_channels), np.float32)], 0
        for block in self.blocks(SCAN_BLOCK):
            taken.append(block[max(0, first - n_read) : max(0, last - n_read)])
            n_read += len(block)
            if n_read >= last:
                break
        self.position = 0.0
        return np.concatenate(taken)

    def start(self, ring: SampleRing, clock: StreamClock) -> None:
        """Play from the beginning, in time, on a thread of its own. Needs ``paced``."""
        assert self.is_realtime, "a file that is not paced is read with blocks()"
        self.stop()
        self.is_finished = False
        self.error = None
        self._stop.clear()
        self._thread = threading.Thread(
            target=self._play, args=(ring, clock), name="audio-file", daemon=True
        )
        self._thread.start()

    def _play(self, ring: SampleRing, clock: StreamClock) -> None:
        """Write each block when its last sample would have been captured (no drift)."""
        start = time.perf_counter()
        n_played = 0
        try:
            for block in self.blocks():
                n_played += len(block)
                due = start + n_played / self.sample_rate
                late = time.perf_counter() - due
                if late > RESTART_JUMP_S:  # the program was stopped: go on where it was
                    start, due = start + late, due + late
                if self._stop.wait(max(0.0, due - time.perf_counter())):
                    return
                ring.write(block)
                clock.update(ring.total_written, time.perf_counter())
        except (DeviceError, OSError, soundfile.LibsndfileError) as error:
            _log.error("%s; the song ends here", error)
            self.error = str(error)
        finally:
            # Whatever happened it is over, and not lost: opened again it would start again.
            self.is_finished = not self._stop.is_set()
            ring.wake()

    def stop(self) -> None:
        """End playing; calling it again does nothing."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(JOIN_TIMEOUT)
            self._thread = None

    def is_alive(self) -> bool:
        """True while it plays."""
        return self._thread is not None and self._thread.is_alive() and not self.is_finished


def _open(path: Path) -> _Sequential:
    """Open an audio file; DeviceError says what is wrong with it."""
    if fault := file_fault(path):
        if fault == NO_SUCH_FILE:
            raise DeviceError(f"{fault}: {shown(path)}{did_you_mean(path)}")
        raise DeviceError(f"{shown(path)} cannot be read: {fault}; give an audio file")
    try:
        if path.stat().st_size == 0:
            raise DeviceError(f"{path} is empty (0 bytes); give an audio file")
        if head := wav_without_length(path):
            return _Sequential(FilePart(path, head=head))
        return _Sequential(system_path(path))
    except OSError as error:
        raise DeviceError(f"{path} cannot be read: {error.strerror}") from error
    except soundfile.LibsndfileError as error:
        raise DeviceError(why_no_audio(path, error.error_string.rstrip("."))) from error


def _check_header(path: Path, file: _Sequential) -> None:
    """Raise DeviceError unless length, channels and sample rate are within the limits."""
    if file.frames <= 0:
        raise DeviceError(f"{path} holds no audio (0 samples)")
    if not 1 <= file.channels <= MAX_CHANNELS:
        raise DeviceError(f"{path} has {file.channels} channels; 1 to {MAX_CHANNELS} can be played")
    if not MIN_SAMPLE_RATE <= file.samplerate <= MAX_SAMPLE_RATE:
        raise DeviceError(
            f"{path} has a sample rate of {file.samplerate} Hz; {MIN_SAMPLE_RATE} to"
            f" {MAX_SAMPLE_RATE} Hz can be played"
        )


def _check_finite(path: Path, file: _Sequential) -> None:
    """Raise DeviceError where the file holds NaN or infinity (only float files can)."""
    n_read = 0
    while len(block := file.read(SCAN_BLOCK, dtype="float32", always_2d=True)):
        is_bad = ~np.isfinite(block).all(axis=1)
        if is_bad.any():
            at = n_read + int(is_bad.argmax())
            raise DeviceError(
                f"{path} holds a sample that is not a finite number at"
                f" {at / file.samplerate:.3f} s (sample {at}); export the file again"
            )
        n_read += len(block)
