"""Notes on sixteenths as the player reads and writes them: classes of length and velocity, rolls.

Shapes: S steps, n notes, P = 88 pitches; lengths and times are in steps.
"""

import numpy as np
from numpy.typing import NDArray

from models.spec import MIN_PITCH, N_PITCHES

Array = NDArray[np.float32]
Ints = NDArray[np.integer]

LENGTHS = np.array([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 32, 48])
"""Steps that a note of each class is held."""
VELOCITY_STEP = 8
HELD_SCALE = 16.0
_BORDERS = (LENGTHS[1:] + LENGTHS[:-1]) / 2


def length_class(steps: Ints) -> NDArray[np.int64]:
    """Return the class of lengths in steps."""
    return np.searchsorted(_BORDERS, steps, side="left").astype(np.int64)


def velocity_class(velocity: Ints) -> NDArray[np.int64]:
    """Return the class, 0 to 15, of MIDI velocities."""
    return (np.asarray(velocity) // VELOCITY_STEP).astype(np.int64)


def velocity_of(classes: Ints) -> NDArray[np.int64]:
    """Return the MIDI velocity in the middle of classes."""
    return np.maximum(VELOCITY_STEP * np.asarray(classes, np.int64) + VELOCITY_STEP // 2, 1)


def held_rows(begins: Ints, ends: Ints, pitches: Ints, n: int, stops: Ints | None = None) -> Array:
    """Return for each of n steps which keys are down from before it, (n, P).

    As the share of 16 steps for which they are still to be held, 1 at the most. ``stops`` are the
    steps on which they are let go, where that is sooner than was meant.
    """
    rows = np.zeros((n, N_PITCHES), np.float32)
    stops = ends if stops is None else stops
    for begin, end, pitch, stop in zip(begins, ends, pitches, stops, strict=True):
        steps = np.arange(int(begin) + 1, min(int(stop), n))
        rows[steps, int(pitch) - MIN_PITCH] = np.minimum((int(end) - steps) / HELD_SCALE, 1)
    return rows
