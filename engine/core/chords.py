"""Chord qualities by their names in Harte's notation ("Symbolic representation", ISMIR 2005).

Pitch classes count from C = 0. Not here: recognising chords (``engine.whole_song.harmony``),
planning them (``engine.accompany``).
"""

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
