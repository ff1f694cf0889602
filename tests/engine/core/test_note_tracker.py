"""What sounds, and what ends it: the rule, on events written by hand and made by chance."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.core.note_tracker import LEAST_NOTE, NoteTracker, pair_notes, whole_notes
from engine.core.notes import Event, Note, NoteEvent, PedalEvent

EVENTS = st.lists(
    st.one_of(
        st.builds(
            NoteEvent,
            st.just(0.0),
            st.integers(60, 62),
            st.sampled_from([0, 64]),
            channel=st.integers(1, 2),
        ),
        st.builds(PedalEvent, st.just(0.0), st.booleans(), st.integers(1, 2)),
    ),
    max_size=40,
)


def test_a_note_is_of_its_channel_and_key() -> None:
    tracker = NoteTracker()
    left, right = NoteEvent(0.0, 60, 80, channel=1), NoteEvent(0.1, 60, 70, channel=2)
    assert tracker.track(left) is None and tracker.track(right) is None
    assert tracker.track(NoteEvent(1.0, 60, 0, channel=2)) is right
    assert tracker.notes == (left,)


def test_a_note_that_is_struck_again_ends_there() -> None:
    tracker = NoteTracker()
    first, second = NoteEvent(0.0, 60, 80), NoteEvent(1.0, 60, 70)
    tracker.track(first)
    assert tracker.track(second) is first
    assert tracker.notes == (second,)


def test_a_note_off_of_a_silent_key_is_none() -> None:
    tracker = NoteTracker()
    assert tracker.track(NoteEvent(0.0, 60, 0)) is None
    assert tracker.is_silent


def test_what_ends_everything_ends_as_it_began() -> None:
    tracker = NoteTracker()
    tracker.track(NoteEvent(0.0, 60, 80, "melody", "right", 2))
    tracker.track(NoteEvent(5.0, 64, 80))
    tracker.track(PedalEvent(0.5, True, 2))
    tracker.track(PedalEvent(0.5, True, 1))
    tracker.track(PedalEvent(0.6, False, 1))
    assert tracker.ends(3.0) == [
        NoteEvent(3.0, 60, 0, "melody", "right", 2),
        NoteEvent(5.0 + LEAST_NOTE, 64, 0),
        PedalEvent(3.0, False, 2),
    ]


def test_pairs_come_as_notes_end_and_what_nothing_ends_comes_last() -> None:
    low, high, again = NoteEvent(0.0, 48, 60), NoteEvent(0.5, 72, 90), NoteEvent(1.0, 48, 50)
    end = NoteEvent(2.0, 48, 0)
    stray = NoteEvent(0.2, 30, 0)
    assert list(pair_notes([low, stray, high, again, end])) == [
        (low, again),
        (again, end),
        (high, None),
    ]


@given(EVENTS)
def test_whatever_a_receiver_was_sent_the_ends_silence_it(events: list[Event]) -> None:
    tracker = NoteTracker()
    for event in events:
        tracker.track(event)
    ends = tracker.ends(0.0)
    assert len(ends) == len(tracker.notes) + len(tracker.pedals)
    for event in ends:
        tracker.track(event)
    assert tracker.is_silent


@given(EVENTS)
def test_every_note_on_is_in_one_pair(events: list[Event]) -> None:
    notes = [event for event in events if isinstance(event, NoteEvent)]
    pairs = list(pair_notes(notes))
    assert Counter(on for on, _ in pairs) == Counter(event for event in notes if event.is_on)
    for on, end in pairs:
        assert end is None or (end.channel, end.pitch) == (on.channel, on.pitch)


def test_whole_notes_last_from_on_to_off() -> None:
    events: list[Event] = [
        NoteEvent(0.0, 60, 90, "melody"),
        PedalEvent(0.2, True),
        NoteEvent(0.5, 64, 50, hand="left"),
        NoteEvent(1.0, 60, 0, "melody"),
        NoteEvent(1.0, 60, 80),
        NoteEvent(2.0, 60, 0),
        NoteEvent(2.0, 64, 0, hand="left"),
        NoteEvent(3.0, 72, 80),
    ]
    assert whole_notes(events) == [
        Note(0.0, 1.0, 60, 90, "melody"),
        Note(0.5, 2.0, 64, 50, hand="left"),
        Note(1.0, 2.0, 60, 80),
    ]
