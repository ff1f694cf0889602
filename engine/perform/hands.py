"""Two hands: which hand strikes each note, and what is left out so that two hands can.

Pure: no clock, no input or output, nothing random; a note is decided in the push that brings it,
so nothing is played later for it. What two hands can play:

- A key is busy from its note-on to its note-off, and for ``STRIKE_S`` at the least: a finger
  cannot strike and be gone sooner. The same key is struck again after ``STRIKE_S`` at the earliest.
- The busy keys of a hand lie within ``span`` semitones and are ``fingers`` at most.
- Hands do not cross: every busy key of the left lies below every busy key of the right.
- A hand leaps at a finite speed: a key lies at most ``span`` semitones from each that the hand
  struck before, and ``LEAP_PER_S`` more for each second since the finger could leave that one
  (1.4 m/s on keys of 13.7 mm: two octaves beyond reach take a quarter of a second).

The rules are ours; there is no standard. ``offline_train.evaluation.measures.playability`` checks
them on its own. Not here: which part is played (``engine.perform.performer``), and the pedal
(``engine.perform.pedal``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf

from engine.core.notes import Hand, NoteEvent, Part

STRIKE_S = 0.06
LEAP_PER_S = 100.0
MEMORY_S = 1.0  # after which a hand can be anywhere on the keyboard
HOME: dict[Hand, float] = {"left": 48.0, "right": 72.0}
PACE = 0.5  # of the way from a hand's place to what it strikes

MELODY_WORTH = 2.0
BASS_WORTH = 1.0
LOUD_WORTH = 0.5
EARLY_END = 0.4
"""What an early end costs, as a share of what leaving the note out would."""
TRAVEL_COST = 0.02
"""Cost of a semitone of a hand's travel: it decides where either hand could play."""
MARGIN_S = 1e-9


@dataclass(slots=True)
class _Key:
    """A key that a hand has struck; ``is_down`` until it is let go."""

    pitch: int
    part: Part
    hand: Hand
    struck: float
    worth: float
    is_down: bool = True


@dataclass(frozen=True, slots=True)
class _Grip:
    """What a hand may strike together, and the keys that are let go for it."""

    score: float = 0.0
    pitches: tuple[int, ...] = ()
    ended: tuple[int, ...] = ()


