"""The level of each channel: peak, fall-off, hold, and clipping that a mix would hide."""

import numpy as np
import pytest

from engine.signal.meters import (
    CLIP_S,
    FALL_DB,
    FULL_SCALE,
    HOLD_S,
    LOUDEST_DBFS,
    SILENCE_DBFS,
    Array,
    LevelMeter,
)

BLOCK_S = 0.01


def block(*amplitudes: float, n: int = 100) -> Array:
    """Silence with one sample of each channel's amplitude in it."""
    samples = np.zeros((n, len(amplitudes)), np.float32)
    samples[n // 3] = amplitudes
    return samples


def silent(meter: LevelMeter, seconds: float, n_channels: int = 2) -> None:
    for _ in range(round(seconds / BLOCK_S)):
        meter.update(block(*[0.0] * n_channels), BLOCK_S)


def test_each_channel_has_its_own_peak_of_either_sign() -> None:
    meter = LevelMeter()
    assert not meter.levels
    meter.update(block(0.5, -0.25), BLOCK_S)
    peaks = [level.peak_dbfs for level in meter.levels]
    assert peaks == pytest.approx([20 * np.log10(0.5), 20 * np.log10(0.25)])


def test_a_peak_falls_and_is_held() -> None:
    meter = LevelMeter()
    meter.update(block(0.5, 0.0), BLOCK_S)
    silent(meter, HOLD_S - 2 * BLOCK_S)
    left, right = meter.levels
    top = 20 * np.log10(0.5)
    assert left.peak_dbfs == pytest.approx(top - FALL_DB * (HOLD_S - 2 * BLOCK_S), abs=1e-6)
    assert left.hold_dbfs == pytest.approx(top)
    assert right.peak_dbfs == right.hold_dbfs == SILENCE_DBFS
    silent(meter, 1.0)
    assert meter.levels[0].hold_dbfs < top - 0.8 * FALL_DB
    silent(meter, 10.0)
    assert meter.levels[0].peak_dbfs == SILENCE_DBFS


def test_a_short_peak_between_two_looks_is_seen() -> None:
    meter = LevelMeter()
    meter.update(block(0.9, 0.9), BLOCK_S)
    meter.update(block(0.001, 0.001), BLOCK_S)
    assert meter.levels[0].hold_dbfs == pytest.approx(20 * np.log10(0.9))
    meter.update(block(0.95, 0.1), BLOCK_S)  # a higher one is held anew
    assert meter.levels[0].hold_dbfs == pytest.approx(20 * np.log10(0.95))


@pytest.mark.parametrize(
    "clipped", [(1.0, -1.0), (float(FULL_SCALE), 0.0), (0.0, -1.5), (np.inf, 0.0)]
)
def test_clipping_is_told_where_the_mix_has_none(clipped: tuple[float, float]) -> None:
    meter = LevelMeter()
    meter.update(block(0.99, -0.99), BLOCK_S)
    assert not meter.is_clipping and meter.n_clipped == 0
    meter.update(block(*clipped), BLOCK_S)
    assert meter.is_clipping and meter.n_clipped == sum(abs(a) >= FULL_SCALE for a in clipped)
    silent(meter, CLIP_S - 2 * BLOCK_S)
    assert meter.is_clipping
    silent(meter, 3 * BLOCK_S)
    assert not meter.is_clipping and meter.n_clipped > 0


def test_what_is_no_number_breaks_no_meter() -> None:
    meter = LevelMeter()
    meter.update(block(np.nan, np.inf), BLOCK_S)
    left, right = meter.levels
    assert left.peak_dbfs == SILENCE_DBFS and right.peak_dbfs == LOUDEST_DBFS
    meter.update(block(np.nan, np.nan)[:0], BLOCK_S)
    assert meter.levels == (left, right)


def test_each_channel_counts_what_it_clipped_before_the_gain() -> None:
    meter = LevelMeter()
    meter.update(block(1.0, 0.5), BLOCK_S, gain=0.5)
    left, right = meter.levels
    assert (left.n_clipped, right.n_clipped) == (1, 0) and meter.n_clipped == 1
    assert left.peak_dbfs == pytest.approx(20 * np.log10(0.5))
    meter.update(block(0.9, 0.9), BLOCK_S, gain=2.0)  # no converter was too loud
    meter.update(block(1.0, 1.0), BLOCK_S)
    assert [level.n_clipped for level in meter.levels] == [2, 1]


def test_another_input_begins_anew() -> None:
    meter = LevelMeter()
    meter.update(block(1.0, 1.0), BLOCK_S)
    meter.update(block(0.1), BLOCK_S)
    assert len(meter.levels) == 1
    meter.reset()
    assert not meter.levels and not meter.is_clipping and meter.n_clipped == 2
