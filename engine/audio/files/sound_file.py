"""Opening a sound file, and what must be true of it before it is played.

Not here: reading it (``engine.audio.files.file_source``).
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from engine.audio.files.declared_lengths import true_head
from engine.audio.files.file_part import FilePart
from engine.audio.files.song_source import SCAN_BLOCK
from engine.audio.files.streams import later_streams
from engine.core.errors import DeviceError
from engine.system.file_kinds import why_no_audio
from engine.system.paths import NO_SUCH_FILE, did_you_mean, file_fault, shown, system_path

MIN_SAMPLE_RATE = 8000
MAX_SAMPLE_RATE = 192000
MAX_CHANNELS = 8
_CAN_HOLD_NAN = ("FLOAT", "DOUBLE")


class NotReadError(DeviceError):
    """libsndfile does not read a file; something else may.

    Parameters
    ----------
    path
        The file.
    reason
        libsndfile's.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(why_no_audio(path, reason))
        self.reason = reason


class SequentialFile(soundfile.SoundFile):  # type: ignore[misc]  # it has no type information
    """A sound file that is only read on and on.

    python-soundfile seeks after every read where it can, which spoils MP3: a seek there restarts
    the decoder, and up to a frame comes out wrong.
    """

    fault = ""
    """Why reading has failed, if it has."""

    def seekable(self) -> bool:
        """Return False, so that nothing seeks."""
        return False


def find_streams(path: Path) -> list[tuple[int, int | None]]:
    """Return the first byte and the end of each stream of an audio file. Raises DeviceError."""
    with _as_device_error(path):
        starts = [0, *later_streams(path)]
    return list(zip(starts, [*starts[1:], None], strict=True))


def open_sound(path: Path, end: int | None = None) -> SequentialFile:
    """Open the first stream of an audio file.

    DeviceError says what is wrong with it, NotReadError that libsndfile does not read it.
    """
    with _as_device_error(path):
        return open_stream(path, 0, end)


def open_stream(
    path: Path, start: int = 0, end: int | None = None, head: bytes = b""
) -> SequentialFile:
    """Open bytes of an audio file after the header that they need, if it is not in them.

    Raises
    ------
    soundfile.LibsndfileError
        If that is no audio.
    OSError
        If the file is not there any more.
    """
    if not head and (found := true_head(path, start, end)):
        start, head = start + found.first, found.data
    if (start, end, head) == (0, None, b""):
        return SequentialFile(system_path(path))
    return SequentialFile(FilePart(path, start - len(head), end, head))


@contextlib.contextmanager
def _as_device_error(path: Path) -> Iterator[None]:
    """Say in a DeviceError why a file cannot be opened."""
    if fault := file_fault(path):
        if fault == NO_SUCH_FILE:
            raise DeviceError(f"{fault}: {shown(path)}{did_you_mean(path)}")
        raise DeviceError(f"{shown(path)} cannot be read: {fault}; give an audio file")
    try:
        if path.stat().st_size == 0:
            raise DeviceError(f"{path} is empty (0 bytes); give an audio file")
        yield
    except OSError as error:
        raise DeviceError(f"{path} cannot be read: {error.strerror}") from error
    except soundfile.LibsndfileError as error:
        raise NotReadError(path, error.error_string.rstrip(".")) from error


def check_format(path: Path, n_samples: int, n_channels: int, sample_rate: int) -> None:
    """Raise DeviceError unless length, channels and sample rate are within the limits."""
    if n_samples <= 0:
        raise DeviceError(f"{path} holds no audio (0 samples)")
    if not 1 <= n_channels <= MAX_CHANNELS:
        raise DeviceError(f"{path} has {n_channels} channels; 1 to {MAX_CHANNELS} can be played")
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise DeviceError(
            f"{path} has a sample rate of {sample_rate} Hz; {MIN_SAMPLE_RATE} to"
            f" {MAX_SAMPLE_RATE} Hz can be played"
        )


def check_finite(path: Path, file: SequentialFile, n_before: int = 0) -> None:
    """Raise DeviceError where a file holds NaN or infinity (only one of floats can).

    ``n_before`` samples of other streams come before it.
    """
    if file.subtype not in _CAN_HOLD_NAN:
        return
    n_read = n_before
    while len(block := file.read(SCAN_BLOCK, dtype="float32", always_2d=True)):
        is_bad = ~np.isfinite(block).all(axis=1)
        if is_bad.any():
            at = n_read + int(is_bad.argmax())
            raise DeviceError(
                f"{path} holds a sample that is not a finite number at"
                f" {at / file.samplerate:.3f} s (sample {at}); export the file again"
            )
        n_read += len(block)
