"""Songs as units of two bars: what is heard at each step, chords, and the human's accompaniment.

``hear_songs`` mixes and masters each piece of shards of POP909, lets the models of
``engine.arranging`` listen, and lays everything on the grid of the annotated beats, once; the same
command goes on where it stopped. ``Units`` draws from what it kept. Not here: rendering
(``prepare``), the network's stages (``train``).
"""

import json
import logging
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from engine.arranging.arranger import LOUDEST, SOFTEST
from engine.arranging.grid import BEATS_PER_BAR, UNIT_BEATS, UNIT_STEPS, Grid, grid_of
from engine.arranging.harmony import CHORD_DIM, chord_vector
from engine.arranging.hearing import Ears, on_grid
from engine.errors import DataError
from models.arrangement import MAX_NOTES, PAD
from models.spec import MIN_PITCH, N_PITCHES
from offline_train.band import parse_chord
from offline_train.corpora import Chord, read_song
from offline_train.mixing import draw_gains, master, mix
from offline_train.shards import (
    Piece,
    ShardLine,
    StoredPiece,
    append_manifest,
    is_whole,
    manifest_hash,
    read_manifest,
    read_shards,
    write_shard,
)
from offline_train.stems import SAMPLE_RATE

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

LEAST_NOTES = 4  # of a unit that is learned from


