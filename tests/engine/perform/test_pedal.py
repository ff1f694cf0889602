"""The pedal under chords written down by hand, and what holds for any stream of notes."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.notes import Event, NoteEvent, PedalEvent
from engine.perform.pedal import LONGEST_S, PRESS_S, SILENCE_S, Pedal
from tests.note_streams import rows, streams

C_MAJOR, F_MAJOR, A_MINOR = (48, 52, 55), (53, 57, 60), (45, 48, 52)


def chord(start: float, end: float, *pitches: int) -> list[NoteEvent]:
    ons = [NoteEvent(start, pitch, 80) for pitch in pitches]
    return [*ons, *(NoteEvent(end, pitch, 0) for pitch in pitches)]


def in_order(*parts: list[NoteEvent]) -> list[NoteEvent]:
    events = [event for part in parts for event in part]
    return sorted(events, key=lambda event: (event.time, event.is_on))


def pedal_of(events: list[Event]) -> list[tuple[float, bool]]:
    return [(round(e.time, 6), e.is_down) for e in events if isinstance(e, PedalEvent)]


def test_pressed_just_after_a_chord_and_up_when_it_is_over() -> None:
    pedal = Pedal()
    events = pedal.push(chord(1.0, 1.5, *C_MAJOR))
    assert pedal_of(events) == [(1.0 + PRESS_S, True)]
    assert pedal_of(pedal.push([], now=1.0 + SILENCE_S - 0.1)) == []
    assert pedal_of(pedal.push([], now=9.0)) == [(1.0 + SILENCE_S, False)]


def test_changed_with_the_harmony() -> None:
    events = Pedal().push(in_order(chord(0.0, 0.9, *C_MAJOR), chord(1.0, 1.9, *F_MAJOR)))
    assert pedal_of(events) == [(PRESS_S, True), (1.0, False), (1.0 + PRESS_S, True)]
    lift = events.index(PedalEvent(1.0, False))
    assert events[lift + 1] == NoteEvent(1.0, 53, 80)  # lifted as the bass is struck


def test_a_new_bass_below_is_a_new_harmony() -> None:
    events = Pedal().push(in_order(chord(0.0, 0.9, *C_MAJOR), chord(1.0, 1.9, *A_MINOR)))
    assert (1.0, False) in pedal_of(events)


def test_what_is_still_held_of_the_old_harmony_is_not_caught() -> None:
    tune = [NoteEvent(0.5, 76, 80, "melody"), NoteEvent(2.0, 76, 0, "melody")]
    held, following = chord(0.0, 1.5, *C_MAJOR), chord(1.0, 1.9, *F_MAJOR)
    events = Pedal().push(in_order(held, following, tune))
    pressed = events.index(PedalEvent(1.0 + PRESS_S, True))
    ended = events[pressed - 3 : pressed]
    assert ended == [NoteEvent(1.0 + PRESS_S, pitch, 0) for pitch in C_MAJOR]
    later = events[pressed + 1 :]
    assert later == [*(NoteEvent(1.9, pitch, 0) for pitch in F_MAJOR), tune[1]]


def test_a_broken_chord_is_one_harmony() -> None:
    notes = [chord(0.25 * k, 0.25 * k + 0.2, p) for k, p in enumerate((36, 43, 48, 52, 55, 48))]
    assert pedal_of(Pedal().push(in_order(*notes))) == [(PRESS_S, True)]


def test_the_melody_neither_makes_nor_breaks_a_harmony() -> None:
    line = [NoteEvent(0.1 * k, 72 + k, 90 * (1 - k % 2), "melody") for k in range(8)]
    assert pedal_of(Pedal().push(line)) == []
    events = Pedal().push(in_order(chord(0.0, 2.0, *C_MAJOR), line))
    assert pedal_of(events) == [(PRESS_S, True)]


def test_a_short_chord_is_caught_before_its_keys_are_up() -> None:
    events = Pedal().push(chord(0.0, 0.05, *C_MAJOR))
    assert pedal_of(events) == [(0.05, True)]
    assert isinstance(events[3], PedalEvent)


def test_a_bass_that_stays_is_pedalled_anew_now_and_then() -> None:
    strikes = [chord(0.5 * k, 0.5 * k + 0.4, 36, 48, 52) for k in range(12)]
    lifts = [time for time, is_down in pedal_of(Pedal().push(in_order(*strikes))) if not is_down]
    assert lifts == [LONGEST_S + 0.5]


def test_flush_lifts_a_pedal_that_is_down() -> None:
    pedal = Pedal()
    pedal.push(chord(0.0, 0.5, *C_MAJOR))
    assert pedal_of(pedal.flush(2.0)) == [(2.0, False)]
    assert pedal.flush(3.0) == []


@settings(max_examples=40)
@given(streams(), st.data())
def test_any_stream(events: list[NoteEvent], data: st.DataObject) -> None:
    end = events[-1].time if events else 0.0
    pedal = Pedal()
    played = [*pedal.push(events), *pedal.flush(end)]
    notes = [event for event in played if isinstance(event, NoteEvent)]
    assert [event for event in notes if event.is_on] == [e for e in events if e.is_on]
    # Notes come as they end, which may be in another order.
    ours, theirs = (found[np.lexsort(found[:, [2, 0]].T)] for found in (rows(notes), rows(events)))
    assert (ours[:, [0, 2, 3, 4]] == theirs[:, [0, 2, 3, 4]]).all()
    assert (ours[:, 1] <= theirs[:, 1]).all()
    assert all(before.time <= after.time for before, after in pairwise(played))
    changes = [is_down for _, is_down in pedal_of(played)]
    assert changes == [k % 2 == 0 for k in range(len(changes))]
    assert len(changes) % 2 == 0  # never left down
    times = [time for time, _ in pedal_of(played)]
    ons = [event.time for event in events if event.is_on]
    for down, up in zip(times[::2], times[1::2], strict=True):
        moments = [down, *(on for on in ons if down < on < up), up]
        assert all(after - before <= SILENCE_S + 1e-6 for before, after in pairwise(moments))
    split = data.draw(st.integers(0, len(events)))
    parted = Pedal()
    halves = [*parted.push(events[:split]), *parted.push(events[split:]), *parted.flush(end)]
    assert halves == played
