"""What the accompanist is told of what was heard: by sixteenth, causal, and what repeats."""

import numpy as np

from engine.accompany.features import COMPARED, expect
from engine.beat.steps.gathering import gather_steps
from engine.beat.steps.summary import HARMONY_DIM, summarise

FRAME_S = 0.016


def song(n: int, period: int = 32, seed: int = 0) -> np.ndarray:
    """Hearing (n, 88, 2) that repeats itself."""
    rows = np.random.default_rng(seed).random((period, 88, 2)) > 0.95
    return np.tile(rows, (-(-n // period), 1, 1))[:n].astype(np.float32)


def test_a_step_has_the_onsets_around_it_and_what_sounds_after_it() -> None:
    onset, frame = np.zeros((100, 88), np.float32), np.zeros((100, 88), np.float32)
    onset[48, 10] = 0.9  # 0.768 s, early for the step at 0.8 s
    frame[40:60, 20] = 1  # to 0.96 s: of the half step from 0.8 s on, 0.8 to 0.9 s, all
    steps = np.arange(0, 1.6, 0.2)
    heard = gather_steps(onset, frame, FRAME_S, steps)
    assert heard.shape == (7, 88, 2)
    assert heard[:, 10, 0].tolist() == [0, 0, 0, 0, np.float32(0.9), 0, 0]
    assert heard[4, 20, 1] == 1
    assert heard[5, 20, 1] == 0


def test_a_step_is_complete_half_a_step_after_it_began() -> None:
    rng = np.random.default_rng(1)
    onset, frame = rng.random((2, 100, 88)).astype(np.float32)
    steps = np.arange(0, 1.6, 0.2)
    n_frames = int(np.ceil(0.9 / FRAME_S))
    whole = gather_steps(onset, frame, FRAME_S, steps)
    known = gather_steps(onset[:n_frames], frame[:n_frames], FRAME_S, steps)
    np.testing.assert_array_equal(whole[:5], known[:5])


def test_a_summary_has_the_bass_apart() -> None:
    heard = np.zeros((1, 88, 2), np.float32)
    heard[0, 36 - 21, 1] = heard[0, 64 - 21, 1] = 1  # C2 and E4
    row = summarise(heard)[0]
    assert set(np.flatnonzero(row[:12])) == {0, 4}
    assert set(np.flatnonzero(row[24:36])) == {0}


def test_what_repeated_is_expected_again() -> None:
    summaries = summarise(song(160))
    found = expect(summaries[:100], np.array([102]), lag=3)
    np.testing.assert_allclose(found[0, :HARMONY_DIM], summaries[102, :HARMONY_DIM], atol=0.02)
    assert found[0, HARMONY_DIM] > 0.99


def test_nothing_is_expected_of_what_was_hardly_heard() -> None:
    assert not expect(summarise(song(10)), np.array([11]), lag=2).any()
    assert not expect(np.zeros((0, 44), np.float32), np.array([1]), lag=2).any()


def test_expectation_looks_at_nothing_that_was_not_heard_yet() -> None:
    summaries = summarise(np.random.default_rng(0).random((200, 88, 2)).astype(np.float32))
    targets = np.arange(200)
    for lag in (0, 2, 8):
        whole = expect(summaries, targets, lag)
        for target in (60, 150):
            known = expect(summaries[: target - lag + 1], np.array([target]), lag)
            np.testing.assert_allclose(whole[target], known[0], atol=1e-5)


def test_expectation_of_the_last_steps_is_that_of_the_whole_song() -> None:
    summaries = summarise(song(900, period=64))
    kept = 384 + COMPARED
    whole = expect(summaries, np.array([901]), lag=2)
    late = expect(summaries[-kept:], np.array([kept + 1]), lag=2)
    np.testing.assert_allclose(whole, late, atol=1e-4)
