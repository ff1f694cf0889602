"""The sound itself by semitones and sixteenths, as it comes as at once."""

import math
from dataclasses import replace

import numpy as np
import pytest

from engine.beat.steps.gathering import KEPT_S
from engine.beat.steps.sound import N_SEMITONES, RANGE, SoundGatherer, gather_sound, semitones
from tests.engine.fakes import SPEC

FEATURES = replace(SPEC.features, sample_rate=16000, hop_length=256, n_bins=3 * N_SEMITONES)
FRAME_S, FLOOR = FEATURES.frame_s, FEATURES.log_floor
STEPS = np.arange(2, 12) * 0.128  # eight frames


def features(n: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).random((n, FEATURES.n_bins), np.float32)
    return np.asarray(RANGE * rows + math.log(FLOOR), np.float32)


def test_a_semitone_is_as_loud_as_the_loudest_of_its_bins() -> None:
    rows = np.full((1, FEATURES.n_bins), math.log(FLOOR), np.float32)
    rows[0, 3 * 48 + 2] += RANGE / 2
    rows[0, 3 * 50] += 2 * RANGE
    found = semitones(rows, FLOOR)
    assert found.shape == (1, N_SEMITONES)
    assert found[0, 48] == pytest.approx(0.5) and found[0, 50] == 1
    assert np.flatnonzero(found[0]).tolist() == [48, 50]


def test_a_step_has_the_half_before_it_and_the_half_after_it() -> None:
    sound = np.zeros((100, N_SEMITONES), np.float32)
    sound[20:24, 5], sound[24:28, 6] = 0.8, 0.4  # around the second step, at frame 24
    found = gather_sound(sound, FRAME_S, STEPS)
    assert found.shape == (len(STEPS) - 1, 2, N_SEMITONES)
    assert found[1, :, 5] == pytest.approx([0.8, 0]) and found[1, :, 6] == pytest.approx([0, 0.4])
    assert not found[[0, 2]].any()


@pytest.mark.parametrize("size", [1, 7, 400])
def test_it_is_gathered_as_it_comes_as_at_once(size: int) -> None:
    rows, gatherer = features(100), SoundGatherer(FEATURES)
    for start in range(0, len(rows), size):
        gatherer.push(rows[start : start + size])
    wanted = gather_sound(semitones(rows, FLOOR), FRAME_S, STEPS)
    assert gatherer.on_steps(STEPS) == pytest.approx(wanted)


def test_it_begins_where_it_is_told_to() -> None:
    rows, gatherer = features(100), SoundGatherer(FEATURES)
    gatherer.push(features(30, seed=1))
    gatherer.begin(10 * FRAME_S)
    gatherer.push(rows[10:])
    wanted = gather_sound(semitones(rows, FLOOR), FRAME_S, STEPS)
    assert gatherer.on_steps(STEPS) == pytest.approx(wanted)


@pytest.mark.parametrize("n_skipped", [5, 100_000])
def test_what_was_passed_over_is_silent(n_skipped: int) -> None:
    gatherer = SoundGatherer(FEATURES)
    gatherer.push(features(40))
    gatherer.skip(n_skipped)
    gatherer.push(features(40, seed=1))
    steps = (40 + n_skipped) * FRAME_S + STEPS - STEPS[0] + 0.064
    wanted = gather_sound(semitones(features(40, seed=1), FLOOR), FRAME_S, steps - steps[0] + 0.064)
    assert gatherer.on_steps(steps)[1:4] == pytest.approx(wanted[1:4], abs=1e-6)


def test_the_last_seconds_are_kept() -> None:
    n = round(5 * KEPT_S / FRAME_S)
    rows, gatherer = features(n), SoundGatherer(FEATURES)
    gatherer.push(rows)
    steps = (n - 100) * FRAME_S + STEPS
    wanted = gather_sound(semitones(rows, FLOOR), FRAME_S, steps)
    assert gatherer.on_steps(steps) == pytest.approx(wanted, abs=1e-6)


def test_where_nothing_is_known_there_is_no_sound() -> None:
    gatherer = SoundGatherer(FEATURES)
    assert not gatherer.on_steps(STEPS).any()
    other = SoundGatherer(replace(FEATURES, n_bins=256))
    other.push(np.ones((100, 256), np.float32))
    assert not other.on_steps(STEPS).any()
    assert gatherer.on_steps(STEPS).shape == other.on_steps(STEPS).shape
