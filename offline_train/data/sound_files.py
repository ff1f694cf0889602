"""Reads sound files as inputs of the networks: float32 at 16 kHz, mono (n,) or stereo (n, 2).

Not here: songs as an evaluation keeps them (``evaluation.songs.reference_song``).
"""

from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.audio.files.file_source import FileSource
from engine.core.errors import DataError, DeviceError
from engine.signal.conditioning import conditioned
from engine.signal.stereo import middle_of

Array = NDArray[np.float32]

SAMPLE_RATE = 16000


def duration(path: Path) -> float:
    """Return how many seconds a sound file lasts. Raises DataError naming one that is broken."""
    return _opened(path).duration


def read_sound(path: Path) -> Array:
    """Return a whole sound file, (n,). Raises DataError as ``read_part``, or if it is empty."""
    return read_part(path)


def read_part(path: Path, start: float = 0.0, seconds: float | None = None) -> Array:
    """Return a part of a sound file, (n,): shorter where the file ends, to its end if None.

    Raises DataError as ``read_stereo_part``.
    """
    return np.ascontiguousarray(middle_of(read_stereo_part(path, start, seconds)))


def read_stereo_part(path: Path, start: float = 0.0, seconds: float | None = None) -> Array:
    """Return a part of a sound file, as ``engine.signal.stereo`` has it if it has two channels.

    Raises
    ------
    DataError
        If the file cannot be read as sound, is empty, or holds samples that are not numbers.
    """
    source = _opened(path)
    sound = source.part(start, seconds)
    heard = conditioned(sound, source.sample_rate)
    return np.asarray(soxr.resample(heard, source.sample_rate, SAMPLE_RATE), np.float32)


def _opened(path: Path) -> FileSource:
    try:
        return FileSource(path, paced=False)
    except DeviceError as error:
        raise DataError(str(error)) from error
