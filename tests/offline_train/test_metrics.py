"""Scores of covers against hand-counted ones."""

import numpy as np
import pytest

from offline_train.metrics import NoteScore, score_notes

HUMAN = np.array(
    [
        [0.0, 0.5, 60, 80, 1],
        [0.5, 1.0, 62, 80, 1],
        [0.5, 1.0, 48, 60, 0],
        [1.0, 1.5, 64, 80, 1],
    ],
    np.float32,
)


def test_a_copy_scores_one() -> None:
    score = score_notes(HUMAN, HUMAN)
    assert (score.f1, score.precision, score.recall, score.density) == (1, 1, 1, 1)
    assert score.melody_recall == 1


def test_late_wrong_and_missing_notes_are_counted() -> None:
    cover = np.array(
        [
            [0.04, 0.1, 60, 1],  # within 50 ms; length and velocity do not matter
            [0.56, 0.9, 62, 80],  # 60 ms late
            [0.5, 0.9, 49, 80],  # another pitch
            [1.0, 1.0, 64, 80],  # right, and no length
            [1.01, 1.1, 64, 80],  # the reference is taken
        ],
        np.float32,
    )
    score = score_notes(HUMAN, cover)
    assert (score.n_reference, score.n_estimated, score.n_matched) == (4, 5, 2)
    assert score.f1 == pytest.approx(4 / 9)
    assert score.density == pytest.approx(5 / 4)
    assert (score.n_melody, score.n_melody_matched) == (3, 2)


def test_nothing_against_something_scores_zero() -> None:
    nothing = np.zeros((0, 5), np.float32)
    assert score_notes(HUMAN, nothing).f1 == 0
    assert score_notes(nothing, HUMAN).precision == 0
    assert score_notes(nothing, nothing).f1 == 0


def test_songs_sum_by_counts() -> None:
    total = NoteScore(10, 8, 4, 5, 3) + NoteScore(2, 4, 2, 1, 1)
    assert total == NoteScore(12, 12, 6, 6, 4)
    assert total.f1 == pytest.approx(0.5)
