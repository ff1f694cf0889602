"""Units of two bars drawn in batches: in random keys, as groups of notes and as images.

Not here: how songs are analysed and laid on their grid (``units``), and what is learned
(``train``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.chords import CHORD_DIM
from engine.core.errors import DataError
from engine.whole_song.arranger import LOUDEST, SOFTEST
from engine.whole_song.grid import STEPS_PER_BEAT, UNIT_BEATS, UNIT_STEPS
from models.arrangement import MAX_NOTES, PAD
from models.spec import MIN_PITCH, N_PITCHES
from offline_train.data.shards import StoredPiece

Array = NDArray[np.float32]


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
    """Draws units of analysed songs, in random keys.

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
        self._places = [(k, int(beat)) for k, p in enumerate(pieces) for beat in p.array("starts")]
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
        piece, beat = self._places[place]
        sound, annotated, recognised, notes = self._pieces[piece]
        if shift is None:
            shift = int(rng.integers(-self._max_shift, self._max_shift + 1))
        first = beat * STEPS_PER_BEAT
        own, before = (_unit_notes(notes, k, shift) for k in (first, first - UNIT_STEPS))
        # Without an annotation, as at inference, what was recognised stands in.
        chords = annotated if rng.random() < 0.5 and np.any(annotated) else recognised
        chords = np.asarray(chords[beat : beat + UNIT_BEATS], np.float32)
        posteriors = np.asarray(sound[first : first + UNIT_STEPS], np.float32)
        return (
            np.roll(chords.reshape(UNIT_BEATS, 3, 12), shift, 2).reshape(UNIT_BEATS, CHORD_DIM),
            _shifted(posteriors, shift),
            *groups_of(own),
            image_of(own),
            image_of(corrupt(own, rng)),
            image_of(before),
            np.array([float(first >= UNIT_STEPS and len(before) > 0)], np.float32),
        )

    @staticmethod
    def _batch(rows: list[tuple[NDArray[np.generic], ...]]) -> UnitBatch:
        columns = (torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True))
        return UnitBatch(*columns)


def _unit_notes(notes: NDArray[np.int16], first: int, shift: int) -> NDArray[np.int16]:
    """Return the notes (m, 4) of the unit that begins at a step, counted from it, in its key."""
    own = notes[(notes[:, 0] >= first) & (notes[:, 0] < first + UNIT_STEPS)].copy()
    own[:, 0] -= first
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
    """Return the intensity of a velocity, as ``engine.whole_song.arranger`` turns it back."""
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
