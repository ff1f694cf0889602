"""Note metrics of a cover against the human's, by mir_eval.

Notes are float arrays (n, >= 4): onset, offset in seconds, MIDI pitch, velocity.
Definitions: mir_eval.transcription (Raffel et al., ISMIR 2014); an estimated note is right if it
has the pitch and an onset within 50 ms of a reference note, each reference matched once.
"""

from dataclasses import dataclass

import mir_eval
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

ONSET_TOLERANCE = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class NoteScore:
    """Counts from which precision, recall and F1 follow, so that songs can be summed."""

    n_reference: int
    n_estimated: int
    n_matched: int
    n_melody: int  # reference notes of the melody
    n_melody_matched: int

    @property
    def precision(self) -> float:
        """Share of estimated notes that match; 0 if there are none."""
        return self.n_matched / self.n_estimated if self.n_estimated else 0.0

    @property
    def recall(self) -> float:
        """Share of reference notes that are matched; 0 if there are none."""
        return self.n_matched / self.n_reference if self.n_reference else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.n_reference + self.n_estimated
        return 2 * self.n_matched / total if total else 0.0

    @property
    def density(self) -> float:
        """Estimated notes for each note of the human."""
        return self.n_estimated / max(self.n_reference, 1)

    @property
    def melody_recall(self) -> float:
        """Share of the melody's notes that are matched; 0 if there are none."""
        return self.n_melody_matched / self.n_melody if self.n_melody else 0.0

    def __add__(self, other: "NoteScore") -> "NoteScore":
        return NoteScore(
            self.n_reference + other.n_reference,
            self.n_estimated + other.n_estimated,
            self.n_matched + other.n_matched,
            self.n_melody + other.n_melody,
            self.n_melody_matched + other.n_melody_matched,
        )


NO_NOTES = NoteScore(0, 0, 0, 0, 0)


def score_notes(reference: Array, estimated: Array) -> NoteScore:
    """Return the score of notes (m, >= 4) against notes (n, 5), the fifth column "is melody"."""
    pairs: list[tuple[int, int]] = []
    if len(reference) and len(estimated):
        pairs = mir_eval.transcription.match_notes(
            _intervals(reference),
            mir_eval.util.midi_to_hz(reference[:, 2].astype(float)),
            _intervals(estimated),
            mir_eval.util.midi_to_hz(estimated[:, 2].astype(float)),
            onset_tolerance=ONSET_TOLERANCE,
            offset_ratio=None,
        )
    melody = reference[:, 4] > 0.5 if len(reference) else np.zeros(0, bool)
    matched = sum(bool(melody[k]) for k, _ in pairs)
    return NoteScore(len(reference), len(estimated), len(pairs), int(melody.sum()), matched)


def _intervals(notes: Array) -> NDArray[np.float64]:
    """Return (n, 2) onset and offset, every note at least a millisecond long."""
    intervals = notes[:, :2].astype(float)
    intervals[:, 1] = np.maximum(intervals[:, 1], intervals[:, 0] + 0.001)
    return intervals
