"""Streams of notes as a decoder gives them, drawn by hypothesis."""

import numpy as np
from hypothesis import strategies as st

from engine.core.notes import NoteEvent, Part

Struck = tuple[float, float, int, int, Part]
PARTS: tuple[Part, ...] = ("accompaniment", "melody")


def stream(notes: list[Struck]) -> list[NoteEvent]:
    """The paired events, as a decoder gives them: note-offs first at any one moment."""
    events: list[NoteEvent] = []
    ends: dict[int, float] = {}
    for onset, offset, pitch, velocity, part in sorted(notes):
        if onset < ends.get(pitch, -1.0):
            continue
        ends[pitch] = offset
        events.append(NoteEvent(onset, pitch, velocity, part))
        events.append(NoteEvent(offset, pitch, 0, part))
    return sorted(events, key=lambda event: (event.time, event.is_on, event.pitch))


@st.composite
def streams(draw: st.DrawFn) -> list[NoteEvent]:
    """Up to sixty notes of all lengths, crowded in time."""
    seconds = draw(st.sampled_from((0.3, 2.0, 8.0)))
    note = st.tuples(
        st.integers(0, 1000).map(lambda k: round(k / 1000 * seconds, 3)),
        st.sampled_from((0.02, 0.06, 0.2, 1.0)),
        st.integers(21, 108),
        st.integers(1, 127),
        st.sampled_from(PARTS),
    )
    notes = draw(st.lists(note, max_size=60))
    return stream([(on, on + length, *what) for on, length, *what in notes])  # type: ignore[misc]


def rows(events: list[NoteEvent]) -> np.ndarray:
    """The notes (n, 6): onset, offset, pitch, velocity, is melody, is right."""
    open_: dict[int, NoteEvent] = {}
    found = []
    for event in events:
        if event.is_on:
            assert event.pitch not in open_, "a key that is down is struck"
            open_[event.pitch] = event
        else:
            on = open_.pop(event.pitch)  # a note-off without a note would raise here
            assert (on.part, on.hand) == (event.part, event.hand)
            row = (on.time, event.time, on.pitch, on.velocity)
            found.append((*row, on.part == "melody", on.hand == "right"))
    assert not open_, "a note without its end"
    return np.array(sorted(found), np.float32).reshape(-1, 6)
