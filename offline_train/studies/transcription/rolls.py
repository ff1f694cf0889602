"""Notes to piano rolls and back, and how well rolls and notes agree.

Shapes: T frames, P = 88 pitches; notes float32 (n, >= 4): onset, offset in seconds, MIDI pitch,
velocity. A roll is True where a key sounds at the time of its frame, k ``frame_s``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.spec import MIN_PITCH
from offline_train.evaluation.measures.transcription import Count, score_transcription, sounding

Array = NDArray[np.float32]
Roll = NDArray[np.bool_]

THRESHOLD = 0.5
VELOCITY = 80
MEASURES = ("frame", "note", "note_with_offset")


def roll_of(notes: Array, n_frames: int, frame_s: float) -> Roll:
    """Return the roll (T, P) of notes."""
    return sounding(notes, n_frames, frame_s)


def notes_of(roll: Roll, frame_s: float) -> Array:
    """Return the notes (n, 5) of a roll: a note begins where it rises and ends where it falls.

    Both lie between two frames, and half a frame is taken off. A key struck again while it sounds
    makes no edge: like the paper's, such a decoding gives one long note.

    >>> roll = np.zeros((5, 88), bool)
    >>> roll[1:3, 39] = True
    >>> notes_of(roll, 0.1).tolist()[0][:3]
    [0.05000000074505806, 0.25, 60.0]
    """
    padded = np.pad(roll.astype(np.int8), ((1, 1), (0, 0)))
    edges = np.diff(padded, axis=0)
    notes = []
    for pitch in range(roll.shape[1]):
        starts, ends = (np.flatnonzero(edges[:, pitch] == sign) for sign in (1, -1))
        for start, end in zip(starts, ends, strict=True):
            onset = max(start - 0.5, 0.0) * frame_s
            notes.append((onset, (end - 0.5) * frame_s, pitch + MIN_PITCH, VELOCITY, 0))
    return np.array(sorted(notes), np.float32).reshape(-1, 5)


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 from 0 to 1."""

    precision: float
    recall: float
    f1: float

    @classmethod
    def of(cls, counts: Sequence[Count]) -> "Score":
        """Return the mean over pieces, as the papers have it."""
        rows = [(c.precision, c.recall, c.f1) for c in counts] or [(0.0, 0.0, 0.0)]
        return cls(*(float(value) for value in np.mean(rows, axis=0)))


def score_notes(pairs: Sequence[tuple[Array, Array]]) -> dict[str, Score]:
    """Return frame, note and note-with-offset scores of (true, found) notes of some pieces.

    By ``evaluation.transcription``, mir_eval's rules: frames of 16 ms, onsets within 50 ms, offsets
    within the larger of 50 ms and a fifth of the note.
    """
    scores = [score_transcription(true, found) for true, found in pairs]
    return {
        "frame": Score.of([s.frame for s in scores]),
        "note": Score.of([s.onset for s in scores]),
        "note_with_offset": Score.of([s.onset_offset for s in scores]),
    }


@dataclass(frozen=True, slots=True)
class Cells:
    """Counts over the cells of rolls, all rolls together."""

    n_true: int = 0
    n_found: int = 0
    n_both: int = 0
    n_cells: int = 0

    @classmethod
    def of(cls, true: Roll, found: Roll) -> "Cells":
        """Return the counts of two rolls of one shape."""
        return cls(int(true.sum()), int(found.sum()), int((true & found).sum()), true.size)

    def __add__(self, other: "Cells") -> "Cells":
        return Cells(
            self.n_true + other.n_true,
            self.n_found + other.n_found,
            self.n_both + other.n_both,
            self.n_cells + other.n_cells,
        )

    @property
    def precision(self) -> float:
        """Share of the found cells that sound."""
        return self.n_both / self.n_found if self.n_found else 0.0

    @property
    def recall(self) -> float:
        """Share of the sounding cells that were found."""
        return self.n_both / self.n_true if self.n_true else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = self.n_true + self.n_found
        return 2 * self.n_both / both if both else 0.0

    @property
    def printed_f1(self) -> float:
        """P R / (P + R), which is what paper 3's column F1 holds: half of the harmonic mean."""
        return self.f1 / 2

    @property
    def accuracy(self) -> float:
        """Share of all cells that are right."""
        wrong = self.n_true + self.n_found - 2 * self.n_both
        return 1 - wrong / self.n_cells if self.n_cells else 0.0
