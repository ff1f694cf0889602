"""Whether ten fingers could play it: density, and each hand's span and polyphony.

Our own measures; there is no standard. Hands are told apart by a running split point: at every
attack (onsets within 50 ms of the first) the split moves a quarter of the way to the middle
between the lowest and the highest note struck, and stays between G3 and G4; notes from it upwards
are the right hand's. A hand's span is measured over the notes that it strikes together, its
polyphony is the number of its notes that sound when it strikes. Pedal is not known and not counted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Notes = NDArray[np.float32]

ATTACK_S = 0.05
RESTRIKE_S = 0.06
SPLIT_START, SPLIT_LOW, SPLIT_HIGH = 60.0, 55.0, 67.0
SPLIT_PACE = 0.25
TENTH = 16  # semitones: what most hands reach


@dataclass(frozen=True, slots=True)
class HandScore:
    """One hand's figures; 0 if it plays nothing."""

    notes_a_second: float
    mean_span: float  # semitones, over attacks of two notes or more
    wide_share: float  # attacks wider than a tenth, of all its attacks
    mean_polyphony: float
    max_polyphony: int


@dataclass(frozen=True, slots=True)
class PlayabilityScore:
    """One song's figures."""

    n_notes: int
    seconds: float
    n_restrikes: int  # note-ons less than 60 ms after the same key's last
    median_note_s: float
    mean_velocity: float
    left: HandScore
    right: HandScore

    @property
    def notes_a_second(self) -> float:
        """Note-ons for each second of the song."""
        return self.n_notes / self.seconds if self.seconds else 0.0

    @property
    def restrike_share(self) -> float:
        """Of all note-ons."""
        return self.n_restrikes / self.n_notes if self.n_notes else 0.0


def score_playability(notes: Notes, seconds: float) -> PlayabilityScore:
    """Return the score of notes (n, >= 4) that cover a song of so many seconds."""
    notes = notes[np.lexsort((notes[:, 2], notes[:, 0]))]
    is_right = split_hands(notes)
    lengths = notes[:, 1] - notes[:, 0]
    return PlayabilityScore(
        len(notes),
        seconds,
        count_restrikes(notes),
        float(np.median(lengths)) if len(notes) else 0.0,
        float(notes[:, 3].mean()) if len(notes) else 0.0,
        _score_hand(notes[~is_right], seconds),
        _score_hand(notes[is_right], seconds),
    )


def attacks(notes: Notes) -> list[slice]:
    """Return the notes, ordered by onset, that are struck together: within 50 ms of the first."""
    groups, start = [], 0
    for k in range(1, len(notes) + 1):
        if k == len(notes) or notes[k, 0] - notes[start, 0] > ATTACK_S:
            groups.append(slice(start, k))
            start = k
    return groups


def split_hands(notes: Notes) -> NDArray[np.bool_]:
    """Return for each of the notes (n, >= 4), ordered by onset, whether the right hand plays it."""
    is_right = np.zeros(len(notes), bool)
    split = SPLIT_START
    for group in attacks(notes):
        pitches = notes[group, 2]
        middle = (float(pitches.min()) + float(pitches.max())) / 2
        split += SPLIT_PACE * (middle - split)
        split = min(max(split, SPLIT_LOW), SPLIT_HIGH)
        is_right[group] = pitches >= split
    return is_right


def count_restrikes(notes: Notes, within: float = RESTRIKE_S) -> int:
    """Return how many note-ons follow the same pitch's last by less than ``within`` seconds."""
    last: dict[int, float] = {}
    n = 0
    for onset, pitch in sorted((float(onset), int(pitch)) for onset, pitch in notes[:, [0, 2]]):
        n += onset - last.get(pitch, -np.inf) < within - 1e-6
        last[pitch] = onset
    return n


def _score_hand(notes: Notes, seconds: float) -> HandScore:
    groups = attacks(notes)
    if not groups or not seconds:
        return HandScore(0.0, 0.0, 0.0, 0.0, 0)
    spans = np.array([float(np.ptp(notes[group, 2])) for group in groups])
    chords = spans[spans > 0]
    starts = [float(notes[group.stop - 1, 0]) for group in groups]
    sounding = [
        int(((notes[: group.stop, 1] > start) | (notes[: group.stop, 0] >= start - ATTACK_S)).sum())
        for group, start in zip(groups, starts, strict=True)
    ]
    return HandScore(
        len(notes) / seconds,
        float(chords.mean()) if len(chords) else 0.0,
        float((spans > TENTH).mean()),
        float(np.mean(sounding)),
        max(sounding),
    )
