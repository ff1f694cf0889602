"""Songs as units of two bars: posteriors at each step, chords, and the human's accompaniment.

``analyze_songs`` mixes and masters each piece of shards of POP909, runs the models of
``engine.whole_song`` on it, and lays everything on the grid of the annotated beats, once; the same
command goes on where it stopped. Not here: rendering (``prepare``), drawing from what it kept
(``batches``).
"""

import logging
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.chords import CHORD_DIM, chord_vector
from engine.core.errors import DataError
from engine.whole_song.grid import (
    BEATS_PER_BAR,
    STEPS_PER_BEAT,
    UNIT_BEATS,
    UNIT_STEPS,
    Grid,
    grid_of,
)
from engine.whole_song.song_analysis import on_grid
from engine.whole_song.song_analyzer import SongAnalyzer
from models.spec import MIN_PITCH, N_PITCHES
from offline_train.corpora import Chord, read_song
from offline_train.data.analysis_cache import cached_pieces, group_by_shard, record_sources
from offline_train.data.sampler import mix_piece
from offline_train.data.shards import Piece, StoredPiece
from offline_train.synthesis.bands.band import parse_chord
from offline_train.synthesis.stems import SAMPLE_RATE

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

LEAST_NOTES = 4  # of a unit that is learned from


def analyze_songs(
    folders: Sequence[Path], data: Path, out: Path, seed: int = 1, workers: int = 1, limit: int = 0
) -> list[StoredPiece]:
    """Return the songs of folders of shards on their grids.

    A piece has ``sound`` (S, 88, 4) float16, ``chords`` and ``heard_chords`` (beats, 36) float16,
    ``notes`` (n, 4) int16 (step, length, pitch, velocity; the melody left out), ``starts``
    (units,) int32, the beats at which units of two four-beat bars begin.

    Raises
    ------
    DataError
        If no piece has beats and a cover, or ``out`` holds an analysis of other shards.
    """
    record_sources(out, folders, {"seed": seed, "limit": limit})
    sources = group_by_shard(
        folders, lambda p: "beats" in p and "notes" in p, "songs of POP909", limit
    )
    jobs = {_file(pieces[0].shard): partial(_analyzed, data, seed, pieces) for _, pieces in sources}
    return cached_pieces(out, jobs, workers)


def _file(shard: Path) -> str:
    return f"{zlib.crc32(shard.parent.name.encode()):08x}-{shard.name}"


@lru_cache(maxsize=1)
def _analyzer() -> SongAnalyzer:
    return SongAnalyzer()


def _analyzed(data: Path, seed: int, pieces: list[StoredPiece]) -> Iterator[Piece]:
    for piece in pieces:
        try:
            yield analyze_piece(piece, data, seed, _analyzer())
        except DataError as error:
            log.warning("skipped %s: %s", piece.name, error)


def analyze_piece(piece: StoredPiece, data: Path, seed: int, analyzer: SongAnalyzer) -> Piece:
    """Return a piece on its grid. Raises DataError if it has no beats enough."""
    rng = np.random.default_rng(zlib.crc32(f"{seed}/arranging/{piece.name}".encode()))
    sound, _ = mix_piece(piece, rng)
    beats = np.array(piece.array("beats"), float)
    downbeats = np.flatnonzero(beats[:, 1] > 0.5)
    first = int(downbeats[0]) if len(downbeats) else 0
    grid = grid_of(beats[:, 0], first % BEATS_PER_BAR, len(sound) / SAMPLE_RATE)
    analysis = on_grid(analyzer.run([sound]), grid)
    notes = grid_notes(np.array(piece.array("notes")), grid)
    arrays: dict[str, NDArray[Any]] = {
        "sound": analysis.sound.astype(np.float16),
        "heard_chords": analysis.chord_vectors().astype(np.float16),
        "chords": annotated_chords(piece, data, grid).astype(np.float16),
        "notes": notes,
        "starts": unit_starts(grid, beats, notes),
    }
    return Piece(piece.name, arrays, {"seconds": piece.facts["seconds"]})


def grid_notes(notes: Array, grid: Grid) -> NDArray[np.int16]:
    """Return the accompaniment of a cover (n, 5) as (m, 4): step, length, pitch, velocity."""
    kept = notes[(notes[:, 4] < 0.5) & (notes[:, 2] >= MIN_PITCH)]
    kept = kept[kept[:, 2] < MIN_PITCH + N_PITCHES]
    on = grid.step(kept[:, 0])
    length = np.clip(grid.step(kept[:, 1]) - on, 1, UNIT_STEPS)
    rows = np.stack([on, length, kept[:, 2], kept[:, 3]], 1).astype(np.int16)
    rows = rows[(on >= 0) & (on < grid.n_units * UNIT_STEPS)]
    return rows[np.lexsort((rows[:, 2], rows[:, 0]))]


def annotated_chords(piece: StoredPiece, data: Path, grid: Grid) -> Array:
    """Return POP909's chords (beats of all units, 36) at each beat; zeros where there is none."""
    vectors = np.zeros((grid.n_units * UNIT_BEATS, CHORD_DIM), np.float32)
    start = float(piece.facts.get("start", 0.0))
    folder = data / "pop909" / piece.name.rpartition("-")[0]
    chords: list[Chord] = read_song(folder).chords if folder.is_dir() else []
    middles = grid.time(np.arange(len(vectors)) * 4 + 2) + start
    for chord in chords:
        parsed = parse_chord(chord.symbol)
        if parsed is not None:
            root, intervals, bass = parsed
            tones = [root + k for k in intervals]
            inside = (middles >= chord.start) & (middles < chord.end)
            vectors[inside] = chord_vector(root, tones, bass)
    return vectors


def unit_starts(
    grid: Grid, beats: NDArray[np.floating], notes: NDArray[np.int16]
) -> NDArray[np.int32]:
    """Return the beats of the grid (units,) at which two annotated bars of four begin.

    Songs have a bar of two or six now and then, after which the bars lie otherwise on the grid: so
    a unit begins where the annotation has it, and one that holds too few notes is left out.
    """
    at = np.argmin(np.abs(grid.beats[:, None] - beats[None, :, 0]), 0)
    down = at[beats[:, 1] > 0.5].tolist()
    starts: list[int] = []
    k = 0
    last = grid.n_units * UNIT_BEATS - UNIT_BEATS
    while k + 1 < len(down):
        is_regular = down[k + 1] - down[k] == BEATS_PER_BAR
        following = down[k + 2] if k + 2 < len(down) else down[k] + UNIT_BEATS
        if not is_regular or following - down[k] != UNIT_BEATS or down[k] > last:
            k += 1
            continue
        first = down[k] * STEPS_PER_BEAT
        inside = (notes[:, 0] >= first) & (notes[:, 0] < first + UNIT_STEPS)
        if inside.sum() >= LEAST_NOTES:
            starts.append(down[k])
        k += 2
    return np.array(starts, np.int32)
