"""Thresholds are chosen so that notes begin and end where the human's do."""

import numpy as np

from engine.notes import Posteriors
from offline_train.evaluation.systems import decode
from offline_train.evaluation.tuning import HeardCover, tune_frames, tune_onsets, tune_restrike

FRAME_S = 0.016
N_FRAMES, FADE = 400, 60


def heard_cover() -> HeardCover:
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
    return HeardCover(Posteriors(frames, onset, frame, velocity), np.array(notes, np.float32))


def test_notes_end_where_the_human_lets_go() -> None:
    cover = heard_cover()
    decoding = tune_onsets([cover], FRAME_S)
    assert decoding.onset_threshold < 0.6
    decoding = tune_restrike([cover], FRAME_S, tune_frames([cover], FRAME_S, decoding))
    played = decode(cover.posteriors, FRAME_S, decoding)
    np.testing.assert_allclose(played[:, 0], cover.human[:, 0], atol=0.02)
    np.testing.assert_allclose(played[:, 1], cover.human[:, 1], atol=0.1)


def test_without_a_sane_length_the_nearest_is_taken() -> None:
    cover = heard_cover()
    human = cover.human.copy()
    human[:, 1] = human[:, 0] + 0.01
    decoding = tune_onsets([cover], FRAME_S)
    chosen = tune_frames([cover._replace(human=human)], FRAME_S, decoding)
    assert chosen.frame_on_threshold > 0.5
