"""A tune that is sung low, and one that is not, among an accompaniment's notes."""

import pytest

from engine.core.notes import NoteEvent, Part
from engine.perform.tune.register import HIGH, LEAST_HEARD, LOW, REMEMBERED, TuneOctave

NOTE_S = 0.5  # as long as a rest between phrases
LOW_KEY, HIGH_KEY = LOW - 4, HIGH + 4


def on(pitch: int, time: float, part: Part = "melody") -> NoteEvent:
    return NoteEvent(time, pitch, 80, part)


def off(pitch: int, time: float, part: Part = "melody") -> NoteEvent:
    return NoteEvent(time, pitch, 0, part)


def sing(
    octave: TuneOctave, keys: list[int], since: float = 0.0, every: float = NOTE_S
) -> list[int]:
    """Return the keys that are struck for those that are sung; each ends where it began."""
    struck = []
    for k, key in enumerate(keys):
        time = since + k * every
        played = octave.play([on(key, time), off(key, time + 0.1)], is_wanted=True)
        assert [e.pitch for e in played if e.is_on] == [e.pitch for e in played if not e.is_on]
        struck += [e.pitch for e in played if e.is_on]
    return struck


@pytest.fixture
def low() -> TuneOctave:
    """One that has heard enough of a low tune, for 100 s."""
    octave = TuneOctave()
    sing(octave, [LOW_KEY] * 200)
    return octave


def test_a_low_tune_is_raised_once_it_is_known() -> None:
    n = LEAST_HEARD
    assert sing(TuneOctave(), [LOW_KEY] * (n + 2)) == [LOW_KEY] * n + [LOW_KEY + 12] * 2


def test_a_high_tune_stays() -> None:
    assert sing(TuneOctave(), [HIGH_KEY] * 40) == [HIGH_KEY] * 40


def test_it_is_raised_between_phrases_alone() -> None:
    quick = sing(TuneOctave(), [LOW_KEY] * 60, every=0.2)
    assert quick == [LOW_KEY] * 60


def test_a_raised_tune_stays_raised_until_it_is_high(low: TuneOctave) -> None:
    between = [(LOW + HIGH) // 2] * REMEMBERED
    assert sing(low, between, 100.0) == [key + 12 for key in between]
    high = sing(low, [HIGH_KEY] * REMEMBERED, 200.0)
    assert high[-1] == HIGH_KEY


def test_it_is_raised_only_where_that_is_wanted(low: TuneOctave) -> None:
    """And what was struck before ends where it began."""
    begun = low.play([on(LOW_KEY, 100.0)], is_wanted=True)
    then = low.play([on(LOW_KEY + 2, 100.5), off(LOW_KEY, 100.6)], is_wanted=False)
    assert [e.pitch for e in [*begun, *then]] == [LOW_KEY + 12, LOW_KEY + 2, LOW_KEY + 12]


def test_of_a_note_and_its_octave_the_note_is_raised(low: TuneOctave) -> None:
    both = [on(LOW_KEY, 100.0), on(LOW_KEY + 12, 100.0)]
    ends = [off(LOW_KEY + 12, 100.2), off(LOW_KEY, 100.4)]
    for order in (both, both[::-1]):
        played = low.play([*order, *ends], is_wanted=True)
        assert [(e.pitch, e.is_on) for e in played] == [
            (LOW_KEY + 12, True),
            (LOW_KEY + 12, False),
        ]
        both = [on(e.pitch, 101.0) for e in both]
        ends = [off(e.pitch, 101.5) for e in ends]


def test_an_octave_alone_is_taken_for_the_note(low: TuneOctave) -> None:
    assert sing(low, [LOW_KEY + 12], 100.0) == [LOW_KEY + 12]


def test_nothing_is_struck_over_the_tune(low: TuneOctave) -> None:
    key = LOW_KEY + 12
    played = low.play(
        [
            on(LOW_KEY, 100.0),
            on(key, 100.3, "accompaniment"),
            off(key, 100.5, "accompaniment"),
            off(LOW_KEY, 101.0),
        ],
        is_wanted=True,
    )
    assert [(e.time, e.pitch, e.is_on) for e in played] == [(100.0, key, True), (101.0, key, False)]


def test_the_tune_takes_a_key_from_its_accompaniment(low: TuneOctave) -> None:
    key = LOW_KEY + 12
    played = low.play(
        [on(key, 100.0, "accompaniment"), on(LOW_KEY, 100.5), off(key, 100.7, "accompaniment")],
        is_wanted=True,
    )
    assert [(e.time, e.is_on) for e in played] == [(100.0, True), (100.5, False), (100.5, True)]
    assert {e.pitch for e in played} == {key}


def test_after_a_gap_the_tune_is_still_low(low: TuneOctave) -> None:
    low.play([on(LOW_KEY, 100.0)], is_wanted=True)
    low.reset()
    assert low.play([off(LOW_KEY, 101.0)], is_wanted=True) == []
    assert sing(low, [LOW_KEY], 110.0) == [LOW_KEY + 12]
