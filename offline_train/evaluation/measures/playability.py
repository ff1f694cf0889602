"""Whether ten fingers could play it: density, each hand's span and polyphony, broken rules.

Our own measures; there is no standard. Hands are separated by a running split point: at every
attack (onsets within 50 ms of the first) the split moves a quarter of the way to the middle between
the lowest and the highest note struck, and stays between G3 and G4; notes from it upwards are the
right hand's. A hand's span is measured over the notes that it strikes together, its polyphony is
the number of its notes that sound when it strikes. Pedal is not an input and not counted.

``find_unplayable`` holds a cover whose hands are known against the rules that
``engine.perform.hands`` promises to keep; it shares no code with it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Notes = NDArray[np.float32]
Flags = NDArray[np.bool_]

ATTACK_S = 0.05
RESTRIKE_S = 0.06
SPLIT_START, SPLIT_LOW, SPLIT_HIGH = 60.0, 55.0, 67.0
SPLIT_PACE = 0.25
N_FINGERS = 5
LEAP_PER_S = 100.0  # semitones that a hand travels in a second
LEAP_MEMORY_S = 1.0
TOLERANCE_S = 1e-4  # of times in float32


@dataclass(frozen=True, slots=True)
class HandScore:
    """One hand's figures; 0 if it plays nothing."""

    notes_a_second: float
    mean_span: float  # semitones, over attacks of two notes or more
    mean_polyphony: float
    max_polyphony: int


@dataclass(frozen=True, slots=True)
class PlayabilityScore:
    """One song's figures."""

    n_notes: int
    seconds: float
    n_restrikes: int  # note-ons less than 60 ms after the same key's last
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
    return PlayabilityScore(
        len(notes),
        seconds,
        count_restrikes(notes),
        float(notes[:, 3].mean()) if len(notes) else 0.0,
        _score_hand(notes[~is_right], seconds),
        _score_hand(notes[is_right], seconds),
    )


def attacks(onsets: NDArray[np.floating], within: float = ATTACK_S) -> list[slice]:
    """Return which onsets (n,), in order, are struck together: within so many seconds of the first.

    >>> attacks(np.array([0.0, 0.02, 0.5]))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    groups, start = [], 0
    for k in range(1, len(onsets) + 1):
        if k == len(onsets) or onsets[k] - onsets[start] > within:
            groups.append(slice(start, k))
            start = k
    return groups


def split_hands(notes: Notes) -> NDArray[np.bool_]:
    """Return for each of the notes (n, >= 4), ordered by onset, whether the right hand plays it."""
    is_right = np.zeros(len(notes), bool)
    split = SPLIT_START
    for group in attacks(notes[:, 0]):
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


@dataclass(frozen=True, slots=True)
class Unplayable:
    """Which of n notes break a rule at the moment when they are struck; each (n,) bool."""

    span: Flags  # farther than the span from a key that the hand holds
    fingers: Flags  # a sixth key in one hand
    crossing: Flags  # a key of the left hand that is not below every key of the right
    restrike: Flags  # a key struck twice within 60 ms
    leap: Flags  # farther from what the hand has just struck than it can travel

    @property
    def any(self) -> Flags:
        """Notes that break at least one."""
        return self.span | self.fingers | self.crossing | self.restrike | self.leap


def find_unplayable(notes: Notes, is_right: Flags, span: float = 14.0) -> Unplayable:
    """Return which of the notes (n, >= 4), ordered by onset, two hands cannot strike.

    A key is busy until its offset, and for 60 ms after its onset at the least. A note is held
    against the notes before it in order, so of a chord too wide only the later notes count.

    Parameters
    ----------
    notes
        Onset, offset, pitch, velocity.
    is_right
        (n,) whether the right hand plays it.
    span
        Semitones from the lowest to the highest key of a hand.
    """
    onset, offset, pitch = notes[:, :3].astype(float).T
    busy_until = np.maximum(offset, onset + RESTRIKE_S)
    broken = np.zeros((5, len(notes)), bool)
    for k in range(len(notes)):
        now, key = onset[k], pitch[k]
        age = now - onset[:k]
        is_busy = busy_until[:k] > now + TOLERANCE_S
        is_own = is_right[:k] == is_right[k]
        distance = np.abs(pitch[:k] - key)
        own, other = pitch[:k][is_busy & is_own], pitch[:k][is_busy & ~is_own]
        held = np.append(own, key)
        is_recent = is_own & (age < LEAP_MEMORY_S)
        way = span + LEAP_PER_S * np.maximum(age + TOLERANCE_S - RESTRIKE_S, 0.0)
        broken[:, k] = (
            np.ptp(held) > span,
            len(held) > N_FINGERS,
            (other >= key).any() if is_right[k] else (other <= key).any(),
            ((distance == 0) & (age < RESTRIKE_S - TOLERANCE_S)).any(),
            (is_recent & (distance > way)).any(),
        )
    return Unplayable(*broken)


def _score_hand(notes: Notes, seconds: float) -> HandScore:
    groups = attacks(notes[:, 0])
    if not groups or not seconds:
        return HandScore(0.0, 0.0, 0.0, 0)
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
        float(np.mean(sounding)),
        max(sounding),
    )
