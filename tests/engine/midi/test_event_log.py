from operator import attrgetter

from hypothesis import given
from hypothesis import strategies as st

from engine.core.notes import Event, NoteEvent, PedalEvent
from engine.midi.event_log import EventLog

TIMES = st.sampled_from([0.0, 0.25, 1 / 3, 7200.016])
NOTES = st.builds(
    NoteEvent,
    TIMES,
    st.integers(21, 108),
    st.integers(0, 127),
    st.sampled_from(["melody", "accompaniment"]),
    channel=st.integers(1, 16),
)
PEDALS = st.builds(PedalEvent, TIMES, st.booleans(), st.integers(1, 16))


def begins(event: Event) -> bool:
    return event.is_on if isinstance(event, NoteEvent) else event.is_down


@given(st.lists(NOTES | PEDALS, max_size=12))
def test_events_come_back_in_order(events: list[Event]) -> None:
    log = EventLog()
    for event in events:
        log.append(event)
    assert len(log) == len(events)
    assert list(log.in_order()) == sorted(sorted(events, key=begins), key=attrgetter("time"))


def test_a_copy_does_not_grow() -> None:
    log = EventLog()
    log.append(NoteEvent(1.0, 60, 64))
    copy = log.copy()
    log.append(NoteEvent(2.0, 60, 0))
    assert list(copy.in_order()) == [NoteEvent(1.0, 60, 64)]
