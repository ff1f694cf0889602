"""What the sustain pedal does to a cover. Our own measures; read them beside the human's.

A note **rings** from where its key goes up to where the pedal does, or its key is struck again
(``corpora.with_pedal``). Ringing is **blurred** where it reaches into a later annotated chord that
does not hold the note's pitch class; a note foreign to the chord it was struck in is no fault of
the pedal's. A change of the pedal is its going up; it is near a human's if within 0.2 s of it, each
counted once (mir_eval's matching of events).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import mir_eval
import numpy as np
from numpy.typing import NDArray

from offline_train.corpora import Chord, Note, Pedal, with_pedal
from offline_train.evaluation.measures.transcription import Count
from offline_train.synthesis.bands.band import parse_chord

Notes = NDArray[np.float32]

NEAR_S = 0.2
EARLY_S = 0.1  # so long before a chord, a note may be struck that belongs to it
SHIFT_S = 1.0


@dataclass(frozen=True, slots=True)
class PedalScore:
    """One song's seconds and counts, or several songs' added up."""

    seconds: float = 0.0
    down_s: float = 0.0
    ringing_s: float = 0.0  # of all notes together
    blurred_s: float = 0.0
    changes: Count = Count()  # against the human's
    changes_late: Count = Count()  # the same a second late: chance

    @property
    def down_share(self) -> float:
        """Of the time."""
        return self.down_s / self.seconds if self.seconds else 0.0

    @property
    def changes_a_minute(self) -> float:
        """How often the pedal goes up."""
        return 60 * self.changes.n_estimated / self.seconds if self.seconds else 0.0

    @property
    def blurred_share(self) -> float:
        """Of what rings."""
        return self.blurred_s / self.ringing_s if self.ringing_s else 0.0

    def __add__(self, other: "PedalScore") -> "PedalScore":
        return PedalScore(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def score_pedal(
    notes: Notes,
    pedals: Sequence[Pedal],
    human: Sequence[Pedal],
    chords: Sequence[Chord],
    seconds: float,
) -> PedalScore:
    """Return the score of notes (n, >= 4), by the keys, under a pedal.

    ``human`` is the human's pedal and ``chords`` the song's, on the same time axis.
    """
    keys = [Note(float(r[0]), float(r[1]), int(r[2]), int(r[3])) for r in notes[:, :4]]
    ends = {(note.onset, note.pitch): note.offset for note in keys}
    ringing_s = blurred_s = 0.0
    for note in with_pedal(keys, [*pedals, Pedal(seconds, False)]):
        start, end = ends[note.onset, note.pitch], min(note.offset, seconds)
        if end > start:
            ringing_s += end - start
            later = [chord for chord in chords if chord.start > note.onset + EARLY_S]
            blurred_s += _outside(note.pitch, start, end, later)
    ours, theirs = _lifts(pedals), _lifts(human)
    return PedalScore(
        seconds,
        _down_s(pedals, seconds),
        ringing_s,
        blurred_s,
        _matched(theirs, ours),
        _matched(theirs, ours + SHIFT_S),
    )


def _outside(pitch: int, start: float, end: float, chords: Sequence[Chord]) -> float:
    """Return for how long between two times chords sound that do not hold the pitch's class."""
    total = 0.0
    for chord in chords:
        overlap = min(end, chord.end) - max(start, chord.start)
        parsed = parse_chord(chord.symbol)
        if overlap > 0 and parsed is not None:
            root, intervals, bass = parsed
            is_of_it = (pitch - root) % 12 in intervals or pitch % 12 == bass
            total += 0.0 if is_of_it else overlap
    return total


def _lifts(pedals: Sequence[Pedal]) -> NDArray[np.float64]:
    was_down = [False, *(pedal.is_down for pedal in pedals)]
    pairs = zip(was_down, pedals, strict=False)
    return np.array([pedal.time for before, pedal in pairs if before and not pedal.is_down])


def _down_s(pedals: Sequence[Pedal], seconds: float) -> float:
    ends = [*(pedal.time for pedal in pedals), seconds][1:]
    spans = (end - pedal.time for pedal, end in zip(pedals, ends, strict=False) if pedal.is_down)
    return float(sum(spans))


def _matched(theirs: NDArray[np.float64], ours: NDArray[np.float64]) -> Count:
    n = len(mir_eval.util.match_events(theirs, ours, NEAR_S)) if len(theirs) and len(ours) else 0
    return Count(len(theirs), len(ours), n)
