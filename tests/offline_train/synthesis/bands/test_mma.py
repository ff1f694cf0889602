"""Charts for MMA, and the bands that it makes of them, on the song's own beats."""

import dataclasses
from bisect import bisect_right

import numpy as np
import pytest

from engine.core.errors import DataError
from offline_train.corpora import Beat, Chord, Song
from offline_train.synthesis.bands.chart import chord_name, write_chart
from offline_train.synthesis.bands.mma import MAX_PLAYERS, mma_players
from offline_train.synthesis.bands.mma_grooves import (
    HELD_OUT_GROOVES_MMA,
    STYLE_OF_GROOVE,
    TRAIN_GROOVES_MMA,
)
from offline_train.synthesis.render import players_to_midi
from tests.programs import needs

needs_mma = needs("mma")


def beats_of(
    intervals: list[float], bar: int = 4, pickup: int = 0, start: float = 0.3
) -> list[Beat]:
    times = start + np.concatenate([[0.0], np.cumsum(intervals)])
    return [Beat(float(t), (k - pickup) % bar == 0) for k, t in enumerate(times)]


def song_of(beats: list[Beat], symbols: list[str], every: int = 4, first: int = 0) -> Song:
    """A song whose chords change every so many beats from the beat ``first`` on."""
    times = [b.time for b in beats] + [2 * beats[-1].time - beats[-2].time]
    chords = [
        Chord(times[first + every * k], times[min(first + every * (k + 1), len(beats))], symbol)
        for k, symbol in enumerate(symbols)
    ]
    return Song("007", [], [], [], beats, chords)


# The tempo falls from 130 to 75 beats a minute; one beat of pickup; the last bar has two beats.
SLOWING = song_of(
    beats_of([float(60 / t) for t in np.linspace(130, 75, 34)], pickup=1),
    ["C:maj", "A:min7", "F:maj/3", "G:7", "D:min", "E:hdim7", "Bb:maj", "C:sus4(b7)", "F:maj"],
    first=1,
)


@pytest.mark.parametrize(
    ("harte", "expected"),
    [
        ("C:maj", "C"), ("F#:min7", "Gbm7"), ("F:maj/3", "F/A"), ("D:dim", "Dmb5"),
        ("G:sus4(b7)", "G7sus"), ("B:hdim7", "Bm7b5"), ("Cb:minmaj7", "BmM7"), ("N", "z"),
    ],
)  # fmt: skip
def test_a_harte_symbol_gets_mmas_name(harte: str, expected: str) -> None:
    assert chord_name(harte) == expected


def test_the_unheard_grooves_share_no_style_with_training() -> None:
    trained = {STYLE_OF_GROOVE[name].name for name in TRAIN_GROOVES_MMA}
    unheard = {STYLE_OF_GROOVE[name].name for name in HELD_OUT_GROOVES_MMA}
    assert trained.isdisjoint(unheard)
    assert len(TRAIN_GROOVES_MMA) >= 60 and 8 <= len(HELD_OUT_GROOVES_MMA) <= 12
    assert len(set(TRAIN_GROOVES_MMA)) == len(TRAIN_GROOVES_MMA)
    for names in (TRAIN_GROOVES_MMA, HELD_OUT_GROOVES_MMA):
        assert {STYLE_OF_GROOVE[name].beats for name in names} == {3, 4, 6}


def test_a_chart_has_a_line_a_bar_and_cuts_the_pickup_and_the_last() -> None:
    lines = write_chart(SLOWING, ["8Beat", "8Beat1"], 5).splitlines()
    assert lines[0] == "RndSeed 5" and lines[1].startswith("Tempo ")
    assert lines[2:6] == ["Groove 8Beat", "Truncate 1 Side=Right", "1 z@1", "2 C@1"]
    assert lines[lines.index("Groove 8Beat1") + 1] == "9 C7sus@1"  # after eight lines
    assert lines[-2:] == ["Truncate 2", "10 F@1"]


def test_chords_between_beats_and_gaps_are_charted() -> None:
    song = dataclasses.replace(
        song_of(beats_of([0.5] * 7), []),
        chords=[Chord(0.3, 1.05, "C:maj"), Chord(1.05, 1.3, "G:maj"), Chord(2.8, 9.0, "F:min")],
    )
    assert write_chart(song, ["8Beat"], 1).splitlines()[3:] == [
        "1 C@1 G@2.5 z@3",
        "2 z@1 Fm@2",
    ]


