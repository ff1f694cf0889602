"""Real recordings without labels: chosen, cut, and stored with the teacher's posteriors.

The music is that of ``sources.SOURCES``. A piece of a shard holds ``stems`` int16 (n, 1), mono at
16 kHz, and ``teacher`` uint8 (T, 88, 2), 255 times the teacher's onset and frame posteriors on our
frames of 16 ms (``teacher``). Not here: fetching it (``packages``), training from it.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError
from offline_train.data.jobs import missing_shards, record_settings, run_missing
from offline_train.data.shards import Piece
from offline_train.data.sound_files import SAMPLE_RATE, duration, read_part
from offline_train.data.sources import SOURCES, SPLITS, Source, Split
from offline_train.data.teacher import Teacher

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

MAX_PIECE_S = 180.0
MIN_SONG_S = 45.0  # shorter ones are jingles
CONFIG = "recordings.json"


@dataclass(frozen=True, slots=True)
class Recording:
    """A song: its files, summed if there are several, and its length in seconds."""

    source: Source
    title: str
    files: tuple[Path, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a song."""

    song: Recording
    start: float
    seconds: float

    @property
    def name(self) -> str:
        """Unique, and fit for a file's name."""
        title = re.sub(r"[^A-Za-z0-9]+", "-", self.song.title).strip("-").lower()
        return f"{self.song.source.name}-{title[:50]}-{round(self.start):04d}"


@dataclass(slots=True)
class Written:
    """What a run of ``write_recordings`` found done, did, and left out."""

    pieces: int = 0
    seconds: float = 0.0
    by_package: dict[str, float] = field(default_factory=dict)  # seconds
    skipped: list[str] = field(default_factory=list)

    def add(self, seconds: float, package: str) -> None:
        """Count a piece."""
        self.pieces += 1
        self.seconds += seconds
        self.by_package[package] = self.by_package.get(package, 0.0) + seconds


def songs(
    folder: Path, split: Split, sources: Sequence[Source] = SOURCES, min_s: float = MIN_SONG_S
) -> list[Recording]:
    """Return the songs of a split, the sources taking turns so that any few hold all of them.

    A file that cannot be read is named in the log and left out.

    Raises
    ------
    DataError
        If the split is unknown or ``folder`` has none of its songs.
    """
    if split not in SPLITS:
        raise DataError(f"split must be one of {', '.join(SPLITS)}, not {split!r}")
    columns = [list(_songs_of(folder, s, min_s)) for s in sources if s.split == split]
    turns = [song for row in zip_longest(*columns) for song in row if song is not None]
    if not turns:
        raise DataError(f"{folder}: expected unpacked music packages; run fetch on it first")
    return turns


def _songs_of(folder: Path, source: Source, min_s: float) -> Iterator[Recording]:
    root = folder / source.package
    files = sorted(path for pattern in source.patterns for path in root.glob(pattern))
    groups: dict[Path, list[Path]] = {}
    for path in files:
        groups.setdefault(path.parent if source.stems else path.with_suffix(""), []).append(path)
    for key, group in groups.items():
        try:
            seconds = max(duration(path) for path in group)
        except DataError as error:
            log.warning("skipped %s", error)
            continue
        if seconds >= min_s:
            yield Recording(source, _title(key, source), tuple(group), seconds)


def _title(path: Path, source: Source) -> str:
    """Return the file's name, with its album's where names such as track1 repeat."""
    return f"{path.parent.name} {path.name}" if source.name == "warzone" else path.name


def excerpts(
    song: Recording, limit_s: float = 0.0, max_piece_s: float = MAX_PIECE_S
) -> list[Excerpt]:
    """Return the middle ``limit_s`` seconds of a song (0: all of it) in equal pieces."""
    seconds = min(song.seconds, limit_s or song.seconds)
    first = (song.seconds - seconds) / 2
    count = int(np.ceil(seconds / max_piece_s))
    length = seconds / count
    return [Excerpt(song, first + k * length, length) for k in range(count)]


def read_excerpt(excerpt: Excerpt) -> Array:
    """Return an excerpt's mix as mono samples (n,) at 16 kHz; its peak is at most 1.

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    parts = [read_part(path, excerpt.start, excerpt.seconds) for path in excerpt.song.files]
    mix = np.zeros(max(map(len, parts)), np.float32)
    for part in parts:
        mix[: len(part)] += part
    if not len(mix):
        raise DataError(
            f"{excerpt.song.files[0]}: expected sound from second {excerpt.start:.0f} on, found"
            " none; fetch it again"
        )
    return mix / max(1.0, float(np.abs(mix).max()))


def labelled(excerpt: Excerpt, teacher: Teacher) -> Piece:
    """Return an excerpt with the teacher's labels, as a shard keeps it."""
    samples = read_excerpt(excerpt)
    posteriors = teacher.posteriors(samples, SAMPLE_RATE)
    both = np.stack([posteriors.onset, posteriors.frame], axis=-1)
    source = excerpt.song.source
    return Piece(
        excerpt.name,
        {
            "stems": np.round(samples * 32767).astype(np.int16)[:, None],
            "teacher": np.round(both * 255).astype(np.uint8),
        },
        {
            "kind": "recording",
            "package": source.package,
            "source": source.name,
            "licence": source.licence,
            "credit": source.credit,
            "file": excerpt.song.title,
            "start": round(excerpt.start, 3),
            "seconds": round(len(samples) / SAMPLE_RATE, 3),
        },
    )


def write_recordings(
    folder: Path,
    out: Path,
    split: Split,
    *,
    limit_s: float = 150.0,
    pieces_per_shard: int = 12,
    n_songs: int = 0,
    sources: Sequence[Source] = SOURCES,
) -> Written:
    """Write the shards of a split that are missing in ``out``, and return what there is then.

    Parameters
    ----------
    folder : Path
        Where ``packages.fetch`` put the packages.
    out : Path
        Where the shards go; a run that was stopped goes on with the shard it was at.
    limit_s : float
        Seconds taken from the middle of each song; 0 takes all of it.
    n_songs : int
        How many songs, the sources taking turns; 0 takes all.

    Raises
    ------
    DataError
        If ``out`` holds another choice of recordings, or the disk is full.
    """
    chosen = songs(folder, split, sources)[: n_songs or None]
    plan = _interleaved([excerpts(song, limit_s) for song in chosen])
    record_settings(
        out, {"split": split, "pieces": [e.name for e in plan], "limit_s": limit_s}, CONFIG
    )
    parts = {
        f"recordings-{k:05d}.tar": plan[first : first + pieces_per_shard]
        for k, first in enumerate(range(0, len(plan), pieces_per_shard))
    }
    written, teacher, left = Written(), Teacher(), missing_shards(out, parts)
    for name, part in parts.items():
        if name not in left:
            for excerpt in part:
                written.add(excerpt.seconds, excerpt.song.source.package)
    jobs = {name: partial(_labelled_all, parts[name], teacher, written) for name in parts}
    run_missing(out, jobs, f"label {split}")
    return written


def _interleaved(columns: list[list[Excerpt]]) -> list[Excerpt]:
    return [excerpt for row in zip_longest(*columns) for excerpt in row if excerpt is not None]


def _labelled_all(part: list[Excerpt], teacher: Teacher, written: Written) -> Iterator[Piece]:
    for excerpt in part:
        try:
            piece = labelled(excerpt, teacher)
        except DataError as error:
            log.warning("skipped %s", error)
            written.skipped.append(excerpt.name)
            continue
        written.add(float(piece.facts["seconds"]), excerpt.song.source.package)
        yield piece
