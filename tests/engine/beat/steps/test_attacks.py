"""Attacks by band: where features rise, for blocks of any length, as long as they are kept."""

import numpy as np
import pytest

from engine.beat.steps.attacks import KEPT_S, N_BANDS, RISE_FRAMES, AttackGatherer, attacks

FRAME_S = 0.016
N_BINS = 60  # ten of each band


def strikes(n: int, every: int, band: int) -> np.ndarray:
    """Features in which a band sounds from each ``every``-th frame on, for three frames."""
    features = np.full((n, N_BINS), -3.0, np.float32)
    for k in range(3):
        features[every + k :: every, 10 * band : 10 * band + 10] = 0.0
    return features


def test_a_band_rises_where_it_is_struck() -> None:
    found = attacks(strikes(60, 20, band=4))
    assert found.shape == (60 - RISE_FRAMES, N_BANDS)
    assert np.flatnonzero(found[:, 4] > 2.9).tolist() == [18, 19, 38, 39]
    assert not found[:, [0, 1, 2]].any()


def test_a_tone_that_glides_to_the_next_bin_does_not_rise() -> None:
    features = np.full((10, N_BINS), -3.0, np.float32)
    features[:5, 30] = features[5:, 31] = 0.0
    assert not attacks(features).any()


@pytest.mark.parametrize("block", [1, 3, 50])
def test_blocks_of_any_length_give_the_same(block: int) -> None:
    features = strikes(50, 20, band=1)
    gatherer = AttackGatherer(FRAME_S)
    for start in range(0, len(features), block):
        gatherer.push(features[start : start + block])
        gatherer.push(features[:0])
    at = 20 * FRAME_S
    assert gatherer.gather(np.array([at, at + 0.1]))[0][1] == pytest.approx(3.0)
    assert gatherer.gather(np.array([at - 0.08, at - 0.02]))[0][1] == pytest.approx(0.0)
    assert not gatherer.gather(np.array([at + 0.1, at + 0.2])).any()


def test_a_stream_may_begin_later_and_pass_over_frames() -> None:
    features = strikes(25, 20, band=0)
    gatherer = AttackGatherer(FRAME_S)
    gatherer.reset(10.0)
    gatherer.push(features[:5])
    gatherer.skip(3)
    gatherer.push(features)
    at = 10.0 + (5 + 3 + 20) * FRAME_S
    assert gatherer.gather(np.array([at, at + 0.1]))[0][0] == pytest.approx(3.0)
    assert (
        not gatherer.gather(np.array([9.0, 9.1]))[0].any()
        and not gatherer.gather(np.array([20.0, 20.1]))[0].any()
    )


def test_what_is_long_past_is_forgotten() -> None:
    features = strikes(round(2 * KEPT_S / FRAME_S), 20, band=2)
    gatherer = AttackGatherer(FRAME_S)
    for start in range(0, len(features), 500):
        gatherer.push(features[start : start + 500])
    at = 20 * (len(features) // 20 - 2) * FRAME_S
    assert gatherer.gather(np.array([at, at + 0.1]))[0][2] == pytest.approx(3.0)
    assert not gatherer.gather(np.array([20 * FRAME_S, 20 * FRAME_S + 0.1]))[0].any()