def hear_songs(
    folders: Sequence[Path], data: Path, out: Path, seed: int = 1, workers: int = 1, limit: int = 0
) -> list[StoredPiece]:
    """Return the songs of folders of shards on their grids.

    A piece has ``sound`` (S, 88, 4) float16, ``chords`` and ``heard_chords`` (beats, 36) float16,
    ``notes`` (n, 4) int16 (step, length, pitch, velocity; the melody left out), ``usable``
    (units,) bool: units of four-beat bars in which something is played.

    Raises
    ------
    DataError
        If no piece has beats and a cover, or ``out`` holds what was heard of other shards.
    """
    out.mkdir(parents=True, exist_ok=True)
    facts = {"seed": seed, "limit": limit, "data": [manifest_hash(folder) for folder in folders]}
    config = out / "config.json"
    if config.is_file() and json.loads(config.read_text()) != facts:
        raise DataError(f"{out}: holds what was heard of other shards; name another folder")
    config.write_text(json.dumps(facts))
    pieces = [p for folder in folders for p in read_shards(folder) if "beats" in p and "notes" in p]
    if not pieces:
        where = ", ".join(str(folder) for folder in folders)
        raise DataError(f"{where}: expected songs of POP909; run livecover-train prepare")
    lines = read_manifest(out)
    jobs = []
    for shard, group in groupby(pieces[: limit or None], lambda piece: piece.shard):
        target = out / f"{zlib.crc32(str(shard.parent.name).encode()):08x}-{shard.name}"
        if target.name not in lines or not is_whole(out, lines[target.name]):
            jobs.append((target, list(group)))
    with ProcessPoolExecutor(workers) as pool:
        futures = [pool.submit(_write, data, seed, *job) for job in jobs]
        try:
            for future in tqdm(as_completed(futures), "listen", len(jobs), unit="shard"):
                append_manifest(out, future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return read_shards(out)


@lru_cache(maxsize=1)
def _ears() -> Ears:
    return Ears()


def _write(data: Path, seed: int, target: Path, pieces: list[StoredPiece]) -> ShardLine:
    found = []
    for piece in pieces:
        try:
            found.append(hear_piece(piece, data, seed, _ears()))
        except DataError as error:
            log.warning("skipped %s: %s", piece.name, error)
    return write_shard(target, found)


def hear_piece(piece: StoredPiece, data: Path, seed: int, ears: Ears) -> Piece:
    """Return a piece on its grid. Raises DataError if it has no beats enough."""
    rng = np.random.default_rng(zlib.crc32(f"{seed}/arranging/{piece.name}".encode()))
    stems = piece.array("stems")
    gains = draw_gains(piece.facts.get("roles", ["recording"] * stems.shape[1]), rng)
    sound = master(mix(stems, gains), rng, SAMPLE_RATE)
    beats = np.array(piece.array("beats"), float)
    downbeats = np.flatnonzero(beats[:, 1] > 0.5)
    first = int(downbeats[0]) if len(downbeats) else 0
    grid = grid_of(beats[:, 0], first % BEATS_PER_BAR, len(sound) / SAMPLE_RATE)
    hearing = on_grid(ears.hear(sound), grid)
    notes = grid_notes(np.array(piece.array("notes")), grid)
    arrays: dict[str, NDArray[Any]] = {
        "sound": hearing.sound.astype(np.float16),
        "heard_chords": hearing.chord_vectors().astype(np.float16),
        "chords": annotated_chords(piece, data, grid).astype(np.float16),
        "notes": notes,
        "usable": usable_units(grid, beats, notes),
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


def usable_units(
    grid: Grid, beats: NDArray[np.floating], notes: NDArray[np.int16]
) -> NDArray[np.bool_]:
    """Return which units (units,) have bars of four annotated beats, and notes enough."""
    at = np.argmin(np.abs(grid.beats[:, None] - beats[None, :, 0]), 0)
    says = np.full(grid.n_units * UNIT_BEATS, -1)
    inside = at < len(says)
    says[at[inside]] = beats[inside, 1] > 0.5
    wanted = np.arange(len(says)) % BEATS_PER_BAR == 0
    fits = (says == wanted).reshape(-1, UNIT_BEATS).all(1)
    counts = np.bincount(notes[:, 0] // UNIT_STEPS, minlength=grid.n_units)[: grid.n_units]
    return np.asarray(fits & (counts >= LEAST_NOTES))


class UnitBatch(NamedTuple):
    """B units: chords (B, 8, 36), sound (B, 32, 88, 4), notes by group and as images.

    ``pitches`` and ``lengths`` (B, 32, 16) int64 end with PAD; ``intensity`` (B, 32) in [0, 1];
    ``score``, ``corrupted`` and ``previous`` (B, 32, 88, 2); ``has_previous`` (B, 1).
    """

    chords: Tensor
    sound: Tensor
    pitches: Tensor
    lengths: Tensor
    intensity: Tensor
    score: Tensor
    corrupted: Tensor
    previous: Tensor
    has_previous: Tensor

    def to(self, device: str) -> "UnitBatch":
        """Return the batch on a device."""
        return UnitBatch(*(part.to(device) for part in self))


@dataclass(frozen=True, slots=True)
class Corruption:
    """How often a note of the score is spoiled before its texture is read."""

    drop: float = 0.3
    octave: float = 0.15
    move: float = 0.15
    length: float = 0.3


class Units:
    """Draws units of heard songs, in random keys.

    Raises
    ------
    DataError
        If there is none that can be used.
    """

    def __init__(self, pieces: Sequence[StoredPiece], max_shift: int = 6) -> None:
        self._pieces = [
            (
                p.array("sound"),
                p.array("chords"),
                p.array("heard_chords"),
                np.array(p.array("notes")),
            )
            for p in pieces
        ]
        self._places = [
            (k, int(unit))
            for k, p in enumerate(pieces)
            for unit in np.flatnonzero(p.array("usable"))
        ]
        self._max_shift = max_shift
        if not self._places:
            raise DataError("expected songs with bars of four beats, found no unit of two")

    def __len__(self) -> int:
        return len(self._places)

    def draw(self, n: int, rng: np.random.Generator) -> UnitBatch:
        """Return n random units; half of them with annotated, half with recognised chords."""
        which = rng.integers(len(self._places), size=n)
        return self._batch([self._one(int(k), rng) for k in which])

    def first(self, n: int) -> UnitBatch:
        """Return up to n units spread over all, in their own key, the same at each call."""
        rng = np.random.default_rng(0)
        which = np.linspace(0, len(self) - 1, min(n, len(self))).astype(int)
        return self._batch([self._one(int(k), rng, 0) for k in which])

    def _one(
        self, place: int, rng: np.random.Generator, shift: int | None = None
    ) -> tuple[NDArray[np.generic], ...]:
        piece, unit = self._places[place]
        sound, annotated, recognised, notes = self._pieces[piece]
        if shift is None:
            shift = int(rng.integers(-self._max_shift, self._max_shift + 1))
        own, before = (_unit_notes(notes, k, shift) for k in (unit, unit - 1))
        # Without an annotation, as at inference, what was recognised stands in.
        chords = annotated if rng.random() < 0.5 and np.any(annotated) else recognised
        chords = np.asarray(chords[unit * UNIT_BEATS : (unit + 1) * UNIT_BEATS], np.float32)
        heard = np.asarray(sound[unit * UNIT_STEPS : (unit + 1) * UNIT_STEPS], np.float32)
        return (
            np.roll(chords.reshape(UNIT_BEATS, 3, 12), shift, 2).reshape(UNIT_BEATS, CHORD_DIM),
            _shifted(heard, shift),
            *groups_of(own),
            image_of(own),
            image_of(corrupt(own, rng)),
            image_of(before),
            np.array([float(unit > 0 and len(before) > 0)], np.float32),
        )

    @staticmethod
    def _batch(rows: list[tuple[NDArray[np.generic], ...]]) -> UnitBatch:
        columns = (torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True))
        return UnitBatch(*columns)


def _unit_notes(notes: NDArray[np.int16], unit: int, shift: int) -> NDArray[np.int16]:
    """Return the notes (m, 4) of a unit, their steps from its beginning, moved in pitch."""
    own = notes[notes[:, 0] // UNIT_STEPS == unit].copy()
    own[:, 0] -= unit * UNIT_STEPS
    own[:, 2] += shift
    is_key = (own[:, 2] >= MIN_PITCH) & (own[:, 2] < MIN_PITCH + N_PITCHES)
    return np.asarray(own[is_key])


def _shifted(sound: Array, shift: int) -> Array:
    """Return sound (S, P, C) moved along pitch; what the shift uncovers is silence."""
    moved = np.zeros_like(sound)
    if shift >= 0:
        moved[:, shift:] = sound[:, : sound.shape[1] - shift]
    else:
        moved[:, :shift] = sound[:, -shift:]
    return moved


def groups_of(
    notes: NDArray[np.int16],
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Return pitches, lengths (32, 16) as indices, ended by PAD, and intensity (32,)."""
    pitches = np.full((UNIT_STEPS, MAX_NOTES), PAD, np.int64)
    lengths = np.full((UNIT_STEPS, MAX_NOTES), PAD, np.int64)
    intensity = np.zeros(UNIT_STEPS, np.float32)
    for step in np.unique(notes[:, 0]):
        group = notes[notes[:, 0] == step]
        _, first = np.unique(group[:, 2], return_index=True)  # rising, each pitch once
        group = group[first][:MAX_NOTES]
        pitches[step, : len(group)] = group[:, 2] - MIN_PITCH
        lengths[step, : len(group)] = group[:, 1] - 1
        intensity[step] = loudness(float(group[:, 3].mean()))
    return pitches, lengths, intensity


def loudness(velocity: float) -> float:
    """Return the intensity of a velocity, as ``engine.arranging.arranger`` turns it back."""
    return float(np.clip((velocity - SOFTEST) / (LOUDEST - SOFTEST), 0, 1))


def image_of(notes: NDArray[np.int16]) -> Array:
    """Return the notes of a unit as an image (32, 88, 2): struck, sounding."""
    image = np.zeros((UNIT_STEPS, N_PITCHES, 2), np.float32)
    for step, length, pitch in notes[:, :3]:
        image[step, pitch - MIN_PITCH, 0] = 1
        image[step : step + length, pitch - MIN_PITCH, 1] = 1
    return image


def corrupt(
    notes: NDArray[np.int16], rng: np.random.Generator, how: Corruption | None = None
) -> NDArray[np.int16]:
    """Return notes (m, 4) with some dropped, moved by an octave or a step, or of another length."""
    how = how or Corruption()
    spoiled = notes[rng.random(len(notes)) >= how.drop].copy()
    chance = partial(rng.random, len(spoiled))
    octave = np.where(chance() < how.octave, rng.choice((-12, 12), len(spoiled)), 0)
    inside = np.abs(spoiled[:, 2] + octave - MIN_PITCH - 43.5) < 44
    spoiled[:, 2] += np.where(inside, octave, 0).astype(np.int16)
    move = np.where(chance() < how.move, rng.choice((-2, -1, 1, 2), len(spoiled)), 0)
    spoiled[:, 0] = np.clip(spoiled[:, 0] + move, 0, UNIT_STEPS - 1)
    other = rng.integers(1, UNIT_STEPS // 2, len(spoiled))
    spoiled[:, 1] = np.where(chance() < how.length, other, spoiled[:, 1])
    return spoiled
