import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline_train.corpora import Beat, Chord, Note, Song
from offline_train.data.beats.timing import (
    FASTEST_BPM,
    SLOWEST_BPM,
    in_bars_of_three,
    in_three,
    retimed,
)


def song(n_bars: int = 12, metre: int = 4, period: float = 0.6) -> Song:
    times = 0.4 + period * np.arange(n_bars * metre)
    beats = [Beat(float(t), k % metre == 0) for k, t in enumerate(times)]
    notes = [Note(float(t), float(t) + 0.3, 60 + k % metre, 90) for k, t in enumerate(times)]
    halves = [Note(n.onset + period / 2, n.offset + period / 2, 72, 80) for n in notes]
    chords = [
        Chord(float(times[k]), float(times[k] + metre * period), "C:maj")
        for k in range(0, len(times), metre)
    ]
    return Song("x", notes, [], sorted(notes + halves), beats, chords)


@given(st.integers(0, 2**31))
def test_notes_on_beats_stay_on_beats(seed: int) -> None:
    made = retimed(song(), np.random.default_rng(seed))
    beats = np.array([beat.time for beat in made.beats])
    onsets = np.array([note.onset for note in made.melody])
    assert (np.diff(beats) > 0.1).all()
    assert np.abs(onsets[:, None] - beats).min(1).max() < 0.07
    assert [beat.is_downbeat for beat in made.beats] == [beat.is_downbeat for beat in song().beats]
    bpm = 60 / float(np.median(np.diff(beats)))
    assert 0.8 * SLOWEST_BPM < bpm < 1.25 * FASTEST_BPM
    assert [chord.start for chord in made.chords] == pytest.approx(beats[::4].tolist())


def test_a_song_without_beats_stays_as_it_is() -> None:
    bare = Song("x", [Note(0.0, 1.0, 60, 90)], [], [], [], [])
    assert retimed(bare, np.random.default_rng(0)) == bare


def test_a_song_in_four_becomes_one_in_three() -> None:
    made = in_three(song())
    flags = [beat.is_downbeat for beat in made.beats]
    assert flags[:33] == [k % 3 == 0 for k in range(33)]
    beats = [beat.time for beat in made.beats][:33]
    assert np.diff(beats) == pytest.approx(0.6)
    assert {note.pitch for note in made.melody[:33]} == {60, 61, 62}
    assert made.chords[1].start == pytest.approx(beats[3])


def test_a_song_in_three_stays_as_it_is() -> None:
    assert in_three(song(metre=3)) == song(metre=3)


def test_a_bar_of_six_is_two_of_three() -> None:
    made = in_bars_of_three(song(metre=6))
    assert [beat.is_downbeat for beat in made.beats][:9] == [k % 3 == 0 for k in range(9)]
    assert in_bars_of_three(song(metre=4)) == song(metre=4)
