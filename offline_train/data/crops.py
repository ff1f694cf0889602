"""Crops of songs as the accompanist learns from them: any key, any lag, plans with real mistakes.

The texture is always that of the human. Where the plan that the player is given differs from the
song's chord, the human's notes are moved to the planned chord, so that the player learns to follow
its plan, right or wrong, and to leave it at once when it changes. Shapes: B crops, S steps,
N notes and ends of steps, P = 88 pitches. Not here: songs (``accompaniment``), losses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.accompany.chords import (
    CLASS_TONES,
    N_CLASSES,
    N_QUALITIES,
    NO_CHORD,
    QUALITIES,
    chord_vectors,
    class_of,
)
from engine.accompany.features import SUMMARY_DIM, expect, summarise
from engine.accompany.playing import held_rows, length_class, velocity_class
from models.accompanist import DONE, N_PLACES, N_STYLES, Situation
from models.spec import MIN_PITCH, N_PITCHES
from offline_train.data.accompaniment import GridSong
from offline_train.data.hearing_noise import HearingNoise

Array = NDArray[np.float32]
Notes = NDArray[np.int16]

LAGS = (2.0, 1.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5)
"""How often each lag is drawn, from 0 steps on."""
SHARE_TRUE_PLAN = 0.4
SHARE_LATE = 0.5  # of changes of chord, where the plan is not the truth
SHARE_WRONG = 0.2
LONGEST_MISTAKE = 8
SHARE_WITH_MELODY = 0.2
SHARE_REAL = 0.5  # of crops, of songs that were really heard
SHARE_ASKED = 0.75  # of a style's values
SHARE_FREE = 0.15  # of crops without any
SHARE_DEAF = 0.1  # of crops that do not know their own notes in some passage
SHARE_UNGUIDED = 0.1  # of crops whose player knows neither plan nor sound, for guidance
STYLE_BLOCKS = (64, 128, 512)
STYLE_MEAN = np.array([0.81, 0.52, 57.5, 7.6, 78.6, 3.3], np.float32)
STYLE_SPREAD = np.array([0.3, 0.18, 3.5, 2.0, 9.0, 1.3], np.float32)


class RealHearing(NamedTuple):
    """What the real chain heard of an excerpt."""

    first: int  # step of the song
    heard: NDArray[np.uint8]  # (S, P, 2)

    def rows(self, n: int) -> Array:
        """Return the first n steps at the most, in [0, 1]."""
        return np.asarray(self.heard[:n] / np.float32(255), np.float32)


class Batch(NamedTuple):
    """Crops, each padded to S steps; ``is_step`` says which of them are of the song."""

    heard: Tensor  # (B, S, 220) what the planner hears, late
    summary: Tensor  # (B, S, 44) what the player hears of it
    expected: Tensor  # (B, S, 38)
    where: Situation
    chord: Tensor  # (B, S) int64, true class
    bass: Tensor  # (B, S) int64
    is_step: Tensor  # (B, S) bool
    own: Tensor  # (B, S, 176)
    plan: Tensor  # (B, S, 37)
    style: Tensor  # (B, S, 12)
    part: Tensor  # (B,) int64
    at: Tensor  # (N,) int64, step of the flattened batch
    struck: Tensor  # (N, P)
    last: Tensor  # (N,) int64
    pitch: Tensor  # (N,) int64, DONE at the end of a step
    length: Tensor  # (N,) int64, class; meaningless at ends
    velocity: Tensor  # (N,) int64
    is_right: Tensor  # (N,)


@dataclass(frozen=True, slots=True)
class Crops:
    """Songs to draw crops of.

    Parameters
    ----------
    songs
        On their grids.
    noise
        Of simulated hearing.
    real
        Song id -> what was really heard of it.
    n_steps
        Of a crop.
    has_notes
        Whether the human's notes are asked for; a planner does without.
    """

    songs: Sequence[GridSong]
    noise: HearingNoise
    real: dict[str, list[RealHearing]]
    n_steps: int = 512
    has_notes: bool = True

    def draw(self, n: int, rng: np.random.Generator) -> Batch:
        """Return a batch of n crops, by the choices of ``rng``."""
        return collate([self.crop(rng) for _ in range(n)], self.n_steps)

    def crop(self, rng: np.random.Generator) -> "Crop":
        """Return one crop: of what was really heard, or of a song as it might be heard."""
        known = [song for song in self.songs if song.song_id in self.real]
        if known and rng.random() < SHARE_REAL:
            song = known[rng.integers(len(known))]
            excerpts = self.real[song.song_id]
            excerpt = excerpts[rng.integers(len(excerpts))]
            first = excerpt.first
            heard = excerpt.rows(min(self.n_steps, song.n_steps - first))
        else:
            sizes = np.array([song.n_steps for song in self.songs], float)
            song = self.songs[rng.choice(len(self.songs), p=sizes / sizes.sum())]
            first = int(rng.integers(max(song.n_steps - self.n_steps, 0) + 1))
            cells = song.bands[rng.integers(len(song.bands)), first : first + self.n_steps]
            heard = self.noise.simulate(cells, rng)
        lag = int(rng.choice(len(LAGS), p=np.array(LAGS) / sum(LAGS)))
        semitones = int(rng.integers(-5, 7))
        return make_crop(song, first, heard, lag, semitones, rng, self.has_notes)


class Crop(NamedTuple):
    """One crop, as arrays; rows of notes are step, length, pitch, velocity, hand."""

    heard: Array
    summary: Array
    expected: Array
    place: NDArray[np.int64]
    lag: int
    tempo: float
    chord: NDArray[np.int64]
    bass: NDArray[np.int64]
    plan: Array
    own: Array
    style: Array
    part: int
    notes: Notes


def make_crop(
    song: GridSong,
    first: int,
    heard: Array,
    lag: int,
    semitones: int,
    rng: np.random.Generator,
    has_notes: bool = True,
) -> Crop:
    """Return the crop of a song that begins at step ``first`` and lasts as long as ``heard``."""
    n = len(heard)
    heard = moved(heard, semitones)
    chord, bass = moved_chords(song.chords[first : first + n], semitones)
    summary = summarise(heard)
    part = int(rng.random() < SHARE_WITH_MELODY)
    notes = crop_notes(song, first, n * has_notes, semitones, with_melody=bool(part))
    style = style_rows(notes, n, rng)
    plan = chord if rng.random() < SHARE_TRUE_PLAN else mistaken(chord, rng)
    notes = follow(notes, chord, plan)
    own = own_rows(notes, plan, n)
    is_guided = rng.random() >= SHARE_UNGUIDED
    if rng.random() < SHARE_DEAF:
        begin = int(rng.integers(n))
        own[begin : begin + int(rng.integers(16, 129))] = 0
    rows = late(np.concatenate([heard.reshape(n, -1), summary], 1), lag)
    return Crop(
        rows,
        rows[:, -SUMMARY_DIM:] * np.float32(is_guided),
        expect(summary, np.arange(n), lag),
        np.minimum(song.place[first : first + n].astype(np.int64), N_PLACES - 1),
        lag,
        float(np.log2(song.bpm / 90)),
        chord,
        bass,
        plan_rows(plan, np.where(plan == chord, bass, plan // N_QUALITIES)) * np.float32(is_guided),
        own,
        style,
        part,
        notes,
    )


def moved(heard: Array, semitones: int) -> Array:
    """Return what was heard (S, P, 2) in another key; what the shift uncovers is silence."""
    out = np.zeros_like(heard)
    low, high = max(semitones, 0), N_PITCHES + min(semitones, 0)
    out[:, low:high] = heard[:, low - semitones : high - semitones]
    return out


def moved_chords(
    chords: NDArray[np.int16], semitones: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return class and bass (S,) of chords (S, 3) in another key; the bass of none is 0."""
    there = chords[:, :1] >= 0
    shifted = np.where(there & (np.arange(3) != 1), (chords + semitones) % 12, chords)
    return class_of(shifted), np.maximum(shifted[:, 2], 0).astype(np.int64)


