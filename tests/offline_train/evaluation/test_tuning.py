"""Thresholds are chosen so that notes begin and end where the human's do."""

import numpy as np

from engine.core.notes import Posteriors
from offline_train.evaluation.systems import decode
from offline_train.evaluation.tuning import (
    SANE_DENSITY,
    Search,
    TuningExample,
    tune_frames,
    tune_onsets,
    tune_restrike,
    tune_thresholds,
)

FRAME_S = 0.016
N_FRAMES, FADE = 400, 60


def tuning_example() -> TuningExample:
    """Five notes whose frame posterior fades over 60 frames; the human lets go at one half."""
    onset, frame = (np.zeros((N_FRAMES, 88), np.float32) for _ in range(2))
    notes = []
    for k, first in enumerate(range(20, 320, 60)):
        onset[first - 1 : first + 2, 30 + k] = 0.3, 0.6, 0.3
        frame[first : first + FADE, 30 + k] = np.linspace(1, 0, FADE)
        start, end = first * FRAME_S, (first + FADE / 2) * FRAME_S
        notes.append((start, end, 51 + k, 80, 0))
    velocity = np.full_like(onset, 0.6)
    frames = np.arange(N_FRAMES, dtype=np.int64)
    return TuningExample(Posteriors(frames, onset, frame, velocity), np.array(notes, np.float32))


def test_notes_end_where_the_human_lets_go() -> None:
    cover = tuning_example()
    decoding = tune_onsets([cover], FRAME_S)
    assert decoding.onset_threshold < 0.6
    decoding = tune_restrike([cover], FRAME_S, tune_frames([cover], FRAME_S, decoding))
    played = decode(cover.posteriors, FRAME_S, decoding)
    np.testing.assert_allclose(played[:, 0], cover.human[:, 0], atol=0.02)
    np.testing.assert_allclose(played[:, 1], cover.human[:, 1], atol=0.1)


def test_without_a_sane_length_the_nearest_is_taken() -> None:
    cover = tuning_example()
    human = cover.human.copy()
    human[:, 1] = human[:, 0] + 0.01
    decoding = tune_onsets([cover], FRAME_S)
    chosen = tune_frames([cover._replace(human=human)], FRAME_S, decoding)
    assert chosen.frame_on_threshold > 0.5


def doubtful_cover() -> TuningExample:
    """Ten notes: seven and a ghost heard surely, the others and four ghosts in doubt."""
    heights = [0.4] * 8 + [0.15] * 7
    onset, frame = (np.zeros((1000, 88), np.float32) for _ in range(2))
    notes = []
    for k, height in enumerate(heights):
        first = 20 + 60 * k
        onset[first - 1 : first + 2, 30 + k] = height / 2, height, height / 2
        frame[first : first + 30, 30 + k] = 1
        notes.append((first * FRAME_S, (first + 30) * FRAME_S, 51 + k, 80, 0))
    velocity = np.full_like(onset, 0.6)
    human = np.array([*notes[:7], *notes[8:11]], np.float32)
    return TuningExample(Posteriors(np.arange(1000), onset, frame, velocity), human)


def test_notes_come_as_often_as_the_human_s_where_that_is_asked_for() -> None:
    cover = doubtful_cover()

    def n_notes(densities: tuple[float, float]) -> int:
        decoding = tune_thresholds([cover], FRAME_S, Search(densities=densities))
        return len(decode(cover.posteriors, FRAME_S, decoding))

    assert n_notes((0.0, np.inf)) == 15  # the best F1, by a hair
    assert n_notes(SANE_DENSITY) == 8
    assert n_notes((1.6, 2.0)) == 8  # none is within: the nearest to the human's
