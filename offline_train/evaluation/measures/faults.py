"""What users of such programs complain of: notes held too long, and notes repeated.

Our own measures, in the terms of transcription, against the human's cover, keys with keys:

- A note that is matched with a human's (mir_eval, onset within 50 ms) is **too long** if it ends
  later than that by more than MIREX's tolerance, the larger of 50 ms and 20% of its length; it is
  **left hanging** if it ends more than a second later.
- A note is **repeated** if its key has been struck before within one and the same note of the
  human's, who holds it: what is called fragmentation in transcription.
- A note is struck **again at once** within 60 ms of its key's last, **soon** within 120 ms.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from offline_train.evaluation.measures.playability import count_restrikes
from offline_train.evaluation.measures.transcription import ONSET_TOLERANCE, match_notes

Notes = NDArray[np.float32]

SOON_S = 0.12
OFFSET_TOLERANCE, OFFSET_RATIO = 0.05, 0.2  # MIREX's: seconds, of the note's length
HANGING_S = 1.0
LONG_S = 2.0
MARGIN_S = 1e-4  # of times in float32


@dataclass(frozen=True, slots=True)
class FaultScore:
    """Counts of one song's notes, or of several songs' added up."""

    n_notes: int = 0
    n_long: int = 0  # held for more than LONG_S
    n_struck_at_once: int = 0  # again within 60 ms
    n_struck_soon: int = 0  # again within 120 ms
    n_repeated: int = 0
    n_matched: int = 0  # with a note of the human's
    n_too_long: int = 0
    n_hanging: int = 0
    n_too_short: int = 0

    def of_notes(self, name: str) -> float:
        """Return a count as a share of all notes."""
        return float(getattr(self, name)) / max(self.n_notes, 1)

    def of_matched(self, name: str) -> float:
        """Return a count as a share of the notes that the human has too."""
        return float(getattr(self, name)) / max(self.n_matched, 1)

    def __add__(self, other: "FaultScore") -> "FaultScore":
        return FaultScore(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def score_faults(human: Notes, notes: Notes) -> FaultScore:
    """Return the faults of notes (n, >= 4) against the human's (m, >= 4); ends are keys' ends."""
    pairs = match_notes(human, notes)
    theirs, ours = human[[k for k, _ in pairs]], notes[[m for _, m in pairs]]
    late = ours[:, 1] - theirs[:, 1]
    allowed = np.maximum(OFFSET_TOLERANCE, OFFSET_RATIO * (theirs[:, 1] - theirs[:, 0]))
    return FaultScore(
        n_notes=len(notes),
        n_long=int((notes[:, 1] - notes[:, 0] > LONG_S).sum()),
        n_struck_at_once=count_restrikes(notes),
        n_struck_soon=count_restrikes(notes, SOON_S),
        n_repeated=count_repeated(human, notes),
        n_matched=len(pairs),
        n_too_long=int((late > allowed + MARGIN_S).sum()),
        n_hanging=int((late > HANGING_S).sum()),
        n_too_short=int((late < -allowed - MARGIN_S).sum()),
    )


def count_repeated(human: Notes, notes: Notes) -> int:
    """Return how many notes strike a key again that the human strikes once and holds."""
    n = 0
    for pitch in np.unique(notes[:, 2]):
        struck = np.sort(notes[notes[:, 2] == pitch, 0])
        for onset, offset in human[human[:, 2] == pitch, :2]:
            inside = (struck >= onset - ONSET_TOLERANCE) & (struck < offset - ONSET_TOLERANCE)
            n += max(int(inside.sum()) - 1, 0)
    return n
