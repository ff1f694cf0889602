"""Chords as the accompanist plans them: one of 97 classes, and the lowest pitch class.

A class is root and quality, or none; as a vector a chord is 36 numbers (root, tones, bass), as
everywhere (``engine.core.chords``). Pitch classes count from C = 0.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.chords import CHORD_DIM, chord_vector, qualities

Array = NDArray[np.float32]

QUALITIES = qualities("maj", "min", "7", "maj7", "min7", "sus4", "sus2", "dim")
QUALITY_NAMES = tuple(QUALITIES)
N_QUALITIES = len(QUALITIES)
NO_CHORD = 12 * N_QUALITIES
N_CLASSES = NO_CHORD + 1


class Chord(NamedTuple):
    """A chord; -1 everywhere is none."""

    root: int
    quality: int
    bass: int


def class_of(chords: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the class of chords (..., 3): root * qualities + quality, or ``NO_CHORD``."""
    root, quality = chords[..., 0].astype(np.int64), chords[..., 1]
    return np.where(root < 0, NO_CHORD, root * N_QUALITIES + quality)


def _class_rows() -> Array:
    """Return (classes, 24): the numbers of each class's chord without its bass, zeros of none."""
    rows = np.zeros((N_CLASSES, CHORD_DIM - 12), np.float32)
    for root in range(12):
        for k, intervals in enumerate(QUALITIES.values()):
            tones = [root + i for i in intervals]
            rows[root * N_QUALITIES + k] = chord_vector(root, tones, root)[:-12]
    return rows


_ROWS = _class_rows()
CLASS_TONES: Array = _ROWS[:, 12:]
"""(classes, 12): which pitch classes belong to a class; nothing to none."""


def chord_vectors(classes: NDArray[np.integer], bass: NDArray[np.integer]) -> Array:
    """Return the 36 numbers (..., 36) of classes (...,) with basses (...,); zeros of none."""
    classes = np.asarray(classes)
    lowest = np.eye(12, dtype=np.float32)[np.asarray(bass) % 12]
    is_none = (classes == NO_CHORD)[..., None]
    return np.concatenate([_ROWS[classes], np.where(is_none, np.float32(0), lowest)], -1)
