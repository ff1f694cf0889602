"""Posteriors gathered by step, frame by frame as at once; presence and loudness."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.accompany.loudness import LoudnessFollower
from engine.accompany.presence import Presence
from engine.beat.steps.gathering import KEPT_S, StepGatherer, gather_steps
from engine.core.notes import Posteriors

Array = NDArray[np.float32]

FRAME_S = 0.016


def rows(n: int, seed: int = 0) -> Posteriors:
    onset, frame, velocity = np.random.default_rng(seed).random((3, n, 88)).astype(np.float32)
    return Posteriors(np.arange(n), onset, frame, velocity)


def part(posteriors: Posteriors, start: int, stop: int) -> Posteriors:
    onset, frame, velocity = (
        array[start:stop] for array in (posteriors.onset, posteriors.frame, posteriors.velocity)
    )
    return Posteriors(posteriors.frames[start:stop], onset, frame, velocity)


@pytest.mark.parametrize("size", [1, 7, 400])
def test_steps_are_gathered_as_they_come_as_at_once(size: int) -> None:
    whole = rows(400)
    steps = np.arange(0.5, 6.0, 0.13)
    expected = gather_steps(whole.onset, whole.frame, FRAME_S, steps)
    gatherer = StepGatherer(FRAME_S)
    found: list[Array] = []
    for start in range(0, 400, size):
        gatherer.push(part(whole, start, start + size))
        while len(found) < len(expected):
            row = gatherer.gather(steps[len(found)], steps[len(found) + 1])
            if row is None:
                break
            found.append(row)
    np.testing.assert_array_equal(found, expected)


def test_a_step_is_known_once_its_first_half_was_heard() -> None:
    gatherer = StepGatherer(FRAME_S)
    gatherer.push(rows(10))
    assert gatherer.gather(0.08, 0.23) is not None
    assert gatherer.gather(0.08, 0.25) is None


@pytest.mark.parametrize("share", [0.15, 0.3, 0.5])
def test_a_step_that_has_just_begun_is_known_as_far_as_it_was_heard(share: float) -> None:
    whole, step_s = rows(400), 0.2
    steps = np.arange(0.5, 6.0, step_s)
    found = gather_steps(whole.onset, whole.frame, FRAME_S, steps, share)
    for begin, row in zip(steps, found, strict=False):
        gatherer = StepGatherer(FRAME_S)
        gatherer.push(part(whole, 0, int(np.ceil((begin + share * step_s) / FRAME_S - 1e-6))))
        known = gatherer.gather(begin, begin + step_s, so_far=True)
        assert known is not None
        np.testing.assert_array_equal(known, row)


def test_frames_that_were_left_out_are_silent() -> None:
    gatherer, whole = StepGatherer(FRAME_S), rows(100)
    gatherer.push(part(whole, 0, 20))
    gatherer.push(part(whole, 60, 100))
    silent, heard = gatherer.gather(0.5, 0.7), gatherer.gather(1.1, 1.3)
    assert silent is not None
    assert not silent.any()
    assert heard is not None
    assert heard.any()


def test_it_forgets_what_is_long_ago() -> None:
    gatherer, whole = StepGatherer(FRAME_S), rows(5000)
    gatherer.push(whole)
    assert KEPT_S - FRAME_S <= gatherer.until - gatherer.since <= 2 * KEPT_S
    expected = gather_steps(whole.onset, whole.frame, FRAME_S, np.array([70.0, 70.2]))[0]
    found = gatherer.gather(70.0, 70.2)
    assert found is not None
    np.testing.assert_array_equal(found, expected)
    gatherer.skip_to(100_000)
    assert gatherer.until == pytest.approx(1600)
    assert gatherer.since >= 1600 - KEPT_S - FRAME_S


def test_presence_counts_from_the_first_music() -> None:
    presence = Presence()
    music, silence = np.full((88, 2), 0.5, np.float32), np.full((88, 2), 0.1, np.float32)
    for row in (silence, silence, music, silence, music, silence, silence):
        presence.hear(row)
    assert (presence.n_listened, presence.n_silent) == (5, 2)


def test_a_held_chord_is_music_too() -> None:
    presence, held = Presence(), np.zeros((88, 2), np.float32)
    held[40, 1] = 0.6
    presence.hear(held)
    assert presence.n_silent == 0


@pytest.mark.parametrize(("db", "factor"), [(0, 1.0), (6, 1.41), (-6, 0.71), (-40, 0.6)])
def test_it_plays_louder_where_the_player_does(db: float, factor: float) -> None:
    follower = LoudnessFollower()
    assert follower.factor == 1
    for _ in range(2000):
        follower.push(0.01, FRAME_S)
    assert follower.factor == pytest.approx(1.0)
    for _ in range(100):
        follower.push(0.01 * 10 ** (db / 10), FRAME_S)
    assert follower.factor == pytest.approx(factor, rel=0.1)


def test_silence_does_not_make_it_forget_how_loud_the_player_was() -> None:
    follower = LoudnessFollower()
    for mean_square in (0.01, 0.0):
        for _ in range(2000):
            follower.push(mean_square, FRAME_S)
    assert follower.factor == pytest.approx(1.0)
