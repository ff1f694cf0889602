"""Leaks and losses of melody and accompaniment, on a few notes written down by hand."""

import numpy as np

from offline_train.evaluation.measures.parts import PartsScore, score_parts


def notes_of(*rows: tuple[float, int, int]) -> np.ndarray:
    """Notes (n, 5) from (onset, pitch, is melody), each half a second long."""
    return np.array([(on, on + 0.5, pitch, 80, part) for on, pitch, part in rows], np.float32)


TRUTH = notes_of((0.0, 76, 1), (1.0, 77, 1), (0.0, 48, 0), (0.0, 64, 0), (1.0, 53, 0))


def test_a_cover_whose_parts_are_right_leaks_and_loses_nothing() -> None:
    score = score_parts(TRUTH, TRUTH)
    assert (score.n_melody, score.n_leaked, score.n_leaked_anywhere) == (2, 0, 0)
    assert (score.n_accompaniment_found, score.n_lost) == (3, 0)
    assert (score.n_notes, score.n_part) == (5, 3)


def test_a_melody_note_in_the_accompaniment_has_leaked() -> None:
    cover = notes_of((0.04, 76, 0), (1.0, 77, 1), (0.0, 48, 0))
    score = score_parts(TRUTH, cover)
    assert score.leaked_share == score.leaked_share_of_found == 1 / 2
    assert score_parts(TRUTH, notes_of((0.06, 76, 0))).n_leaked == 0  # too late to be it


def test_an_octave_of_the_tune_leaks_unless_the_human_plays_it() -> None:
    allowed = notes_of((0.0, 64, 0))  # E4 under E5, as the human has it
    assert score_parts(TRUTH, allowed).n_leaked_anywhere == 0
    foreign = notes_of((1.0, 65, 0))  # F4 under F5, which the human leaves out
    score = score_parts(TRUTH, foreign)
    assert (score.n_leaked, score.n_leaked_anywhere) == (0, 1)
    assert score.leaked_share_anywhere == 1 / 2
    assert score.echoes == (1 / 2, 1.0)  # the human has E4 under E5 and F3 under F5


def test_an_accompaniment_note_taken_for_melody_is_lost() -> None:
    cover = notes_of((0.0, 48, 0), (0.0, 64, 1), (0.5, 60, 1))  # the last is nobody's
    score = score_parts(TRUTH, cover)
    assert (score.n_accompaniment_found, score.n_lost, score.lost_share) == (2, 1, 1 / 2)


def test_doubled_melody_notes_are_counted_apart() -> None:
    piano = notes_of((0.0, 48, 0), (0.01, 76, 0))
    score = score_parts(TRUTH, notes_of((0.0, 76, 0)), piano)
    assert (score.n_doubled, score.n_doubled_leaked, score.doubled_leaked_share) == (1, 1, 1.0)


def test_scores_add_up_and_nothing_is_no_fault() -> None:
    one = score_parts(TRUTH, TRUTH)
    assert (one + one).n_melody == 4
    nothing = np.zeros((0, 5), np.float32)
    assert score_parts(nothing, nothing) == PartsScore()
    assert PartsScore().leaked_share == PartsScore().lost_share == 0.0
