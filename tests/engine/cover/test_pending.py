"""Decoded notes until they are due: moved to steps, dropped, or tied to the note before."""

from dataclasses import dataclass, field

from engine.core.notes import NoteEvent
from engine.cover.pending import PendingNotes

KEY = 60


@dataclass
class Grid:
    """Steps of 0.1 s; what is to stay, and what is none, by time; keys that are rather sung."""

    none: set[float] = field(default_factory=set)
    stays: set[float] = field(default_factory=set)
    sung: set[int] = field(default_factory=set)

    def notes(self) -> PendingNotes:
        return PendingNotes(self.time_of, self.step_of, self.is_note, lambda: 0.04, self.is_rather)

    def is_rather(self, event: NoteEvent, other: NoteEvent) -> bool:
        return event.pitch in self.sung and other.pitch not in self.sung

    def time_of(self, step: int) -> float:
        return 0.1 * step

    def step_of(self, event: NoteEvent) -> int | None:
        return None if event.time in self.stays else round(event.time / 0.1)

    def is_note(self, event: NoteEvent) -> bool:
        return event.time not in self.none


def on(time: float, pitch: int = KEY) -> NoteEvent:
    return NoteEvent(time, pitch, 80, "melody")


def off(time: float, pitch: int = KEY) -> NoteEvent:
    return NoteEvent(time, pitch, 0, "melody")


def played(notes: PendingNotes, *events: NoteEvent, upto: float = 9.0) -> list[tuple[float, bool]]:
    for event in events:
        notes.add(event, 0.0)
    found = sorted(notes.due(upto), key=lambda event: (event.time, event.is_on))
    return [(round(event.time, 3), event.is_on) for event in found]


def test_a_note_is_moved_to_its_step_and_keeps_its_end() -> None:
    assert played(Grid().notes(), on(1.03), off(1.5)) == [(1.0, True), (1.5, False)]
    assert played(Grid(stays={1.03}).notes(), on(1.03), off(1.5)) == [(1.03, True), (1.5, False)]


def test_a_note_that_is_moved_keeps_its_least_length() -> None:
    assert played(Grid().notes(), on(1.06), off(1.1)) == [(1.1, True), (1.14, False)]


def test_it_waits_until_it_is_due() -> None:
    notes = Grid().notes()
    assert played(notes, on(1.06), off(1.3), upto=1.05) == []
    assert played(notes, upto=1.2) == [(1.1, True)]
    assert played(notes, upto=1.35) == [(1.3, False)]


def test_what_is_none_goes_with_its_end() -> None:
    assert played(Grid(none={2.0}).notes(), on(1.0), off(1.4), on(2.0), off(2.4)) == [
        (1.0, True),
        (1.4, False),
    ]


def test_the_end_of_what_is_none_may_come_later() -> None:
    notes = Grid(none={2.0}).notes()
    assert played(notes, on(1.0), off(1.4), on(2.0)) == [(1.0, True), (1.4, False)]
    assert played(notes, off(2.4), on(3.0), off(3.4)) == [(3.0, True), (3.4, False)]


def test_a_key_that_is_not_struck_again_is_tied() -> None:
    grid = Grid(none={1.5})
    whole = [(1.0, True), (2.0, False)]
    assert played(grid.notes(), on(1.0), off(1.5), on(1.5), off(2.0)) == whole
    notes = grid.notes()  # the note before is played already, and the end not decoded yet
    assert played(notes, on(1.0), upto=1.1) == [(1.0, True)]
    assert played(notes, off(1.5), on(1.5), upto=1.45) == []
    assert played(notes, off(2.0)) == [(2.0, False)]


def test_two_that_are_not_struck_again_are_both_tied() -> None:
    grid = Grid(none={1.5, 1.8})
    events = on(1.0), off(1.5), on(1.5), off(1.8), on(1.8), off(2.2)
    assert played(grid.notes(), *events) == [(1.0, True), (2.2, False)]


def test_what_was_cleared_is_forgotten() -> None:
    notes = Grid().notes()
    notes.add(on(1.0), 0.0)
    notes.clear()
    assert played(notes, off(1.5)) == [(1.5, False)]


def keys_played(notes: PendingNotes, *events: NoteEvent) -> set[int]:
    for event in events:
        notes.add(event, 0.0)
    return {event.pitch for event in notes.due(9.0) if event.is_on}


BOTH = on(1.03, KEY), on(0.98, KEY + 1), off(1.4, KEY), off(1.5, KEY + 1)


def test_of_a_semitone_on_one_step_one_is_sung() -> None:
    """And the other is none, with its end."""
    assert keys_played(Grid(sung={KEY}).notes(), *BOTH) == {KEY}
    assert keys_played(Grid(sung={KEY + 1}).notes(), *BOTH) == {KEY + 1}
    assert played(Grid(sung={KEY}).notes(), *BOTH) == [(1.0, True), (1.4, False)]


def test_where_nothing_tells_which_is_sung_both_are_played() -> None:
    assert keys_played(Grid().notes(), *BOTH) == {KEY, KEY + 1}


def test_which_is_sung_is_asked_when_both_are_due() -> None:
    """The later it is asked, the more was heard."""
    grid = Grid()
    notes = grid.notes()
    assert played(notes, *BOTH, upto=0.99) == []
    grid.sung = {KEY}
    assert played(notes, upto=1.1) == [(1.0, True)]


def test_only_the_tunes_semitones_on_one_step_are_one_note() -> None:
    sung = Grid(sung={KEY})
    assert keys_played(sung.notes(), on(1.0), on(1.1, KEY + 1)) == {KEY, KEY + 1}
    assert keys_played(sung.notes(), on(1.0), on(1.0, KEY + 2)) == {KEY, KEY + 2}
    other = NoteEvent(1.0, KEY + 1, 80, "accompaniment")
    assert keys_played(sung.notes(), on(1.0), other) == {KEY, KEY + 1}
    sung.stays = {1.0}
    assert keys_played(sung.notes(), on(1.0), on(1.03, KEY + 1)) == {KEY, KEY + 1}


def test_the_twelfth_above_a_note_of_the_tune_is_its_overtone() -> None:
    notes = Grid().notes()
    assert keys_played(notes, on(1.03, KEY + 19), on(0.98, KEY), on(1.0, KEY + 12)) == {
        KEY,
        KEY + 12,
    }
    assert keys_played(Grid().notes(), on(1.0, KEY), on(1.1, KEY + 19)) == {KEY, KEY + 19}
