"""How like a pianist: figures of playing whose answer is known, and the distance from humans."""

import math
from dataclasses import fields

import numpy as np
import pytest

from offline_train.evaluation.human_covers import (
    LEAST_COVERS,
    POP909_HUMANS,
    spreads_or_usual,
)
from offline_train.evaluation.measures.pianist import (
    Notes,
    PianistScore,
    Spread,
    human_deviations,
    human_spreads,
    pianist_distance,
    pulse,
    score_pianist,
)


def steady(interval: float, n: int = 60, jitter: float = 0.0) -> Notes:
    at = interval * np.arange(n) + jitter * np.random.default_rng(0).standard_normal(n)
    rows = [(t, t + 0.2, 48 + 12 * (k % 2), 70 + 10 * (k % 2)) for k, t in enumerate(sorted(at))]
    return np.array(rows, np.float32)


def test_a_steady_hand_has_a_pulse_and_a_nervous_one_has_less() -> None:
    assert pulse(steady(0.4)) > 0.8
    assert pulse(steady(0.4, jitter=0.15)) < 0.6


def test_figures_of_a_pianist() -> None:
    notes = np.concatenate([steady(0.5), steady(0.5) + np.array([0, 0, 1, 0], np.float32)])
    score = score_pianist(notes, 30.0)
    assert score.notes_a_second == 4
    assert score.single == 0
    assert score.seconds_struck == 1
    assert score.crowded == 0
    assert score.variation == pytest.approx(0, abs=1e-3)
    assert math.isnan(score_pianist(notes[:3], 30.0).pulse)


def test_wide_attacks_of_the_left_hand_are_counted() -> None:
    rows = [(0.5 * k, 0.5 * k + 0.4, pitch, 70) for k in range(8) for pitch in (36, 53, 72)]
    assert score_pianist(np.array(rows, np.float32), 4.0).left_wide == 1


def test_the_tune_stands_out_by_its_velocity_above_the_chords_mean() -> None:
    rows = [(0.5 * k, 0.5 * k + 0.4, pitch, velocity) for k in range(8)
            for pitch, velocity in ((48, 60), (52, 60), (72, 90))]  # fmt: skip
    lone = [(4.0 + 0.5 * k, 4.3 + 0.5 * k, 72, 120) for k in range(4)]
    score = score_pianist(np.array(rows + lone, np.float32), 6.0)
    assert score.melody_above == pytest.approx(20)
    assert math.isnan(score_pianist(steady(0.5), 30.0).melody_above)  # it strikes no chord


def test_deviations_are_the_humans_own() -> None:
    humans = [score_pianist(steady(x), 30.0) for x in (0.4, 0.5, 0.6)]
    spreads = human_spreads(humans)
    undefined = {"grid_coherence", "melody_above"}  # of a metronome of single notes
    assert set(spreads) == {f.name for f in fields(PianistScore)} - undefined
    assert pianist_distance(humans, spreads) == pytest.approx(0)
    others = [score_pianist(steady(x, jitter=0.1), 30.0) for x in (0.4, 0.5, 0.6)]
    assert human_deviations(others, spreads)["pulse"] > 1


def test_the_distance_is_the_mean_over_the_figures_that_are_known() -> None:
    score = score_pianist(steady(0.5), 30.0)
    spreads = {"note_s": Spread(score.note_s + 0.2, 0.1), "notes_a_second": Spread(1.0, 0.5)}
    assert human_deviations([score], spreads) == pytest.approx({"note_s": 2, "notes_a_second": 2})
    assert pianist_distance([score], spreads) == pytest.approx(2)
    nothing = score_pianist(steady(0.5)[:0], 30.0)
    assert math.isnan(pianist_distance([nothing], {"pulse": Spread(0.8, 0.1)}))


def test_where_a_rung_has_hardly_a_human_pop909s_stand_for_them() -> None:
    assert list(POP909_HUMANS) == [f.name for f in fields(PianistScore)]
    humans = [score_pianist(steady(0.3 + 0.05 * k), 30.0) for k in range(LEAST_COVERS)]
    assert spreads_or_usual(humans) == human_spreads(humans)
    assert spreads_or_usual(humans[1:]) == POP909_HUMANS
