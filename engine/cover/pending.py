"""Decoded notes of a cover on the beat, until they are due: where they fall, and which are none.

A note of the tune falls on the sixteenth nearest to it. Where the passage around it is known, one
that is unlikely to be struck there is none; one that would strike a key again is tied to the note
before then. Of two notes of the tune on one sixteenth that are a semitone apart one is sung: a
voice that slides is heard on both. Of two an octave apart one may be an overtone, or the key whose
overtone is heard; and the higher of two a twelfth apart is one.

Times are seconds of the stream. Not here: decoding (``engine.perform.decoder``), who plays what
(``on_beat``).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.core.notes import NoteEvent

MOST_MOVED_S = 0.1  # by which a note is moved to its step
ONE_IS_SUNG = (1, 12)  # semitones between two notes of the tune of which one may be none
TWELFTH = 19  # semitones, to the third partial
TIED_S = 0.03  # from the end of a note to the stroke that ended it, at the most


@dataclass(slots=True)
class Pending:
    """A decoded event that is not played yet."""

    event: NoteEvent
    earliest: float  # when it can be played
    is_placed: bool = False  # whether it is known if it is moved
    step: int | None = None  # to which it is
    begun: "Pending | None" = None  # the note that it ends
    again: "Pending | None" = None  # the next note of the same key
    is_dropped: bool = False
    tied_to: "Pending | None" = None  # of one that is dropped: the note that goes on


class PendingNotes:
    """The notes of one stream.

    Parameters
    ----------
    time_of
        Returns when a step falls.
    step_of
        Returns the step to which a note-on is moved; None where it stays.
    is_note
        Returns whether a note-on is one.
    least
        Returns the least seconds of a note.
    is_rather
        Returns whether the first of two notes of the tune, a semitone or an octave apart, is sung
        and the other is not.
    """

    def __init__(
        self,
        time_of: Callable[[int], float],
        step_of: Callable[[NoteEvent], int | None],
        is_note: Callable[[NoteEvent], bool],
        least: Callable[[], float],
        is_rather: Callable[[NoteEvent, NoteEvent], bool],
    ) -> None:
        self._time_of_step, self._step_of, self._is_rather = time_of, step_of, is_rather
        self._is_note, self._least = is_note, least
        self._waiting: list[Pending] = []
        self._last: dict[int, Pending] = {}  # the last event of each key

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()
        self._last.clear()

    def add(self, event: NoteEvent, earliest: float) -> None:
        """Take an event that was decoded, and can be played from ``earliest`` on."""
        pending = Pending(event, earliest, is_placed=not event.is_on)
        last = self._last.get(event.pitch)
        if event.is_on and last is not None:
            last.again = pending
        elif not event.is_on:
            pending.begun = last
            if last is not None and last.is_dropped:
                pending.begun = last.tied_to
                pending.is_dropped = last.tied_to is None
        self._waiting.append(pending)
        self._last[event.pitch] = pending

    def due(self, time: float) -> list[NoteEvent]:
        """Return, and forget, the events up to a time, as they are to be played, in any order."""
        for pending in self._waiting:
            if not pending.is_placed and pending.event.time <= time + MOST_MOVED_S:
                self._place(pending)
        for pending in self._waiting:
            is_due = not pending.is_dropped and self._time_of(pending) <= time
            if is_due and pending.event.is_on and self._is_beside(pending):
                self._drop(pending)
        events, waiting = [], []
        for pending in self._waiting:
            if pending.is_dropped:
                continue
            at = self._time_of(pending)
            if at > time:
                waiting.append(pending)
                continue
            pending.event = replace(pending.event, time=at)
            pending.step = pending.begun = pending.again = None  # it is played: it stays
            events.append(pending.event)
        self._waiting = waiting
        return events

    def _place(self, pending: Pending) -> None:
        pending.is_placed = True
        if self._is_note(pending.event):
            pending.step = self._step_of(pending.event)
        else:
            self._drop(pending)

    def _is_beside(self, pending: Pending) -> bool:
        """Return whether another note on the same step is sung, and this one only heard with it."""
        onset, step = pending.event, pending.step
        if step is None or onset.part != "melody":
            return False
        others = (
            p.event
            for p in self._waiting
            if p.event.is_on and p.event.part == "melody" and not p.is_dropped
        )
        return any(
            onset.pitch - other.pitch == TWELFTH
            or (abs(onset.pitch - other.pitch) in ONE_IS_SUNG and self._is_rather(other, onset))
            for other in others
            if self._step_of(other) == step
        )

    def _drop(self, onset: Pending) -> None:
        """Let a note-on be none: what sounded of its key before goes on, if it was ended by it."""
        onset.is_dropped = True
        for end in self._waiting:
            is_ended = end.again is onset and onset.event.time - end.event.time <= TIED_S
            if is_ended and end.begun is not None and not end.is_dropped:
                end.is_dropped, onset.tied_to = True, end.begun
        for end in self._waiting:
            if end.begun is onset:
                end.begun = onset.tied_to
                end.is_dropped = onset.tied_to is None

    def _time_of(self, pending: Pending) -> float:
        """Return when an event is to be played: a note that is moved keeps its least length."""
        time = pending.event.time
        if pending.step is not None:
            return max(self._time_of_step(pending.step), min(time, pending.earliest))
        if pending.begun is not None:
            time = max(time, self._time_of(pending.begun) + self._least())
        again = pending.again
        if again is None or again.is_dropped:
            return time
        return min(time, self._time_of(again))
