"""How cleanly a cover is parted into melody and accompaniment. Our own measures.

The truth is POP909's cover of one pianist and a lead: the MELODY track, and the PIANO track without
the notes that double it (``Song.cover``). All shares are over notes of the truth.

- A melody note has **leaked** if the accompaniment part strikes its pitch within 50 ms of it: the
  singer would hear the piano double the tune.
- It has leaked **in any octave** if the accompaniment part strikes its pitch class within 50 ms,
  at a pitch that the human's accompaniment does not strike then. Chords often hold the tune's pitch
  class; how often the human's do, at any pitch, is the **echo** to compare with.
- An accompaniment note is **lost** if the full cover strikes it (mir_eval's matching, 50 ms) and
  the accompaniment part does not.

A melody note that the full cover does not play cannot leak, so the leaked ones are also counted
against those that it plays. Notes are float32 (n, 5): onset, offset, pitch, velocity, "is melody".
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from offline_train.evaluation.measures.transcription import ONSET_TOLERANCE, match_notes

Notes = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PartsScore:
    """Counts of one song, or of several added up."""

    n_melody: int = 0  # of the truth
    n_melody_found: int = 0  # of these, struck by the full cover
    n_leaked: int = 0
    n_leaked_anywhere: int = 0  # in any octave
    n_echoed: int = 0  # melody notes whose pitch class the accompaniment part strikes
    n_human_echoed: int = 0  # the same of the human's accompaniment
    n_doubled: int = 0  # melody notes that the human's piano doubles, at the same pitch
    n_doubled_leaked: int = 0
    n_accompaniment_found: int = 0  # of the truth, struck by the full cover
    n_lost: int = 0
    n_notes: int = 0  # of the full cover
    n_part: int = 0  # of the accompaniment part

    @property
    def leaked_share(self) -> float:
        """Of the song's melody notes."""
        return self.n_leaked / max(self.n_melody, 1)

    @property
    def leaked_share_of_found(self) -> float:
        """Of the song's melody notes that the full cover plays."""
        return self.n_leaked / max(self.n_melody_found, 1)

    @property
    def leaked_share_anywhere(self) -> float:
        """Of the song's melody notes, in any octave."""
        return self.n_leaked_anywhere / max(self.n_melody, 1)

    @property
    def echoes(self) -> tuple[float, float]:
        """Of the song's melody notes: the accompaniment part's echo, and the human's."""
        n = max(self.n_melody, 1)
        return self.n_echoed / n, self.n_human_echoed / n

    @property
    def doubled_leaked_share(self) -> float:
        """Of the melody notes that the human's piano doubles."""
        return self.n_doubled_leaked / max(self.n_doubled, 1)

    @property
    def lost_share(self) -> float:
        """Of the human's accompaniment notes that the full cover plays."""
        return self.n_lost / max(self.n_accompaniment_found, 1)

    def __add__(self, other: "PartsScore") -> "PartsScore":
        return PartsScore(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def score_parts(truth: Notes, cover: Notes, piano: Notes | None = None) -> PartsScore:
    """Return the counts of a cover (n, 5) against the truth (m, 5).

    ``piano`` (k, >= 3) is all that the human's piano plays, its doublings of the melody too.
    """
    melody, accompaniment = _parted(truth)
    _, part = _parted(cover)
    is_leaked = _struck(melody, part)
    foreign = part[~_struck(part, accompaniment)]
    is_leaked_anywhere = is_leaked | _struck(_folded(melody), _folded(foreign))
    is_doubled = _struck(melody, piano) if piano is not None else np.zeros(len(melody), bool)
    found = {k for k, _ in match_notes(accompaniment, cover)}
    left = {k for k, _ in match_notes(accompaniment, part)}
    return PartsScore(
        n_melody=len(melody),
        n_melody_found=len(match_notes(melody, cover)),
        n_leaked=int(is_leaked.sum()),
        n_leaked_anywhere=int(is_leaked_anywhere.sum()),
        n_echoed=int(_struck(_folded(melody), _folded(part)).sum()),
        n_human_echoed=int(_struck(_folded(melody), _folded(accompaniment)).sum()),
        n_doubled=int(is_doubled.sum()),
        n_doubled_leaked=int((is_doubled & is_leaked).sum()),
        n_accompaniment_found=len(found),
        n_lost=len(found - left),
        n_notes=len(cover),
        n_part=len(part),
    )


def _parted(notes: Notes) -> tuple[Notes, Notes]:
    """Return melody and accompaniment."""
    is_melody = notes[:, 4] > 0.5
    return notes[is_melody], notes[~is_melody]


def _struck(notes: Notes, others: Notes) -> NDArray[np.bool_]:
    """Return for each of the notes (n, >= 3) whether some other has its pitch within 50 ms."""
    is_near = np.abs(notes[:, None, 0] - others[None, :, 0]) <= ONSET_TOLERANCE + 1e-4
    is_same = notes[:, None, 2] == others[None, :, 2]
    return np.asarray((is_near & is_same).any(1))


def _folded(notes: Notes) -> Notes:
    """Return the notes with pitch classes for pitches."""
    folded = notes.copy()
    folded[:, 2] %= 12
    return folded
