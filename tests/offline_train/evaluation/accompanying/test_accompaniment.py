"""What an accompaniment is worth: chord tones, plans, hands, and how like a pianist it is."""

from pathlib import Path

import numpy as np
import pytest

from offline_train.corpora import read_song
from offline_train.data.accompaniment.crops import ExcerptPosteriors
from offline_train.data.accompaniment.songs import GridSong, grid_song
from offline_train.evaluation.accompanying.accompaniment import (
    AccompanimentScore,
    add_song,
    after_change,
    measure,
    recoveries,
    table,
)
from offline_train.evaluation.accompanying.accompaniment_players import Played, human_playing
from tests.offline_train.fixtures import write_song


@pytest.fixture
def song(tmp_path: Path) -> GridSong:
    return grid_song(read_song(write_song(tmp_path / "001")), np.random.default_rng(0))


@pytest.fixture
def real() -> ExcerptPosteriors:
    return ExcerptPosteriors(0, np.zeros((64, 88, 2), np.uint8))


def test_the_human_is_his_own_measure(song: GridSong, real: ExcerptPosteriors) -> None:
    score = measure([song], {"001": [real]}, None, 0.0)
    figures = score.figures
    assert figures["notes for each of the human's"] == 1
    assert figures["chord tones"] > 0.9
    assert score.n_notes == len(song.piano[song.piano[:, 0] >= 32])


def test_chord_tones_count_after_changes_apart(song: GridSong, real: ExcerptPosteriors) -> None:
    assert np.flatnonzero(after_change(song)).tolist() == [
        *range(16, 20), *range(32, 36), *range(48, 52),
    ]  # fmt: skip
    notes = np.array([[4.0, 4.4, 65, 70, 1], [4.5, 5.0, 66, 70, 1]], np.float32)  # over F
    score = AccompanimentScore()
    add_song(score, song, real, Played(notes, np.array([32, 36])), human_playing(song, real))
    assert (score.n_evaluated, score.n_tones) == (2, 1)
    assert (score.n_evaluated_after, score.n_tones_after) == (1, 1)
    assert score.n_half_beats == 2


def test_a_wrong_guess_lasts_until_the_plan_is_right() -> None:
    c_major, f_major = 0b10010001, 0b1000100001
    tones = np.repeat(np.array([c_major, f_major, c_major, f_major], np.uint16), 32)
    plans = np.repeat([0, 5 * 8, 0, 5 * 8], 32)
    plans[64:70] = 5 * 8  # F held for a beat and a half into C
    plans[96:] = 6 * 8  # never found
    assert recoveries(tones, plans) == [1.5, 8.0]
    minor = plans.copy()
    minor[64:70] = 9 * 8 + 1  # A minor shares two tones with C
    assert recoveries(tones, minor) == [8.0]


def test_the_table_has_a_column_each(song: GridSong, real: ExcerptPosteriors) -> None:
    human = measure([song], {"001": [real]}, None, 0.0)
    text = table({"0 ms": human}, human)
    assert text.splitlines()[0] == "| | human | 0 ms |"
    assert text.splitlines()[-1].startswith("| human deviations away, mean | 0 | 0.00 |")
