"""Spelling, note values and beams of single voices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.whole_song.engraving import Written, beams, chords_of, signature, spell, voice
from engine.whole_song.grid_notes import GridNote
from engine.whole_song.harmony import Key

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MAJOR = (0, 2, 4, 5, 7, 9, 11)


@pytest.mark.parametrize("sharps", range(-5, 7))
def test_every_pitch_is_spelled_as_itself_and_the_keys_own_without_accidentals(
    sharps: int,
) -> None:
    tonic = sharps * 7 % 12
    for pitch in range(21, 109):
        letter, alter, octave = spell(pitch, sharps)
        assert 12 * (octave + 1) + SEMITONES[letter] + alter == pitch
        assert -1 <= alter <= 1
        if (pitch - tonic) % 12 in MAJOR:
            assert signature(sharps).get(letter, 0) == alter


def test_leading_notes_lead() -> None:
    for tonic in range(12):
        key = Key(tonic, True)
        leading = spell(60 + (tonic - 1) % 12, key.sharps)
        own = spell(60 + tonic, key.sharps)
        steps = "CDEFGAB"
        gap = (steps.index(own.letter) - steps.index(leading.letter)) % 7
        assert gap == 1 or key.sharps >= 4  # a double sharp is not written


def short(bar: list[Written]) -> list[tuple[int, int, bool]]:
    return [(w.start, w.length, bool(w.pitches)) for w in bar]


def test_what_a_hand_strikes_is_one_voice() -> None:
    notes = [GridNote(0, 8, 60, 50), GridNote(0, 2, 64, 70), GridNote(4, 40, 67, 60)]
    assert chords_of(notes, 32) == [(0, 4, (60, 64), 70), (4, 28, (67,), 60)]


def test_short_rests_are_left_out() -> None:
    notes = [GridNote(0, 2, 60, 50), GridNote(4, 1, 62, 50), GridNote(12, 3, 64, 50)]
    assert [row[:2] for row in chords_of(notes, 32)] == [(0, 4), (4, 2), (12, 4)]


@pytest.mark.parametrize(
    ("note", "bars"),
    [
        ((0, 16), [[(0, 16, True)]]),
        ((2, 4), [[(0, 2, False), (2, 4, True), (6, 2, True), (8, 8, False)]]),
        ((4, 6), [[(0, 4, False), (4, 8, True), (12, 4, False)]]),
        ((5, 3), [[(0, 4, False), (4, 1, False), (5, 3, True), (8, 8, False)]]),
        ((12, 8), [[(0, 8, False), (8, 4, False), (12, 4, True)],
                   [(0, 4, True), (4, 4, False), (8, 8, False)]]),
    ],
)  # fmt: skip
def test_values_show_the_beats(
    note: tuple[int, int], bars: list[list[tuple[int, int, bool]]]
) -> None:
    written = voice([GridNote(*note, 60, 80)], 16, 0, 16 * len(bars))
    assert [short(bar) for bar in written] == bars


def test_a_bar_of_three() -> None:
    (bar,) = voice([GridNote(0, 12, 60, 80)], 12, 0, 12)
    assert [(w.value, w.has_dot) for w in bar] == [("half", True)]
    (silent,) = voice([], 12, 0, 12)
    assert short(silent) == [(0, 12, False)]


def test_ties_join_what_a_bar_line_parts() -> None:
    first, second = voice([GridNote(8, 16, 60, 80)], 16, 0, 32)
    assert (first[-1].is_tied_from, first[-1].is_tied_on) == (False, True)
    assert (second[0].is_tied_from, second[0].is_tied_on) == (True, False)


@given(
    st.lists(st.tuples(st.integers(0, 63), st.integers(1, 40)), max_size=20),
    st.sampled_from([12, 16]),
    st.integers(0, 3),
)
def test_bars_are_full_whatever_is_played(
    rows: list[tuple[int, int]], bar: int, upbeat: int
) -> None:
    first, last = 4 * upbeat % bar, 8 * bar
    notes = [GridNote(first + step, length, 60, 80) for step, length in rows]
    bars = voice([n for n in notes if n.step < last], bar, first, last)
    assert len(bars) == 8
    for k, written in enumerate(bars):
        at = first if k == 0 else 0
        for w in written:
            assert w.start == at
            assert w.value and (not w.pitches or not (w.is_tied_on and w is bars[-1][-1]))
            at += w.length
        assert at == bar


def test_beams_join_what_is_played_in_a_beat() -> None:
    lengths = (2, 1, 1, 3, 1, 4, 2, 2)
    bar, at = [], 0
    for length in lengths:
        bar.append(Written(at, length, (60,), 80))
        at += length
    assert beams(bar) == [
        ["begin"], ["continue", "begin"], ["end", "end"],
        ["begin"], ["end", "backward hook"], [], ["begin"], ["end"],
    ]  # fmt: skip
    rest = Written(1, 1)
    assert beams([Written(0, 1, (60,)), rest, Written(2, 2, (60,))]) == [[], [], []]
