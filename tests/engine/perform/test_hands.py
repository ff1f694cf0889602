"""What two hands can play: properties for any stream of notes, and a few chords by hand.

That ten fingers can play it: tests/offline_train/evaluation/test_playable.py.
"""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.notes import NoteEvent
from engine.perform.hands import Hands
from tests.note_streams import stream, streams


def struck(*events: NoteEvent) -> list[tuple[int, str | None]]:
    """What two hands play of these events: (pitch, hand) of each note-on."""
    return [(event.pitch, event.hand) for event in Hands().push(events) if event.is_on]


@settings(max_examples=60)
@given(streams(), st.sampled_from((7, 12, 14, 19)))
def test_what_is_left_was_there_and_in_its_order(events: list[NoteEvent], span: int) -> None:
    played = Hands(span).push(events)
    assert all(before.time <= after.time for before, after in pairwise(played))
    given_ons = [(e.time, e.pitch, e.velocity, e.part) for e in events if e.is_on]
    kept_ons = [(e.time, e.pitch, e.velocity, e.part) for e in played if e.is_on]
    remaining = iter(given_ons)
    assert all(on in remaining for on in kept_ons)  # a subsequence: none is new, none changes place


@settings(max_examples=25)
@given(streams(), st.data())
def test_however_the_stream_is_cut_between_rows(
    events: list[NoteEvent], data: st.DataObject
) -> None:
    whole = Hands().push(events)
    hands = Hands()
    cuts = [
        k
        for k in range(1, len(events))
        if round(events[k].time / 0.016 - 0.49) > round(events[k - 1].time / 0.016 + 0.49)
    ]
    chosen = sorted(data.draw(st.sets(st.sampled_from(cuts)))) if cuts else []
    edges = [0, *chosen, len(events)]
    parted = [e for start, stop in pairwise(edges) for e in hands.push(events[start:stop])]
    assert parted == whole


def test_a_chord_is_parted_between_the_hands() -> None:
    chord = [NoteEvent(0.0, pitch, 80) for pitch in (36, 43, 48, 60, 64, 67, 72)]
    assert struck(*chord) == [
        (36, "left"), (43, "left"), (48, "left"),
        (60, "right"), (64, "right"), (67, "right"), (72, "right"),
    ]  # fmt: skip


def test_melody_and_bass_outlive_what_lies_between_them() -> None:
    bass, inner = NoteEvent(0.0, 36, 60), NoteEvent(0.001, 55, 100)
    melody = NoteEvent(0.002, 76, 60, "melody")
    assert struck(bass, inner, melody) == [(36, "left"), (76, "right")]


def test_the_loudest_five_of_six_in_one_hand() -> None:
    sixes = [NoteEvent(0.0, 60 + k, 90 - 60 * (k == 3)) for k in range(6)]
    below = NoteEvent(0.0, 36, 80)
    assert [pitch for pitch, _ in struck(below, *sixes)] == [36, 60, 61, 62, 64, 65]


def test_a_key_that_has_sounded_is_let_go_for_one_out_of_reach() -> None:
    low, high = NoteEvent(0.0, 40, 80), NoteEvent(0.0, 84, 80, "melody")
    far = NoteEvent(0.5, 60, 80)
    ends = [NoteEvent(2.0, pitch, 0) for pitch in (40, 60, 84)]
    played = Hands().push([low, high, far, *ends])
    assert (played[2].pitch, played[2].time, played[2].velocity) == (40, 0.5, 0)
    assert played[3].pitch == 60 and played[3].hand == "left"
    assert [event.pitch for event in played[4:]] == [60, 84]  # the low key has ended once


def test_a_leap_takes_its_time() -> None:
    def strikes_after(seconds: float) -> list[int]:
        """What is struck of a low note so long after two hands have struck high up."""
        chords = [NoteEvent(0.0, pitch, 80) for pitch in (60, 64, 76, 80)]
        ends = [NoteEvent(0.08, pitch, 0) for pitch in (60, 64, 76, 80)]
        return [pitch for pitch, _ in struck(*chords, *ends, NoteEvent(seconds, 30, 80))]

    assert strikes_after(0.25) == [60, 64, 76, 80]  # 64 - 14 - 19 = 31 is the lowest by then
    assert strikes_after(0.27) == [60, 64, 76, 80, 30]


def test_a_trill_faster_than_a_finger_loses_strikes() -> None:
    events = stream([(0.04 * k, 0.04 * k + 0.03, 60, 80, "accompaniment") for k in range(8)])
    onsets = [event.time for event in Hands().push(events) if event.is_on]
    assert all(after - before >= 0.06 - 1e-9 for before, after in pairwise(onsets))
    assert len(onsets) == 4


def test_an_end_that_nobody_waits_for_is_dropped() -> None:
    hands = Hands()
    assert hands.push([NoteEvent(0.0, 60, 0)]) == []
    assert hands.push([NoteEvent(0.1, 60, 80)])[0].is_on
    hands.reset()
    assert hands.push([NoteEvent(0.2, 60, 0)]) == []
