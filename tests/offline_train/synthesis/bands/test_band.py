"""Chord symbols, grooves laid over beats, and whole bands."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from offline_train.corpora import Beat, Chord, Song, read_song
from offline_train.synthesis.bands.band import (
    Player,
    Rhythm,
    arrange,
    held_chords,
    lay_groove,
    parse_chord,
)
from offline_train.synthesis.bands.grooves import (
    HAT,
    HELD_OUT_GROOVES,
    KICK,
    SNARE,
    TRAIN_GROOVES,
    Groove,
)
from tests.offline_train.fixtures import write_song

GROOVES = (*TRAIN_GROOVES, *HELD_OUT_GROOVES)


@pytest.fixture
def song(tmp_path: Path) -> Song:
    return read_song(write_song(tmp_path / "007"))


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("C:maj", (0, (0, 4, 7), 0)),
        ("F#:min7", (6, (0, 3, 7, 10), 6)),
        ("Bb:maj/3", (10, (0, 4, 7), 2)),
        ("Cb:dim", (11, (0, 3, 6), 11)),
        ("B#:aug", (0, (0, 4, 8), 0)),
        ("A:min/b3", (9, (0, 3, 7), 0)),
        ("G:sus4(b7)", (7, (0, 5, 7, 10), 7)),
        ("D:maj7/7", (2, (0, 4, 7, 11), 1)),
        ("E:hdim7/b7", (4, (0, 3, 6, 10), 2)),
        ("N", None),
    ],
)
def test_a_chord_symbol_is_root_intervals_and_bass(symbol: str, expected: object) -> None:
    assert parse_chord(symbol) == expected


@pytest.mark.parametrize("groove", GROOVES, ids=lambda g: g.name)
def test_a_groove_is_one_bar_of_sixteen_steps(groove: Groove) -> None:
    assert {len(row) for row in (*groove.drums.values(), groove.bass, groove.comp)} == {16}
    assert set("".join(groove.drums.values())) <= set("xo.")
    assert set(groove.bass) <= set("158-") and set(groove.comp) <= set("x.")
    assert groove.comp_style in ("block", "strum", "arpeggio", "pad")


def test_the_unheard_grooves_are_not_trained_on() -> None:
    assert {g.name for g in TRAIN_GROOVES}.isdisjoint(g.name for g in HELD_OUT_GROOVES)
    trained = [(g.drums, g.bass, g.comp) for g in TRAIN_GROOVES]
    assert not any((g.drums, g.bass, g.comp) in trained for g in HELD_OUT_GROOVES)


def lay(groove: Groove, song: Song) -> Rhythm:
    rhythm = Rhythm(Player("drums", 0), Player("bass", 33), Player("comp", 25))
    lay_groove(song, groove, rhythm, 48, np.random.default_rng(0))
    return rhythm


ONE_BAR = Song(
    "bar", [], [], [],
    [Beat(1 + 0.4 * k, k == 0) for k in range(4)],
    [Chord(1.0, 1.8, "C:maj"), Chord(1.8, 2.6, "G:7/3")],
)  # fmt: skip
PLAIN = Groove(
    "plain",
    {KICK: "x.......x.......", SNARE: "....o..........."},
    "1---8---5-------",
    "x.......x.......",
    "block",
)


def test_a_groove_lies_on_beats_and_chords() -> None:
    rhythm = lay(PLAIN, ONE_BAR)
    # Hands are up to some 20 ms early or late.
    kicks = [n.onset for n in rhythm.drums.notes if n.pitch == KICK]
    assert kicks == pytest.approx([1.0, 1.8], abs=0.03)
    (snare,) = [n for n in rhythm.drums.notes if n.pitch == SNARE]
    assert snare.onset == pytest.approx(1.4, abs=0.03) and snare.velocity <= 70  # a soft one
    assert [n.pitch for n in rhythm.bass.notes] == [36, 48, 38]  # C, its octave, G's fifth
    assert [n.onset for n in rhythm.bass.notes] == pytest.approx([1.0, 1.4, 1.8], abs=0.04)
    assert all(n.offset <= 2.6 + 0.04 for n in rhythm.bass.notes)
    first = sorted(n.pitch for n in rhythm.comp.notes if n.onset < 1.5)
    second = sorted(n.pitch for n in rhythm.comp.notes if n.onset >= 1.5)
    assert first == [48, 52, 55] and second == [50, 53, 55, 59]


def test_swing_delays_the_second_half_of_a_beat() -> None:
    eighths = dataclasses.replace(PLAIN, drums={HAT: "x.x............."}, swing=0.4)
    onsets = [n.onset for n in lay(eighths, ONE_BAR).drums.notes]
    assert onsets == pytest.approx([1.0, 1.0 + 0.2 + 0.04], abs=0.03)


def test_no_chord_leaves_bass_and_comp_silent() -> None:
    rhythm = lay(PLAIN, dataclasses.replace(ONE_BAR, chords=[Chord(1.0, 2.6, "N")]))
    assert rhythm.drums.notes and not rhythm.bass.notes and not rhythm.comp.notes


def test_held_chords_sound_to_their_end() -> None:
    notes = held_chords(ONE_BAR, 53, np.random.default_rng(0))
    assert {(n.onset, n.offset) for n in notes} == {(1.0, 1.8), (1.8, 2.6)}
    assert sorted(n.pitch for n in notes if n.onset == 1.0) == [55, 60, 64]


@pytest.mark.parametrize("seed", range(8))
def test_a_band_has_sound_notes(song: Song, seed: int) -> None:
    players = arrange(song, GROOVES, np.random.default_rng(seed))
    roles = [p.role for p in players]
    assert roles[0] == "melody" and len(set(roles)) == len(roles)
    assert [n[:3] for n in players[0].notes] == [n[:3] for n in song.melody]
    for player in players:
        assert 0 <= player.program <= 127 and -1 <= player.pan <= 1
        for note in player.notes:
            assert 0 <= note.onset < note.offset
            assert 0 <= note.pitch <= 127 and 1 <= note.velocity <= 127


def test_a_band_comes_from_its_seed(song: Song) -> None:
    first, again = (arrange(song, TRAIN_GROOVES, np.random.default_rng(3)) for _ in range(2))
    other = arrange(song, TRAIN_GROOVES, np.random.default_rng(4))
    assert first == again != other


def test_most_bands_leave_the_piano_out(song: Song) -> None:
    bands = [arrange(song, TRAIN_GROOVES, np.random.default_rng(seed)) for seed in range(200)]
    with_piano = sum(any(p.role == "piano" for p in band) for band in bands)
    assert 10 <= with_piano <= 60  # 15 % of 200


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("C:maj", 43),  # G above C
        ("E:maj", 35),  # B above E
        ("C:maj/3", 31),  # G above E, not B
        ("A:min/b3", 40),  # E above C
        ("C:maj/5", 36),  # the bass is the fifth: the root above it
        ("B:dim", 41),  # the chord's own fifth, diminished
        ("C:aug", 44),  # and augmented
        ("D:min7/b7", 33),  # A below C is nearer than A above
        ("F:maj7/7", 36),  # C above E
    ],
)
def test_the_fifth_is_the_chords_however_it_is_inverted(symbol: str, expected: int) -> None:
    beats = [Beat(1 + 0.4 * k, k == 0) for k in range(4)]
    bar = Song("bar", [], [], [], beats, [Chord(1.0, 2.6, symbol)])
    groove = Groove("fifth", {}, "5---------------", "................", "block")
    assert [note.pitch for note in lay(groove, bar).bass.notes] == [expected]