def test_a_bar_of_another_length_becomes_cut_bars() -> None:
    beats = [Beat(0.5 * k, k in (0, 4, 10)) for k in range(12)]
    lines = write_chart(song_of(beats, ["C:maj"] * 3), ["8Beat"], 1).splitlines()[3:]
    assert lines == ["1 C@1", "2 C@1", "Truncate 2", "3 C@1", "Truncate 2", "4 C@1"]


def test_a_song_without_beats_or_chords_has_no_band() -> None:
    rng = np.random.default_rng(0)
    assert mma_players(dataclasses.replace(SLOWING, beats=[]), rng) == []
    assert mma_players(dataclasses.replace(SLOWING, beats=SLOWING.beats[:1]), rng) == []
    assert mma_players(dataclasses.replace(SLOWING, chords=[]), rng) == []
    assert mma_players(song_of(SLOWING.beats, ["N"] * 4), rng) == []


def test_an_unknown_groove_is_named() -> None:
    with pytest.raises(DataError, match=r"STYLE_OF_GROOVE, got \['Nope'\]"):
        mma_players(SLOWING, np.random.default_rng(0), ["8Beat", "Nope"])


def test_a_missing_mma_says_which_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataError, match="on Debian install the package mma"):
        mma_players(SLOWING, np.random.default_rng(0))


@needs_mma
def test_a_song_that_mma_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offline_train.synthesis.bands.chart.chord_name", lambda symbol: "H")
    with pytest.raises(DataError, match=r"007: expected mma to accompany.*Error"):
        mma_players(SLOWING, np.random.default_rng(0))


@needs_mma
def test_bass_and_drums_sit_on_the_songs_beats_and_chords() -> None:
    for seed in range(20):
        players = mma_players(SLOWING, np.random.default_rng(seed), ["BasicRock"])
        by_role = {player.role: player for player in players}
        if {"bass", "drums"} <= by_role.keys():
            break
    bass = by_role["bass"]
    for chord, root in zip(SLOWING.chords, (0, 9, 9, 7, 2, 4, 10, 0, 5), strict=True):
        # MMA's hands are up to some 20 ms early or late.
        (first, *_) = [n for n in bass.notes if abs(n.onset - chord.start) < 0.05]
        assert first.pitch % 12 == root
    times = [b.time for b in SLOWING.beats]
    drums = [n.onset for n in by_role["drums"].notes]
    assert sum(min(abs(t - d) for d in drums) < 0.05 for t in times) >= len(times) - 2
    end = 2 * times[-1] - times[-2]
    for player in players:
        tail = 0.1 if player.role == "drums" else 1e-9
        assert all(times[0] <= n.onset < n.offset <= end + tail for n in player.notes)


@needs_mma
@pytest.mark.parametrize("bar", [3, 4, 5, 6])
def test_bands_of_any_bar_length_have_sound_notes(bar: int) -> None:
    song = song_of(beats_of([0.45] * (4 * bar), bar), ["C:maj", "A:min", "F:maj", "G:7"], bar)
    for seed, grooves in enumerate((TRAIN_GROOVES_MMA, HELD_OUT_GROOVES_MMA)):
        players = mma_players(song, np.random.default_rng(seed), grooves)
        assert 0 < len(players) <= MAX_PLAYERS
        players_to_midi(players)  # all have a channel
        for player in players:
            assert player.role in ("bass", "comp", "pad", "drums")
            assert 0 <= player.program <= 127 and -1 <= player.pan <= 1
            ends: dict[int, float] = {}
            for note in player.notes:
                assert 0 <= note.onset < note.offset
                assert 0 <= note.pitch <= 127 and 1 <= note.velocity <= 127
                assert note.onset >= ends.get(note.pitch, 0.0) - 1e-9  # one at a time
                ends[note.pitch] = note.offset


@needs_mma
def test_harmony_rests_where_there_is_no_chord() -> None:
    song = song_of(beats_of([0.5] * 15), ["C:maj", "N", "N", "G:maj"])
    players = mma_players(song, np.random.default_rng(2), ["8Beat", "RockBallad"])
    starts = [c.start for c in song.chords]
    for player in players:
        where = {bisect_right(starts, n.onset + 0.05) - 1 for n in player.notes}
        assert player.role == "drums" or where.isdisjoint({1, 2})


@needs_mma
def test_a_band_comes_from_its_seed() -> None:
    first, again = (mma_players(SLOWING, np.random.default_rng(3)) for _ in range(2))
    assert first == again != mma_players(SLOWING, np.random.default_rng(4))
