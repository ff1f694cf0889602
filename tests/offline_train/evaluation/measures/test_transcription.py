"""Transcription measures against hand-counted ones and mir_eval's own."""

import dataclasses

import mir_eval
import numpy as np
import pytest

from engine.core.notes import Posteriors
from offline_train.evaluation.measures.transcription import (
    FRAME_S,
    Count,
    TranscriptionScore,
    cells_of_notes,
    cells_of_posteriors,
    labels_of_notes,
    score_onsets,
    score_transcription,
    sounding,
)

HUMAN = np.array(
    [
        [0.0, 0.5, 60, 80, 1],
        [0.5, 1.0, 62, 80, 1],
        [0.5, 1.0, 48, 60, 0],
        [1.0, 1.5, 64, 80, 1],
    ],
    np.float32,
)
COVER = np.array(
    [
        [0.04, 0.1, 60, 1, 0],  # within 50 ms; too short, too soft
        [0.56, 0.9, 62, 80, 0],  # 60 ms late
        [0.5, 0.9, 36, 60, 0],  # an octave low; long enough
        [1.0, 1.48, 64, 80, 0],  # right in all
        [1.01, 1.1, 64, 80, 0],  # the reference is taken
    ],
    np.float32,
)
NOTHING = np.zeros((0, 5), np.float32)


def test_a_copy_scores_one() -> None:
    score = score_transcription(HUMAN, HUMAN)
    for name in ("onset", "onset_offset", "onset_velocity", "onset_offset_velocity", "frame"):
        assert getattr(score, name).f1 == 1, name
    assert score.onset.density == 1
    assert score.melody.recall == 1
    assert score.melody.n_reference == 3


def test_late_wrong_short_and_soft_notes_are_counted() -> None:
    score = score_transcription(HUMAN, COVER)
    assert score.onset == Count(4, 5, 2) == score_onsets(HUMAN, COVER)
    assert score.onset.f1 == pytest.approx(4 / 9)
    assert score.onset_octave_free == Count(4, 5, 3)
    assert score.onset_offset == Count(4, 5, 1)
    assert score.onset_offset_velocity == Count(4, 5, 1)
    assert (score.melody.n_reference, score.melody.n_matched) == (3, 2)


def test_a_wrong_velocity_does_not_match() -> None:
    rising = np.array([[k, k + 0.5, 60 + k, 40 + 10 * k, 0] for k in range(6)], np.float32)
    softer = rising.copy()
    softer[:, 3] = rising[:, 3] / 2  # a scale is forgiven
    assert score_transcription(rising, softer).onset_velocity.f1 == 1
    softer[3, 3] = 127
    assert score_transcription(rising, softer).onset_velocity.n_matched < 6


def test_frames_agree_with_mir_eval() -> None:
    n = 120
    times = np.arange(n) * FRAME_S
    lists = [
        [mir_eval.util.midi_to_hz(np.flatnonzero(row) + 21.0) for row in sounding(notes, n)]
        for notes in (HUMAN, COVER)
    ]
    precision, recall, *_ = mir_eval.multipitch.metrics(times, lists[0], times, lists[1])
    frame = score_transcription(HUMAN, COVER).frame
    assert frame.precision == pytest.approx(precision)
    assert frame.recall == pytest.approx(recall)


def test_a_note_sounds_from_its_onset_to_before_its_offset() -> None:
    cells = sounding(np.array([[0.016, 0.048, 21, 1, 0]], np.float32), 5)
    assert cells[:, 0].tolist() == [False, True, True, False, False]
    assert cells[:, 1:].sum() == 0


def test_labels_are_as_wide_as_the_papers_triangle() -> None:
    note = np.array([[10 * FRAME_S, 20 * FRAME_S, 60, 80, 0]], np.float32)
    labels = labels_of_notes(note, 30)
    assert np.flatnonzero(labels.onset[:, 39]).tolist() == [8, 9, 10, 11, 12]
    assert np.flatnonzero(labels.velocity[:, 39]).tolist() == [9, 10, 11]
    assert np.flatnonzero(labels.frame[:, 39]).tolist() == list(range(10, 20))


def test_average_f1_is_the_mean_over_cells() -> None:
    score = score_transcription(HUMAN, HUMAN)
    cells = score.cells
    assert cells.frame.f1 == 1
    assert cells.velocity.f1 == 1
    assert 0.7 < cells.onset.f1 < 0.8  # of five label cells three are above 0.5
    assert cells.average_f1 == pytest.approx((2 + cells.onset.f1) / 3)


def test_what_is_played_counts_whatever_the_posteriors_are() -> None:
    doubtful = posteriors_of(HUMAN, 0.0)
    cells = cells_of_posteriors(dataclasses.replace(doubtful, onset=0.4 * doubtful.onset))
    score = score_transcription(HUMAN, HUMAN, cells)
    assert score.cells.onset.f1 == 0
    assert score.played == score_transcription(HUMAN, HUMAN).cells


def posteriors_of(notes: np.ndarray, velocity_floor: float) -> Posteriors:
    cells = cells_of_notes(notes, 100)
    return Posteriors(
        frames=np.arange(100),
        onset=cells.onset.astype(np.float32),
        frame=cells.frame.astype(np.float32),
        velocity=np.maximum(0.6 * cells.velocity, velocity_floor).astype(np.float32),
    )


@pytest.mark.parametrize("velocity_floor", [0.0, 0.3])
def test_velocity_counts_at_onsets_whether_classified_or_regressed(velocity_floor: float) -> None:
    expected = cells_of_notes(HUMAN, 100)
    cells = cells_of_posteriors(posteriors_of(HUMAN, velocity_floor))
    assert (cells.velocity == expected.velocity).all()
    assert (cells.onset == expected.onset).all()


def test_frames_that_were_skipped_count_as_silent() -> None:
    whole = posteriors_of(HUMAN, 0.0)
    kept = np.r_[0:20, 40:100]
    cells = cells_of_posteriors(
        Posteriors(kept, whole.onset[kept], whole.frame[kept], whole.velocity[kept])
    )
    assert cells.frame.shape == (100, 88)
    assert not cells.frame[20:40].any()
    assert (cells.frame[40:] == (whole.frame[40:] > 0.5)).all()


def test_nothing_against_something_scores_zero() -> None:
    assert score_transcription(HUMAN, NOTHING).onset.f1 == 0
    assert score_transcription(NOTHING, HUMAN).onset.precision == 0
    both = score_transcription(NOTHING, NOTHING)
    assert both.onset.f1 == both.frame.f1 == both.cells.average_f1 == 0


def test_songs_sum_by_counts() -> None:
    one, two = score_transcription(HUMAN, COVER), score_transcription(HUMAN, HUMAN)
    total = sum([one, two], TranscriptionScore())
    assert total.onset == Count(8, 9, 6)
    assert total.frame.n_reference == 2 * one.frame.n_reference