def late(rows: Array, lag: int) -> Array:
    """Return rows (S, D) ``lag`` steps late, zeros before them.

    >>> late(np.array([[1.0], [2.0], [3.0]]), 1).ravel().tolist()
    [0.0, 1.0, 2.0]
    """
    return np.concatenate([np.zeros_like(rows[:lag]), rows[: max(len(rows) - lag, 0)]])


def crop_notes(song: GridSong, first: int, n: int, semitones: int, with_melody: bool) -> Notes:
    """Return the human's notes of a crop, with steps from 0, in another key."""
    notes = np.concatenate([song.piano, song.melody]) if with_melody else song.piano
    notes = notes[(notes[:, 0] >= first) & (notes[:, 0] < first + n)].copy()
    notes[:, 0] -= first
    notes[:, 2] += semitones
    notes = notes[(notes[:, 2] >= MIN_PITCH) & (notes[:, 2] < MIN_PITCH + N_PITCHES)]
    return ordered(notes)


def ordered(notes: Notes) -> Notes:
    """Return notes by step and pitch, of equal ones the longest."""
    notes = notes[np.lexsort((-notes[:, 1], notes[:, 2], notes[:, 0]))]
    is_first = np.ones(len(notes), bool)
    is_first[1:] = (notes[1:, 0] != notes[:-1, 0]) | (notes[1:, 2] != notes[:-1, 2])
    return np.asarray(notes[is_first], np.int16)


