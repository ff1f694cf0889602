"""Hands, spans and re-strikes of a few chords written down by hand."""

import numpy as np
import pytest

from offline_train.evaluation.measures.playability import (
    attacks,
    count_restrikes,
    find_unplayable,
    score_playability,
    split_hands,
)


def notes_of(*rows: tuple[float, float, int]) -> np.ndarray:
    return np.array([(*row, 80, 0) for row in rows], np.float32).reshape(-1, 5)


CHORDS = notes_of(
    (0.0, 1.0, 36), (0.01, 1.0, 48), (0.02, 1.0, 64), (0.03, 1.0, 72), (0.5, 1.0, 76),
    (1.0, 2.0, 41), (1.0, 2.0, 60), (1.0, 2.0, 77),
)  # fmt: skip


def test_notes_within_50_ms_are_one_attack() -> None:
    assert attacks(CHORDS[:, 0]) == [slice(0, 4), slice(4, 5), slice(5, 8)]
    assert attacks(notes_of()) == []


def test_hands_are_told_apart() -> None:
    assert split_hands(CHORDS).tolist() == [False] * 2 + [True] * 3 + [False, False, True]


def test_a_tune_high_up_stays_in_one_hand() -> None:
    assert split_hands(notes_of(*((k, k + 1, 72 + k) for k in range(8)))).all()


def test_spans_and_polyphony_of_each_hand() -> None:
    score = score_playability(CHORDS, 2.0)
    assert score.notes_a_second == 4
    assert score.left.notes_a_second == 2
    assert score.left.mean_span == pytest.approx((12 + 19) / 2)
    assert score.right.mean_span == 8
    assert score.right.max_polyphony == 3  # E5 joins a sixth that is held
    assert score.right.mean_polyphony == pytest.approx((2 + 3 + 1) / 3)


def test_restrikes_are_the_same_key_within_60_ms() -> None:
    notes = notes_of((0.0, 0.1, 60), (0.05, 0.1, 60), (0.02, 0.1, 61), (0.11, 0.2, 60))
    assert count_restrikes(notes) == 1  # 60 ms and more apart is a repetition
    assert score_playability(notes, 1.0).restrike_share == pytest.approx(1 / 4)


def test_silence_is_playable() -> None:
    score = score_playability(notes_of(), 10.0)
    assert score.notes_a_second == score.restrike_share == score.left.mean_polyphony == 0


def broken_by(*rows: tuple[float, float, int], right: int = 0) -> dict[str, list[int]]:
    """Which notes break which rule; the last ``right`` of them are the right hand's."""
    is_right = np.arange(len(rows)) >= len(rows) - right
    found = find_unplayable(notes_of(*rows), is_right)
    names = ("span", "fingers", "crossing", "restrike", "leap")
    flags = {name: np.flatnonzero(getattr(found, name)).tolist() for name in names}
    return {name: notes for name, notes in flags.items() if notes}


def test_a_ninth_can_be_held_and_a_tenth_not() -> None:
    assert broken_by((0.0, 1.0, 40), (0.5, 1.0, 54)) == {}
    assert broken_by((0.0, 1.0, 40), (0.5, 1.0, 55)) == {"span": [1]}
    assert broken_by((0.0, 1.0, 40), (0.5, 1.0, 55), right=1) == {}


def test_a_hand_has_five_fingers() -> None:
    assert broken_by(*((0.0, 1.0, 40 + k) for k in range(6))) == {"fingers": [5]}


def test_the_left_hand_stays_below_the_right() -> None:
    assert broken_by((0.0, 1.0, 60), (0.2, 1.0, 59), right=1) == {"crossing": [1]}
    assert broken_by((0.0, 0.2, 60), (0.2, 1.0, 59), right=1) == {}


def test_a_finger_stays_for_60_ms() -> None:
    assert broken_by((0.0, 0.01, 60), (0.05, 0.1, 60)) == {"restrike": [1]}
    assert broken_by((0.0, 0.01, 60), (0.06, 0.1, 60)) == {}
    both = {"span": [1], "leap": [1]}
    assert broken_by((0.0, 0.01, 40), (0.05, 0.1, 60)) == both  # the key is up, the finger there


def test_a_hand_leaps_a_semitone_in_ten_milliseconds() -> None:
    assert broken_by((0.0, 0.1, 30), (0.25, 0.3, 64)) == {"leap": [1]}
    assert broken_by((0.0, 0.1, 30), (0.26, 0.3, 64)) == {}
