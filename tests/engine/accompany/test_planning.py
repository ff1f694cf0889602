"""Chords as classes, and the plan that is made of how likely each is."""

import numpy as np

from engine.accompany.chords import (
    CLASS_TONES,
    N_CLASSES,
    NO_CHORD,
    QUALITY_NAMES,
    chord_vectors,
    class_of,
)
from engine.accompany.planning import PlanSettings, choose

EVEN = np.full((N_CLASSES, 12), 1 / 12, np.float32)
SETTINGS = PlanSettings(likelihood=0.5, margin=0.1, margin_on_beat=0.0)


def chord(root: int, quality: str) -> int:
    return int(class_of(np.array([root, QUALITY_NAMES.index(quality), root])))


def likely(**chances: float) -> np.ndarray:
    """Probabilities of chords such as ``maj_0``; the rest is spread over all."""
    p = np.full(N_CLASSES, (1 - sum(chances.values())) / N_CLASSES, np.float32)
    for name, chance in chances.items():
        quality, root = name.split("_")
        p[chord(int(root), quality)] += chance
    return p


def test_classes_and_vectors() -> None:
    chords = np.array([[0, 0, 4], [-1, -1, -1]])
    assert class_of(chords).tolist() == [0, NO_CHORD]
    vectors = chord_vectors(class_of(chords), np.array([4, 0]))
    assert np.flatnonzero(vectors[0]).tolist() == [0, 12, 16, 19, 28]
    assert not vectors[1].any()


def test_tones_of_a_minor_seventh() -> None:
    assert np.flatnonzero(CLASS_TONES[chord(9, "min7")]).tolist() == [0, 4, 7, 9]


def test_the_likeliest_chord_is_planned_where_it_is_clear() -> None:
    plan = choose(likely(maj_7=0.9), EVEN, None, True, SETTINGS)
    assert plan.chord == chord(7, "maj")
    assert not plan.is_new
    assert set(np.flatnonzero(plan.safety > 0.8)) == {2, 7, 11}


def test_a_plan_that_fits_several_likely_chords_is_better_than_the_likeliest() -> None:
    p = likely(maj_1=0.28, maj_0=0.26, min_9=0.24, min7_9=0.2)  # C and A minor share C and E
    plan = choose(p, EVEN, None, True, SETTINGS)
    assert plan.chord in (chord(0, "maj"), chord(9, "min"))


def test_a_plan_stays_off_the_beat_unless_another_is_much_better() -> None:
    first = choose(likely(maj_0=0.9), EVEN, None, True, SETTINGS)
    nearly = likely(maj_0=0.47, min_9=0.48)
    assert choose(nearly, EVEN, first, False, SETTINGS).chord == first.chord
    other = choose(likely(maj_1=0.9), EVEN, first, False, SETTINGS)
    assert other.chord == chord(1, "maj")
    assert other.is_new


def test_silence_has_no_chord() -> None:
    p = np.zeros(N_CLASSES, np.float32)
    p[NO_CHORD] = 1
    plan = choose(p, EVEN, None, True, SETTINGS)
    assert plan.chord == NO_CHORD
    assert plan.row.shape == (37,)
    assert not plan.row.any()
