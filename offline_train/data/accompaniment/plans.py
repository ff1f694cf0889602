"""Plans with mistakes, notes that follow them, and the player's inputs of both.

Shapes: S steps, n notes, P = 88 pitches. Not here: crops (``crops``).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.accompany.chords import (
    CLASS_TONES,
    N_CLASSES,
    N_QUALITIES,
    NO_CHORD,
    QUALITIES,
    chord_vectors,
    class_of,
)
from engine.accompany.playing import held_rows
from models.accompanist import N_STYLES
from models.spec import MIN_PITCH, N_PITCHES

Array = NDArray[np.float32]
Notes = NDArray[np.int16]

SHARE_LATE = 0.5  # of changes of chord, where the plan is not the truth
SHARE_WRONG = 0.2
LONGEST_MISTAKE = 8
SHARE_ASKED = 0.75  # of a style's values
SHARE_FREE = 0.15  # of crops without any
STYLE_BLOCKS = (64, 128, 512)
STYLE_MEAN = np.array([0.81, 0.52, 57.5, 7.6, 78.6, 3.3], np.float32)
STYLE_SPREAD = np.array([0.3, 0.18, 3.5, 2.0, 9.0, 1.3], np.float32)


def moved_chords(
    chords: NDArray[np.int16], semitones: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return class and bass (S,) of chords (S, 3) in another key; the bass of none is 0."""
    there = chords[:, :1] >= 0
    shifted = np.where(there & (np.arange(3) != 1), (chords + semitones) % 12, chords)
    return class_of(shifted), np.maximum(shifted[:, 2], 0).astype(np.int64)


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
