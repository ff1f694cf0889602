"""Resampler: exact places, no aliases, any block size."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.signal.resample import Resampler

Array = NDArray[np.float32]


def resample(samples: Array, from_rate: int, to_rate: int, block_size: int) -> Array:
    resampler = Resampler(from_rate, to_rate, 1)
    starts = range(0, len(samples), block_size)
    parts = [resampler.push(samples[i : i + block_size, None]) for i in starts]
    return np.concatenate([*parts, resampler.flush()])


def tone(f_hz: float, rate: int, seconds: float = 0.5) -> Array:
    return np.sin(2 * np.pi * f_hz * np.arange(int(seconds * rate)) / rate).astype(np.float32)


@pytest.mark.parametrize("from_rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000])
def test_a_tone_keeps_its_place_and_level(from_rate: int) -> None:
    out = resample(tone(1000, from_rate), from_rate, 16000, 256)
    expected = tone(1000, 16000)
    assert len(out) == -(-int(0.5 * from_rate) * 16000 // from_rate)
    middle = slice(200, len(expected) - 200)
    # 0.001: the ripple of a filter with 70 dB of stopband.
    np.testing.assert_allclose(out[middle], expected[middle], atol=1e-3)


@pytest.mark.parametrize("from_rate", [44100, 48000, 192000])
def test_what_lies_above_the_new_nyquist_is_gone(from_rate: int) -> None:
    for f_hz in (8200, 9000, 12000, 15000, 20000):
        out = resample(tone(f_hz, from_rate), from_rate, 16000, 1024)
        assert np.abs(out[200:-200]).max() < 1e-3, f_hz


def test_the_passband_holds_up_to_the_highest_piano_overtones() -> None:
    out = resample(tone(6800, 44100), 44100, 16000, 1024)[200:-200]
    assert 0.99 < np.sqrt(2 * np.mean(out**2)) < 1.01


@pytest.mark.parametrize("from_rate", [8000, 44100, 48000, 44056, 192000])
@pytest.mark.parametrize("block_size", [1, 7, 256, 4096])
def test_blocks_of_any_size_give_the_same(from_rate: int, block_size: int) -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 5000).astype(np.float32)
    whole = resample(samples, from_rate, 16000, len(samples))
    np.testing.assert_allclose(resample(samples, from_rate, 16000, block_size), whole, atol=1e-6)


@pytest.mark.parametrize("from_rate", [8000, 44100, 48000])
def test_it_holds_back_no_more_than_its_delay(from_rate: int) -> None:
    resampler = Resampler(from_rate, 16000, 1)
    n_out = 0
    for n_in in range(1, 3000):
        n_out += len(resampler.push(np.zeros((1, 1), np.float32)))
        held_s = n_in / from_rate - n_out / 16000
        assert held_s <= resampler.delay + 1 / from_rate
    assert resampler.delay < 0.005


def test_two_channels_are_middle_and_side() -> None:
    block = np.array([[1.0, 0.0], [0.5, -0.5], [0.25, 0.25]], np.float32)
    found = Resampler(16000, 16000, 2).push(block)
    assert found.tolist() == [[0.5, 0.5], [0.0, 0.5], [0.25, 0.0]]


def test_middle_and_side_are_resampled_alike() -> None:
    sound = np.random.default_rng(2).uniform(-1, 1, (5000, 2)).astype(np.float32)
    both = Resampler(44100, 16000, 2)
    found = np.concatenate([both.push(sound[:777]), both.push(sound[777:]), both.flush()])
    for column, mono in enumerate((sound.mean(1), (sound[:, 0] - sound[:, 1]) / 2)):
        one = Resampler(44100, 16000, 1)
        alone = np.concatenate([one.push(mono[:, None].astype(np.float32)), one.flush()])
        np.testing.assert_allclose(found[:, column], alone, atol=1e-6)


def test_equal_rates_pass_through() -> None:
    resampler = Resampler(16000, 16000, 1)
    block = np.arange(5, dtype=np.float32)[:, None]
    assert resampler.push(block).tolist() == [0, 1, 2, 3, 4]
    assert len(resampler.flush()) == 0
    assert resampler.delay == 0.0


@pytest.mark.parametrize("from_rate", [16000, 48000])
def test_nan_and_infinity_count_as_silence(from_rate: int) -> None:
    resampler = Resampler(from_rate, 16000, 1)
    block = np.zeros((300, 1), np.float32)
    block[10], block[20] = np.nan, np.inf
    assert np.all(resampler.push(block) == 0.0)
    assert np.all(resampler.flush() == 0.0)
    assert resampler.n_nonfinite == 2


def test_reset_begins_a_new_stream() -> None:
    resampler = Resampler(44100, 16000, 1)
    samples = np.random.default_rng(1).uniform(-1, 1, (1000, 1)).astype(np.float32)
    first = resampler.push(samples)
    resampler.reset()
    np.testing.assert_array_equal(resampler.push(samples), first)