def mistaken(chord: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the classes (S,) with mistakes: changes that come late, chords that are wrong."""
    plan = chord.copy()
    changes = np.flatnonzero(np.diff(chord)) + 1
    others = np.unique(chord[chord != NO_CHORD])
    for begin in changes:
        stop = begin + int(rng.integers(1, LONGEST_MISTAKE + 1))
        kind = rng.random()
        if kind < SHARE_LATE:
            plan[begin:stop] = plan[begin - 1]
        elif kind < SHARE_LATE + SHARE_WRONG and len(others):
            plan[begin:stop] = rng.choice(others)
    return plan


@lru_cache(maxsize=N_CLASSES**2)
def _moves(true: int, plan: int) -> tuple[int, ...]:
    """Return by how many semitones each pitch class moves from one class to another."""
    of_true = tuple(QUALITIES.values())[true % N_QUALITIES]
    of_plan = tuple(QUALITIES.values())[plan % N_QUALITIES]
    root, target = true // N_QUALITIES, plan // N_QUALITIES
    moves = [(target - root + 6) % 12 - 6] * 12
    for k, interval in enumerate(of_true):
        wanted = target + of_plan[min(k, len(of_plan) - 1)]
        moves[(root + interval) % 12] = (wanted - root - interval + 6) % 12 - 6
    return tuple(moves)


def follow(notes: Notes, chord: NDArray[np.int64], plan: NDArray[np.int64]) -> Notes:
    """Return notes on steps whose plan (S,) is not the chord (S,), moved to the plan's tones."""
    notes = notes.copy()
    is_other = (plan != chord) & (plan != NO_CHORD) & (chord != NO_CHORD)
    for k in np.flatnonzero(is_other[notes[:, 0]]):
        step, pitch = int(notes[k, 0]), int(notes[k, 2])
        to = pitch + _moves(int(chord[step]), int(plan[step]))[pitch % 12]
        notes[k, 2] = min(max(to, MIN_PITCH), MIN_PITCH + N_PITCHES - 1)
    return ordered(notes)


def plan_rows(plan: NDArray[np.int64], bass: NDArray[np.int64]) -> Array:
    """Return the plan (S, 37): the chord's 36 numbers, and whether it is another than before."""
    is_new = np.concatenate([[0.0], plan[1:] != plan[:-1]]).astype(np.float32)
    return np.concatenate([chord_vectors(plan, bass), is_new[:, None]], 1)


def own_rows(notes: Notes, plan: NDArray[np.int64], n: int) -> Array:
    """Return what was struck on the step before and is still held (n, 176).

    A note that the plan has left is let go where the plan changes.
    """
    struck = np.zeros((n + 1, N_PITCHES), np.float32)
    struck[notes[:, 0] + 1, notes[:, 2] - MIN_PITCH] = notes[:, 3] / 127
    changes = np.flatnonzero(np.diff(plan)) + 1
    ends = notes[:, 0].astype(int) + notes[:, 1]
    stops = ends.copy()
    begins = np.searchsorted(changes, notes[:, 0], side="right")
    for k, begin in enumerate(begins):
        for change in changes[begin:]:
            if change >= ends[k]:
                break
            if plan[change] != NO_CHORD and not CLASS_TONES[plan[change], notes[k, 2] % 12]:
                stops[k] = change
                break
    held = held_rows(notes[:, 0], ends, notes[:, 2], n, stops)
    return np.concatenate([struck[:n], held], 1)


def style_rows(notes: Notes, n: int, rng: np.random.Generator) -> Array:
    """Return the style (n, 12) of notes, in blocks, and which of its values are asked for."""
    rows = np.zeros((n, 2 * N_STYLES), np.float32)
    size = int(rng.choice(STYLE_BLOCKS))
    is_asked = rng.random(N_STYLES) < SHARE_ASKED
    if rng.random() < SHARE_FREE:
        return rows
    for begin in range(-int(rng.integers(size)), n, size):
        own = notes[(notes[:, 0] >= begin) & (notes[:, 0] < begin + size)]
        n_steps = min(begin + size, n) - max(begin, 0)
        if n_steps <= 0 or not len(own):
            continue
        values = (style_of(own, n_steps) - STYLE_MEAN) / STYLE_SPREAD
        span = slice(max(begin, 0), begin + size)
        rows[span, :N_STYLES] = np.clip(values, -3, 3) * is_asked
        rows[span, N_STYLES:] = is_asked
    return rows


def style_of(notes: Notes, n_steps: int) -> Array:
    """Return the style (6,) of notes.

    Notes a step, the share of steps with any, mean and spread of pitch, mean velocity and length.
    """
    pitch = notes[:, 2].astype(float)
    n_attacks = len(np.unique(notes[:, 0]))
    return np.array(
        [
            len(notes) / n_steps,
            n_attacks / n_steps,
            pitch.mean(),
            pitch.std(),
            notes[:, 3].mean(),
            np.minimum(notes[:, 1], 16).mean(),
        ],
        np.float32,
    )


def collate(crops: Sequence[Crop], n_steps: int) -> Batch:
    """Return crops as a batch, padded to ``n_steps``."""

    def padded(name: str) -> Tensor:
        rows = [np.asarray(getattr(crop, name)) for crop in crops]
        out = np.zeros((len(rows), n_steps, *rows[0].shape[1:]), rows[0].dtype)
        for k, row in enumerate(rows):
            out[k, : len(row)] = row
        return torch.from_numpy(out)

    is_step = torch.zeros(len(crops), n_steps, dtype=torch.bool)
    for k, crop in enumerate(crops):
        is_step[k, : len(crop.place)] = True
    tokens = [step_tokens(crop.notes, len(crop.place)) for crop in crops]
    for k, token in enumerate(tokens):
        token["at"] = token["at"] + k * n_steps

    def joined(name: str) -> Tensor:
        return torch.from_numpy(np.concatenate([token[name] for token in tokens]))

    where = Situation(
        padded("place"),
        torch.tensor([crop.lag for crop in crops]),
        torch.tensor([crop.tempo for crop in crops]),
    )
    names = ("at", "struck", "last", "pitch", "length", "velocity", "is_right")
    return Batch(
        padded("heard"),
        padded("summary"),
        padded("expected"),
        where,
        padded("chord"),
        padded("bass"),
        is_step,
        padded("own"),
        padded("plan"),
        padded("style"),
        torch.tensor([crop.part for crop in crops]),
        *(joined(name) for name in names),
    )


def step_tokens(notes: Notes, n: int) -> dict[str, NDArray[Any]]:
    """Return the notes of n steps as they are written, and the end of each step."""
    counts = np.bincount(notes[:, 0], minlength=n)[:n]
    firsts = np.cumsum(counts) - counts
    rank = np.arange(len(notes)) - firsts[notes[:, 0]]
    index = notes[:, 0].astype(np.int64) + np.arange(len(notes))  # each end takes a place
    total = len(notes) + n
    ends = np.cumsum(counts + 1) - 1
    key = (notes[:, 2] - MIN_PITCH).astype(np.int64)
    at = np.repeat(np.arange(n), counts + 1)
    pitch = np.full(total, DONE)
    pitch[index] = key
    last = np.full(total, DONE)
    last[index + 1] = key
    struck = np.zeros((total, N_PITCHES), np.float32)
    for later in range(1, int(rank.max(initial=-1)) + 2):  # a note is seen by all after it
        sees = np.minimum(index + later, total - 1)
        is_own = index + later <= ends[notes[:, 0]]
        struck[sees[is_own], key[is_own]] = 1
    length, velocity = np.zeros(total, np.int64), np.zeros(total, np.int64)
    is_right = np.zeros(total, np.float32)
    length[index] = length_class(notes[:, 1])
    velocity[index] = velocity_class(notes[:, 3])
    is_right[index] = notes[:, 4]
    return {
        "at": at, "struck": struck, "last": last, "pitch": pitch, "length": length,
        "velocity": velocity, "is_right": is_right,
    }  # fmt: skip
