"""Chord qualities by their names in Harte's notation ("Symbolic representation", ISMIR 2005).

Pitch classes count from C = 0. Not here: recognising chords (``engine.whole_song.harmony``),
planning them (``engine.accompany``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PITCH_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
CHORD_DIM = 36
"""Numbers of a chord as a vector: root one-hot, chroma, bass one-hot (as in PianoTree)."""

INTERVALS: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7), "min": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "sus2": (0, 2, 7),
    "sus4": (0, 5, 7), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "min7": (0, 3, 7, 10),
    "maj6": (0, 4, 7, 9), "min6": (0, 3, 7, 9), "dim7": (0, 3, 6, 9), "hdim7": (0, 3, 6, 10),
    "minmaj7": (0, 3, 7, 11), "sus4(b7)": (0, 5, 7, 10),
}  # fmt: skip
"""Semitones above the root."""


def qualities(*names: str) -> dict[str, tuple[int, ...]]:
    """Return some of ``INTERVALS``, in the order given.

    >>> qualities("min", "maj")
    {'min': (0, 3, 7), 'maj': (0, 4, 7)}
    """
    return {name: INTERVALS[name] for name in names}


def chord_vector(root: int, tones: Sequence[int], bass: int) -> NDArray[np.float32]:
    """Return a chord as a vector (36,); its tones are pitch classes, in any octave.

    >>> np.flatnonzero(chord_vector(9, (9, 12, 16), 0)).tolist()  # A minor over C
    [9, 12, 16, 21, 24]
    """
    vector = np.zeros(CHORD_DIM, np.float32)
    vector[root % 12] = 1
    vector[[12 + tone % 12 for tone in tones]] = 1
    vector[24 + bass % 12] = 1
    return vector
