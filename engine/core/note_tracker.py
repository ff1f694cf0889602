"""Which notes and pedals sound, and what ends them: live at one receiver, or in a whole take.

One rule for both. Events belong together by channel and key. A note ends with the next event of its
key: its note-off, or a repeated note-on. A note-off of a silent key is dropped.
Not here: who sends (``engine.midi.tracked_output``), MIDI files.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace
from typing import Self, TypeVar

from engine.core.notes import Event, Note, NoteEvent, PedalEvent, notes_of

LEAST_NOTE = 0.001
"""Seconds after its note-on, in the audio, that a forced note-off carries at least."""

T = TypeVar("T")


class NoteTracker:
    """What sounds at one receiver, as Ardour's ``MidiStateTracker``. One thread at a time."""

    def __init__(self) -> None:
        self._notes: dict[tuple[int, int], NoteEvent] = {}
        self._pedals: dict[int, PedalEvent] = {}

    @property
    def notes(self) -> tuple[NoteEvent, ...]:
        """The note-ons that sound, in the order in which they began."""
        return tuple(self._notes.values())

    @property
    def pedals(self) -> tuple[PedalEvent, ...]:
        """The pedals that are down, in the order in which they went down."""
        return tuple(self._pedals.values())

    @property
    def is_silent(self) -> bool:
        """Whether nothing sounds and no pedal is down."""
        return not self._notes and not self._pedals

    def at(self, event: NoteEvent) -> NoteEvent | None:
        """Return the note-on that sounds at the channel and key of ``event``."""
        return self._notes.get((event.channel, event.pitch))

    def is_down(self, channel: int) -> bool:
        """Return whether a channel's pedal is down."""
        return channel in self._pedals

    def track(self, event: Event) -> NoteEvent | None:
        """Note an event that the receiver was sent; return the note-on that it ended, if any."""
        if isinstance(event, PedalEvent):
            self._pedals.pop(event.channel, None)
            if event.is_down:
                self._pedals[event.channel] = event
            return None
        ended = self._notes.pop((event.channel, event.pitch), None)
        if event.is_on:
            self._notes[event.channel, event.pitch] = event
        return ended

    def ends(self, time: float, least: float = LEAST_NOTE) -> list[Event]:
        """Return the note-offs of all notes that sound at ``time``, then pedals up.

        A note that began later, or just then, ends ``least`` seconds after it did.
        """
        ends: list[Event] = [ended(on, max(time, on.time + least)) for on in self.notes]
        ends += [replace(down, time=max(time, down.time), is_down=False) for down in self.pedals]
        return ends

    def copy(self) -> Self:
        """Return a copy."""
        other = type(self)()
        other._notes, other._pedals = self._notes.copy(), self._pedals.copy()
        return other

    def clear(self) -> None:
        """Clear: the receiver is silent."""
        self._notes.clear()
        self._pedals.clear()


def ended(on: NoteEvent, time: float) -> NoteEvent:
    """Return the note-off at ``time`` of a note: of the same channel, key, part and hand.

    >>> ended(NoteEvent(0.0, 60, 80, "melody", channel=2), 1.5)
    NoteEvent(time=1.5, pitch=60, velocity=0, part='melody', hand=None, channel=2)
    """
    return replace(on, time=time, velocity=0)


def pair_strokes(strokes: Iterable[tuple[Hashable, bool, T]]) -> Iterator[tuple[T, T | None]]:
    """Yield each note-on with what ends it, then what nothing ends with None.

    Parameters
    ----------
    strokes
        In time order: the key (of its channel, where there are several), whether it is a note-on,
        and whatever stands for it, which is what comes back.

    >>> strokes = [(60, True, 0.0), (60, True, 1.0), (61, False, 1.0), (60, False, 2.0)]
    >>> list(pair_strokes([*strokes, (72, True, 3.0)]))
    [(0.0, 1.0), (1.0, 2.0), (3.0, None)]
    """
    sounding: dict[Hashable, T] = {}
    for key, is_on, stroke in strokes:
        if key in sounding:
            yield sounding.pop(key), stroke
        if is_on:
            sounding[key] = stroke
    for stroke in sounding.values():
        yield stroke, None


def pair_notes(events: Iterable[NoteEvent]) -> Iterator[tuple[NoteEvent, NoteEvent | None]]:
    """Yield each note-on of ``events``, in time order, with what ends it (:func:`pair_strokes`)."""
    return pair_strokes(((event.channel, event.pitch), event.is_on, event) for event in events)


def whole_notes(events: Iterable[Event]) -> list[Note]:
    """Return the notes of events, by onset and pitch; what nothing ends is left out.

    >>> whole_notes([NoteEvent(0.0, 60, 80), NoteEvent(1.5, 60, 0)])
    [Note(onset=0.0, offset=1.5, pitch=60, velocity=80, part='accompaniment', hand=None)]
    """
    notes = [
        Note(on.time, off.time, on.pitch, on.velocity, on.part, on.hand)
        for on, off in pair_notes(notes_of(events))
        if off is not None
    ]
    return sorted(notes, key=lambda note: (note.onset, note.pitch))