class Hands:
    """Keeps what two hands can play of a stream of notes, and gives each note a hand.

    Notes of one row of the decoder are decided together; a row is never split between pushes, so
    the result does not depend on block size. Melody counts most, then the bass, then
    what is loud. A note that has sounded is ended early rather than a new one left out, unless
    it is worth far more. Order is kept; every note-on that is kept gets its one note-off.

    Parameters
    ----------
    span
        Semitones from the lowest to the highest key that a hand holds: 14 is a ninth.
    fingers
        Keys that a hand holds at once.
    frame_s
        Seconds of a row.
    """

    def __init__(self, span: int = 14, fingers: int = 5, frame_s: float = 0.016) -> None:
        self._span, self._fingers, self._frame_s = span, fingers, frame_s
        self.reset()

    def reset(self) -> None:
        """Begin anew; keys that are down are dropped without note-offs."""
        self._keys: list[_Key] = []  # struck within MEMORY_S, or down
        self._place = dict(HOME)

    def push(self, events: Sequence[NoteEvent]) -> list[NoteEvent]:
        """Return what is played of ``events``, which are in time order, with hands.

        A note-off without a note that is kept is dropped.
        """
        played: list[NoteEvent] = []
        taken: dict[int, _Key] = {}
        ended: set[int] = set()
        row = -inf
        for k, event in enumerate(events):
            if not event.is_on:
                played += self._release(event.time, {event.pitch})
                continue
            if self._row(event) != row:
                row = self._row(event)
                ons = [on for on in events[k:] if on.is_on and self._row(on) == row]
                taken, ended = self._plan(ons)
            key = taken.pop(event.pitch, None)
            if key is not None:
                played += self._release(event.time, ended | {event.pitch})
                ended = set()
                key.struck = event.time
                self._keys.append(key)
                played.append(replace(event, hand=key.hand))
        return played

    def _row(self, event: NoteEvent) -> int:
        """Return the decoder's row, whose onsets lie within half a row of it."""
        return ceil(event.time / self._frame_s - 0.5)

    def _release(self, time: float, pitches: set[int]) -> list[NoteEvent]:
        """Return the note-offs of those of ``pitches`` that are down."""
        released = [key for key in self._keys if key.is_down and key.pitch in pitches]
        for key in released:
            key.is_down = False
        return [NoteEvent(time, key.pitch, 0, key.part, key.hand) for key in released]

    def _plan(self, ons: list[NoteEvent]) -> tuple[dict[int, _Key], set[int]]:
        """Return the keys to strike of a row, by pitch, and the pitches to let go before."""
        now = ons[0].time
        self._keys = [key for key in self._keys if key.is_down or now - key.struck < MEMORY_S]
        found: dict[int, NoteEvent] = {}
        for on in ons:
            found.setdefault(on.pitch, on)
        row = [self._key(found[pitch], min(found)) for pitch in sorted(found)]
        left, right = (list(self._grips(hand, row, now)) for hand in HOME)
        best: tuple[float, _Grip, _Grip] | None = None
        for split in range(len(row) + 1):  # the left hand's below it, the right hand's from it on
            grips = (
                max((grip for _, stop, grip in left if stop <= split), key=_score),
                max((grip for start, _, grip in right if start >= split), key=_score),
            )
            score = grips[0].score + grips[1].score
            if best is None or score > best[0]:
                best = score, *grips
        assert best is not None
        taken: dict[int, _Key] = {}
        for hand, grip in zip(HOME, best[1:], strict=True):
            for key in row:
                if key.pitch in grip.pitches:
                    key.hand = hand
                    taken[key.pitch] = key
            if grip.pitches:
                middle = sum(grip.pitches) / len(grip.pitches)
                self._place[hand] += PACE * (middle - self._place[hand])
        return taken, {*best[1].ended, *best[2].ended}

    def _key(self, on: NoteEvent, lowest: int) -> _Key:
        """Return the key of a note-on, as yet the left hand's; ``lowest`` is the row's."""
        worth = 1.0 + LOUD_WORTH * on.velocity / 127
        worth += MELODY_WORTH if on.part == "melody" else 0.0
        down = [key.pitch for key in self._keys if key.is_down]
        worth += BASS_WORTH if on.pitch == min([lowest, *down]) else 0.0
        return _Key(on.pitch, on.part, "left", on.time, worth)

    def _grips(self, hand: Hand, row: list[_Key], now: float) -> Iterator[tuple[int, int, _Grip]]:
        """Yield (start, stop, grip) for each stretch of the row that the hand can span.

        The last is a grip of nothing, for any split.
        """
        for start in range(len(row)):
            for stop in range(start + 1, len(row) + 1):
                if row[stop - 1].pitch - row[start].pitch > self._span:
                    break
                reached = [key for key in row[start:stop] if self._reaches(hand, key.pitch, now)]
                grip = self._grip(hand, reached, {key.pitch for key in row}, now)
                if grip is not None:
                    yield start, stop, grip
        yield (0, 0, _Grip()) if hand == "left" else (len(row), len(row), _Grip())

    def _reaches(self, hand: Hand, pitch: int, now: float) -> bool:
        """Return whether a hand can reach a pitch in the time since its last keys."""
        for key in self._keys:
            age = now - key.struck
            is_young = age < STRIKE_S - MARGIN_S
            if key.hand == hand:
                way = self._span + LEAP_PER_S * max(0.0, age - STRIKE_S)
                if abs(pitch - key.pitch) > way or (is_young and pitch == key.pitch):
                    return False
            elif is_young and (pitch >= key.pitch if hand == "left" else pitch <= key.pitch):
                return False
        return True

    def _grip(self, hand: Hand, reached: list[_Key], row: set[int], now: float) -> _Grip | None:
        """Return the grip on the best of ``reached``, which the hand can span."""
        own = [key for key in self._keys if key.hand == hand]
        n_young = sum(now - key.struck < STRIKE_S - MARGIN_S for key in own)
        free = self._fingers - n_young
        taken = sorted(reached, key=lambda key: key.worth, reverse=True)[: max(free, 0)]
        if not taken:
            return None
        pitches = tuple(key.pitch for key in taken)
        low, high = min(pitches), max(pitches)
        ended: list[_Key] = []
        kept: list[_Key] = []
        for key in self._keys:
            if not key.is_down or now - key.struck < STRIKE_S - MARGIN_S:
                continue
            if key.hand == hand:
                is_near = high - self._span <= key.pitch <= low + self._span
            else:
                is_near = key.pitch > high if hand == "left" else key.pitch < low
            if not is_near:
                ended.append(key)
            elif key.hand == hand and key.pitch not in pitches:
                kept.append(key)
        n_over = max(0, len(kept) + len(taken) - free)
        ended += sorted(kept, key=lambda key: key.worth)[:n_over]
        cost = sum(EARLY_END * key.worth for key in ended if key.pitch not in row)
        cost += TRAVEL_COST * sum(abs(pitch - self._place[hand]) for pitch in pitches)
        score = sum(key.worth for key in taken) - cost
        return _Grip(score, pitches, tuple(key.pitch for key in ended))


def _score(grip: _Grip) -> float:
    return grip.score
