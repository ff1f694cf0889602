"""The tune of a singer in covers whose answer is known."""

import numpy as np
import pytest

from offline_train.evaluation.measures.tune import score_tune

SUNG = np.array([[4 + 0.5 * k, 4.4 + 0.5 * k, 60 + (5 * k) % 12] for k in range(24)])


def cover(late: float = 0.0, octave: int = 0) -> np.ndarray:
    rows = [(on + late, off + late, pitch + 12 * octave, 80, 0) for on, off, pitch in SUNG]
    return np.array(rows, np.float32)


@pytest.mark.parametrize("octave", [-1, 0, 2])
def test_the_tune_is_found_in_any_octave(octave: int) -> None:
    score = score_tune(SUNG, cover(octave=octave))
    assert (score.n_sung, score.found) == (24, 1.0)
    assert score.by_chance < 0.1


@pytest.mark.parametrize(("late", "found"), [(0.13, 1.0), (-0.13, 1.0), (0.22, 1.0), (0.4, 0.0)])
def test_a_constant_offset_is_made_good(late: float, found: float) -> None:
    """Up to 150 ms, of what lies within 80 ms then."""
    assert score_tune(SUNG, cover(late)).found == found


def test_an_offset_is_the_songs_not_the_notes() -> None:
    notes = cover()
    notes[::2, 0] += 0.3
    assert score_tune(SUNG, notes).found == 0.5


def test_striking_everything_finds_everything_by_chance_too() -> None:
    times = np.arange(2.0, 20.0, 0.1)
    rows = [(t, t + 0.1, pitch, 80, 0) for t in times for pitch in range(60, 72)]
    score = score_tune(SUNG, np.array(rows, np.float32))
    assert score.found == score.by_chance == 1


def test_silence_finds_nothing() -> None:
    score = score_tune(SUNG, np.zeros((0, 5), np.float32))
    assert (score.found, score.by_chance) == (0, 0)


@pytest.mark.parametrize(
    ("semitones", "beside"), [(0, 0.0), (1, 0.25), (-1, 0.25), (13, 0.25), (2, 0.0)]
)
def test_the_tunes_notes_a_semitone_off_are_counted_in_any_octave(
    semitones: int, beside: float
) -> None:
    notes = cover()
    notes[:, 4] = 1
    notes[::4, 2] += semitones
    assert score_tune(SUNG, notes).beside == beside


def test_a_note_beside_one_that_is_right_then_is_no_wrong_one() -> None:
    """A sung note and the next lie within reach of it."""
    sung = np.array([[1.0, 1.1, 60], [1.1, 1.5, 61]])
    notes = np.array([[1.0, 1.1, 60, 80, 1], [1.1, 1.5, 61, 80, 1]], np.float32)
    assert score_tune(sung, notes).beside == 0


def test_what_sounds_while_nobody_sings_and_the_accompaniment_are_not_judged() -> None:
    notes = cover()
    notes[:, 2] += 1
    assert score_tune(SUNG, notes).beside is None
    notes[:, 4] = 1
    assert score_tune(SUNG, notes + np.array([100, 100, 0, 0, 0], np.float32)).beside is None
