"""The bound of covers: what the network reads, what it learns, and how it is counted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.spec import MIN_PITCH, N_PITCHES
from offline_train.corpora import read_song
from offline_train.data.accompaniment.songs import STRUCK, GridSong
from offline_train.studies.bounds.perfect_hearing import (
    N_INPUTS,
    BoundConfig,
    Score,
    answers,
    both_leads,
    count,
    learn,
    score_rows,
    struck,
)
from tests.offline_train.fixtures import write_data

N_STEPS = 64


def song(root: int = 0) -> GridSong:
    """Return a song whose pianist strikes the root on each beat, under a tune an octave above."""
    steps = np.arange(0, N_STEPS, 4)
    keys = np.full(len(steps), 48 + root)
    notes = np.stack([steps, np.full_like(steps, 4), keys, np.full_like(steps, 80)], 1)
    piano = np.column_stack([notes, np.zeros(len(steps), int)]).astype(np.int16)
    melody = piano.copy()
    melody[:, 2] += 24
    bands = np.zeros((1, N_STEPS, N_PITCHES), np.uint8)
    bands[0, ::4, 36 + root - MIN_PITCH] = 2 + STRUCK
    chords = np.tile(np.array([root, 0, root], np.int16), (N_STEPS, 1))
    tones = np.full(N_STEPS, 1 << root, np.uint16)
    place = (np.arange(N_STEPS) % 16).astype(np.uint8)
    times = (np.arange(N_STEPS) * 0.125).astype(np.float64)
    return GridSong("a", times, place, chords, tones, piano, melody, bands)


def told(of: GridSong) -> Score:
    return Score(of, of.melody)


def test_what_is_known_moves_with_the_key() -> None:
    there, moved = score_rows(told(song(2))), score_rows(told(song(0)), key=2)
    assert there.shape == (N_STEPS, N_INPUTS)
    np.testing.assert_array_equal(moved, there)
    np.testing.assert_array_equal(struck(song(0).piano, N_STEPS, 2), struck(song(2).piano, N_STEPS))


def test_keys_that_leave_the_piano_are_left_out() -> None:
    low = song(0)
    low.piano[:, 2] = MIN_PITCH
    assert struck(low.piano, N_STEPS, -1).sum() == 0


def test_tune_and_accompaniment_are_counted_apart() -> None:
    a = song(0)
    tune, piano = struck(a.melody, N_STEPS), struck(a.piano, N_STEPS)
    bound = count([a], [tune], 0.5)
    assert (bound.tune.f1, bound.accompaniment.recall, bound.everything.recall) == (1.0, 0.0, 0.5)
    wrong = np.roll(piano, 1, 1)
    assert count([a], [piano + wrong], 0.5).accompaniment.precision == 0.5


def test_a_pianist_without_choice_is_learned(tmp_path: Path) -> None:
    config = BoundConfig(
        Path(), tmp_path, steps=300, n_steps=32, batch=4, hidden=16, learning_rate=0.02
    )
    songs = [song(root) for root in range(6)]
    scores = [told(song) for song in songs]
    likely = answers(learn(config, scores), scores)
    assert count(songs, likely, 0.5).everything.f1 == pytest.approx(1.0, abs=0.1)


def test_a_key_that_the_human_holds_and_we_strike_twice_is_counted_once() -> None:
    a = song(0)
    held = struck(a.piano, N_STEPS)
    assert count([a], [held], 0.5).n_repeated == 0
    again = held + np.roll(held, 2, 0)
    bound = count([a], [again], 0.5)
    assert (bound.n_repeated, bound.repeated) == (len(a.piano), 0.5)


def test_an_interlude_is_told_as_the_tune_is(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    bridge = read_song(data / "pop909" / "901").bridge
    a = replace(song(), song_id="901")
    lead = both_leads(data, a)
    assert lead[: len(a.melody)].tolist() == a.melody[:, :3].tolist()
    assert [n.pitch for n in bridge] == lead[len(a.melody) :, 2].tolist() != []
    assert lead[len(a.melody), 0] == round(bridge[0].onset / 0.125)
