"""Recordings as songs of an evaluation: sound files or shards, with what lies beside them.

``NAME.mid`` beside a sound file is its human cover, ``NAME.txt`` the karaoke file of who sings.
"""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.files.file_source import SUFFIXES
from engine.core.errors import DataError
from offline_train.corpora import read_notes
from offline_train.corpora.ultrastar import read_sung
from offline_train.data.shards import MANIFEST, StoredPiece, read_shards
from offline_train.data.sound_files import duration, read_stereo_part
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE, ReferenceSong

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
Recording = Path | StoredPiece

LONGEST_S = 600.0
"""Seconds of a song that are measured at most: bounds the memory."""
SUNG_S = 100.0
"""Seconds from the beginning of a recording of which the tune is measured."""
AFTER_S = 1.0
"""What is sung in the last second may be struck after the end."""
LEAST_SUNG = 10


def find_recordings(folder: Path | None, rung: str) -> dict[str, Recording]:
    """Return name -> sound file, or piece of a shard; raise DataError if there are none."""
    if folder is not None and (folder / MANIFEST).is_file() and rung != "sung":
        return {piece.name: piece for piece in read_shards(folder)}
    paths = (
        sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        if folder is not None and folder.is_dir()
        else []
    )
    if not paths:
        shards = "" if rung == "sung" else "shards of recordings or "
        raise DataError(
            f"rung {rung} expects --recordings FOLDER with {shards}sound files"
            f" ({', '.join(SUFFIXES)}), got {folder or 'none'}"
        )
    return {path.name: path for path in paths}


def read_recording(name: str, found: Recording, longest_s: float) -> ReferenceSong:
    """Return the middle of a recording, with its human cover where that is known."""
    start, sound = _middle(name, found, longest_s)
    if isinstance(found, StoredPiece):
        notes = np.array(found.array("notes")) if "notes" in found else None
    else:
        notes = _human_notes(found) if found.with_suffix(".mid").is_file() else None
    if notes is not None:
        notes[:, :2] -= start
        notes = notes[(notes[:, 0] >= 0) & (notes[:, 0] < len(sound) / SAMPLE_RATE)]
    return ReferenceSong(name, sound, notes)


def read_sung_recording(path: Path) -> ReferenceSong:
    """Return the beginning of a recording and what is sung in it.

    Raises
    ------
    DataError
        The sound or the karaoke file beside it cannot be read, or hardly anything is sung.
    """
    karaoke = path.with_suffix(".txt")
    if not karaoke.is_file():
        raise DataError(f"{karaoke}: expected UltraStar's karaoke file of {path.name} there")
    sung = read_sung(karaoke)
    sound = read_stereo_part(path, 0.0, SUNG_S)
    seconds = len(sound) / SAMPLE_RATE
    sung = sung[sung[:, 0] < seconds - AFTER_S]
    if len(sung) < LEAST_SUNG:
        raise DataError(
            f"{karaoke}: expected {LEAST_SUNG} sung notes at least in the first"
            f" {seconds:.0f} s, got {len(sung)}"
        )
    return ReferenceSong(path.name, sound, sung=sung)


def _middle(name: str, found: Recording, longest_s: float) -> tuple[float, Array]:
    """Return where the middle of a recording begins, without fade and talk, and its samples."""
    stems = found.array("stems") if isinstance(found, StoredPiece) else np.zeros(0)
    seconds = duration(found) if isinstance(found, Path) else len(stems) / SAMPLE_RATE
    start = round(max(seconds - longest_s, 0) / 2, 2)
    if seconds > LONGEST_S and longest_s == LONGEST_S:
        log.warning("%s: of %.0f s the %.0f in the middle are used", name, seconds, LONGEST_S)
    if isinstance(found, StoredPiece):
        first, last = (round(s * SAMPLE_RATE) for s in (start, start + longest_s))
        return start, stems[first:last].astype(np.float32).sum(1) / 32768
    sound = read_stereo_part(found, start, longest_s)
    if start and not len(sound):  # it holds less than it declares
        return 0.0, read_stereo_part(found, 0.0, longest_s)
    return start, sound


def _human_notes(sound: Path) -> Array:
    """Return the notes (n, 5) beside a sound file."""
    rows = [
        (note.onset, note.offset, note.pitch, note.velocity, track == "MELODY")
        for track, notes in read_notes(sound.with_suffix(".mid")).items()
        for note in notes
    ]
    return np.array(sorted(rows), np.float32).reshape(-1, 5)
