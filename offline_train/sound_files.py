"""Reads sound files as networks hear them: mono float32 (n,) at 16 kHz.

Not here: songs as an evaluation keeps them (``evaluation.songs``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from engine.errors import DataError
from engine.file_kinds import why_no_audio
from engine.paths import file_fault, shown, system_path

Array = NDArray[np.float32]

SAMPLE_RATE = 16000


def duration(path: Path) -> float:
    """Return how many seconds a sound file lasts. Raises DataError naming one that is broken."""
    with _opened(path) as file:
        return float(file.frames / file.samplerate)


def read_sound(path: Path) -> Array:
    """Return a whole sound file, (n,). Raises DataError as ``read_part``, or if it is empty."""
    sound = read_part(path)
    if not len(sound):
        raise DataError(f"{path}: expected sound, the file is empty; export it again")
    return sound


def read_part(path: Path, start: float = 0.0, seconds: float | None = None) -> Array:
    """Return a part of a sound file, (n,): shorter where the file ends, to its end if None.

    Raises
    ------
    DataError
        If the file cannot be read as sound, or holds samples that are not numbers.
    """
    with _opened(path) as file:
        rate = file.samplerate
        file.seek(min(round(start * rate), file.frames))
        n_frames = -1 if seconds is None else round(seconds * rate)
        mono = file.read(n_frames, dtype="float32", always_2d=True).mean(1)
    if not np.isfinite(mono).all():
        raise DataError(f"{path}: holds samples that are not numbers; export the file again")
    return np.asarray(soxr.resample(mono, rate, SAMPLE_RATE), np.float32)


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    try:
        with soundfile.SoundFile(system_path(path)) as file:
            yield file
    except (OSError, soundfile.SoundFileError) as error:
        why = file_fault(path) or why_no_audio(path, str(error))
        raise DataError(
            f"{shown(path)}: expected a sound file, could not read it: {why}"
        ) from error
