"""Notes too long and notes repeated, on a few written down by hand."""

import numpy as np

from offline_train.evaluation.measures.faults import FaultScore, count_repeated, score_faults


def notes_of(*rows: tuple[float, float, int]) -> np.ndarray:
    return np.array([(*row, 80, 0) for row in rows], np.float32).reshape(-1, 5)


HUMAN = notes_of((0.0, 1.0, 60), (2.0, 3.0, 62), (4.0, 4.1, 64))


def test_ends_within_the_tolerance_are_no_fault() -> None:
    score = score_faults(HUMAN, notes_of((0.0, 1.19, 60), (2.0, 2.81, 62), (4.0, 4.14, 64)))
    assert (score.n_matched, score.n_too_long, score.n_too_short) == (3, 0, 0)


def test_too_long_hanging_and_too_short() -> None:
    score = score_faults(HUMAN, notes_of((0.0, 1.25, 60), (2.0, 2.7, 62), (4.0, 5.2, 64)))
    assert (score.n_too_long, score.n_hanging, score.n_too_short) == (2, 1, 1)
    assert score.of_matched("n_too_long") == 2 / 3


def test_a_note_that_the_human_has_not_is_long_or_not_for_itself() -> None:
    score = score_faults(HUMAN, notes_of((0.0, 2.5, 72), (0.0, 1.9, 74)))
    assert (score.n_matched, score.n_too_long, score.n_long) == (0, 0, 1)
    assert score.of_notes("n_long") == 1 / 2


def test_a_held_note_struck_again_is_repeated() -> None:
    assert count_repeated(HUMAN, notes_of((0.0, 0.3, 60), (0.4, 0.9, 60), (0.98, 1.4, 60))) == 1
    assert count_repeated(HUMAN, notes_of((0.4, 0.9, 60))) == 0  # late, but once
    twice = notes_of((0.0, 0.5, 60), (0.5, 1.0, 60))
    assert count_repeated(twice, twice) == 0


def test_restrikes_within_two_bounds() -> None:
    score = score_faults(HUMAN, notes_of((0.0, 0.1, 60), (0.05, 0.1, 60), (0.15, 0.2, 60)))
    assert (score.n_struck_at_once, score.n_struck_soon) == (1, 2)


def test_nothing_is_no_fault() -> None:
    assert score_faults(HUMAN, notes_of()) == FaultScore()
    assert FaultScore().of_matched("n_too_long") == 0.0
