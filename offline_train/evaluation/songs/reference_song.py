"""A song as an evaluation uses it, kept on disk so that it is rendered once.

A song is ``NAME.flac`` (16 kHz, 16 bits; mono, or middle and side) and ``NAME.npz`` (what is known
of it, length of the sound). A file that was cut short is noticed by its length and made again. Not
here: what is rendered (``rungs``).
"""

import logging
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.signal.stereo import middle_of
from engine.system.whole_file import written_whole
from offline_train.data.sound_files import SAMPLE_RATE as SAMPLE_RATE

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
KNOWN = ("notes", "beats", "sung")
"""What may be known of a song, in the order of its fields."""


@dataclass(frozen=True, slots=True)
class ReferenceSong:
    """A song: samples at 16 kHz, mono (n,) or stereo (n, 2), and what is known of it.

    ``notes`` (n, 5) are the truth: onset, offset, pitch, velocity, "is melody"; a human cover, or
    what a piano played. ``beats`` (b,) are in seconds. ``sung`` (m, 3) is what a singer sings:
    onset, offset, pitch. None: not known.
    """

    name: str
    sound: Array  # as ``engine.signal.stereo`` has it
    notes: Array | None = None
    beats: NDArray[np.floating] | None = None
    sung: NDArray[np.floating] | None = None

    @property
    def samples(self) -> Array:
        """The sound in mono, (n,)."""
        return np.ascontiguousarray(middle_of(self.sound))

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return len(self.sound) / SAMPLE_RATE


def cached_song(folder: Path, name: str, make: Callable[[], ReferenceSong]) -> ReferenceSong:
    """Return the song that lies in ``folder``, made and put there first if it is not whole.

    Raises
    ------
    DataError
        As ``make`` does, or if the folder cannot be written.
    """
    try:
        return _read(folder, name)
    except FileNotFoundError:
        pass
    except (OSError, soundfile.LibsndfileError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        log.warning("%s: cut short, making it again", folder / f"{name}.flac")
    song = make()
    try:
        _write(folder, song)
    except (OSError, soundfile.LibsndfileError) as error:
        raise DataError(f"{folder}: expected to keep rendered songs there ({error})") from error
    return _read(folder, name)  # 16 bits, as every later run reads it


def _read(folder: Path, name: str) -> ReferenceSong:
    with np.load(folder / f"{name}.npz") as facts:
        n_samples = int(facts["n_samples"])
        known = [facts[name] if name in facts else None for name in KNOWN]
    path = folder / f"{name}.flac"
    if not path.is_file():
        raise FileNotFoundError(path)
    sound, _ = soundfile.read(path, dtype="float32")
    if len(sound) != n_samples:
        raise ValueError(f"{path}: {len(sound)} samples of {n_samples}")
    return ReferenceSong(name, sound, *known)


def _write(folder: Path, song: ReferenceSong) -> None:
    """Both files appear whole, the sound last."""
    folder.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {"n_samples": np.int64(len(song.sound))}
    facts |= {name: known for name in KNOWN if (known := getattr(song, name)) is not None}
    with written_whole(folder / f"{song.name}.npz") as file:
        np.savez(file, **facts)
    with written_whole(folder / f"{song.name}.flac") as file:
        soundfile.write(file, np.clip(song.sound, -1, 1), SAMPLE_RATE, format="FLAC")
