"""The beat grid and Etude's grid coherence on rhythms whose answer is known."""

import numpy as np
import pytest

from offline_train.evaluation.measures.rhythm import grid_coherence, grid_distance, score_rhythm

BEATS = np.arange(8) * 0.5


def notes_at(onsets: list[float]) -> np.ndarray:
    return np.array([[t, t + 0.2, 60, 80, 0] for t in onsets], np.float32).reshape(-1, 5)


def test_distance_to_beats_half_beats_and_beyond_both_ends() -> None:
    beats = np.array([1.0, 2.0, 3.0])
    onsets = np.array([1.0, 1.5, 1.6, 2.9, 0.5, 0.3, 5.5, 5.75])
    wanted = [0, 0, 0.1, 0.1, 0, 0.2, 0, 0.25]
    assert grid_distance(onsets, beats) == pytest.approx(wanted, abs=1e-9)


def test_the_grid_follows_a_tempo_that_changes() -> None:
    beats = np.array([0.0, 1.0, 1.4])
    assert grid_distance(np.array([0.5, 1.2, 1.6]), beats) == pytest.approx([0, 0, 0], abs=1e-9)


def test_share_near_the_grid() -> None:
    score = score_rhythm(notes_at([0.0, 0.25, 0.31, 0.375, 0.5, 1.05]), BEATS)
    assert (score.n_onsets, score.n_near_grid) == (6, 5)  # 0.375 is the middle of two
    assert score.grid_share == pytest.approx(5 / 6)


def test_without_beats_or_notes_there_is_no_share() -> None:
    for score in (score_rhythm(notes_at([0.0, 1.0]), None), score_rhythm(notes_at([]), BEATS)):
        assert (score.grid_share, score.sixteenth_s, score.sixteenth_90_s) == (None, None, None)


def test_distance_from_the_sixteenths() -> None:
    late = [0.125 * k + 0.01 for k in range(9)]
    score = score_rhythm(notes_at([*late, 1.25 + 0.06, 4.0 + 0.03]), BEATS)  # beyond the beats too
    assert score.sixteenth_s == pytest.approx(0.01, abs=1e-6)
    assert score.sixteenth_90_s == pytest.approx(0.03, abs=1e-6)


def test_sixteenths_are_coherent_and_chance_is_not() -> None:
    ticks = 110 * 0.5 / 220  # a quarter second, on pretty_midi's ticks
    rng = np.random.default_rng(1)
    steps = rng.choice([1, 2, 3, 4], 200)
    even = np.cumsum(steps) * ticks + rng.choice([0.0, 0.0, 1.0], 200) * 0.5 / 220
    chance = np.sort(rng.uniform(0, 60, 400))
    good, bad = grid_coherence(even), grid_coherence(chance)
    assert good is not None and bad is not None
    assert good < 0.02 < 0.1 < bad


def test_a_hand_that_is_not_quantized_is_coherent_too() -> None:
    rng = np.random.default_rng(2)
    struck = np.cumsum(rng.choice([1, 1, 2, 4], 200)) * 0.13 + rng.uniform(-2e-3, 2e-3, 200)
    found = grid_coherence(struck)
    assert found is not None and found < 0.02


def test_a_metronome_or_a_handful_of_notes_has_no_coherence() -> None:
    assert grid_coherence(np.arange(100) * 0.5) is None
    assert grid_coherence(np.array([0.0, 0.3, 0.5])) is None
