"""Channels do not cancel, and ordinary ones are just averaged; of two the side stays too."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.signal.mixdown import Mixdown
from engine.signal.stereo import middle_of, side_of

Array = NDArray[np.float32]
RATE = 44100
SECOND = slice(RATE, None)  # when the polarity has been judged


def record(seconds: float = 3.0) -> Array:
    """Bass and voice in the middle, something else on either side: (n, 2)."""
    time = np.arange(round(seconds * RATE)) / RATE
    rng = np.random.default_rng(1)
    middle = 0.3 * np.sin(2 * np.pi * 70 * time) + 0.2 * np.sin(2 * np.pi * 440 * time)
    sides = 0.1 * rng.standard_normal((len(time), 2))
    return (middle[:, None] + sides).astype(np.float32)


def heard(sound: Array, block_size: int = 10**9) -> Array:
    mixdown = Mixdown(sound.shape[1], RATE)
    blocks = [mixdown.push(sound[n : n + block_size]) for n in range(0, len(sound), block_size)]
    return np.concatenate(blocks)


def mixed(sound: Array, block_size: int = 10**9) -> Array:
    return middle_of(heard(sound, block_size))


@pytest.mark.parametrize("signs", [(1, 1), (1, -1)])
def test_the_side_is_half_of_what_two_channels_differ_by(signs: tuple[int, int]) -> None:
    sound = record()
    found = side_of(heard(sound * np.array(signs, np.float32)))
    assert found is not None
    np.testing.assert_allclose(found[SECOND], ((sound[:, 0] - sound[:, 1]) / 2)[SECOND], atol=1e-6)


@pytest.mark.parametrize("n_channels", [1, 3])
def test_of_one_channel_and_of_many_comes_mono(n_channels: int) -> None:
    assert heard(np.zeros((5000, n_channels), np.float32)).shape == (5000,)


def test_channels_that_agree_are_averaged_bit_by_bit() -> None:
    sound = record()
    np.testing.assert_array_equal(mixed(sound), sound.mean(1, dtype=np.float32))


@pytest.mark.parametrize("signs", [(1, -1), (-1, 1)])
def test_an_inverted_channel_is_turned_round(signs: tuple[int, int]) -> None:
    sound = record()
    found = mixed(sound * np.array(signs, np.float32))
    np.testing.assert_allclose(found[SECOND], signs[0] * sound.mean(1)[SECOND], atol=1e-6)


def test_a_mono_song_against_itself_is_heard_whole() -> None:
    mono = record().mean(1)
    np.testing.assert_allclose(mixed(np.stack([mono, -mono], 1))[SECOND], mono[SECOND], atol=1e-6)


def test_of_many_channels_each_is_judged() -> None:
    mono = record().mean(1)
    surround = np.stack([mono, mono, -mono, mono, 0 * mono, -mono], 1)
    np.testing.assert_allclose(mixed(surround)[SECOND], 5 / 6 * mono[SECOND], atol=1e-6)


def test_an_instrument_that_runs_against_itself_does_not_turn_the_record() -> None:
    sound = record()
    time = np.arange(len(sound)) / RATE
    sound[:, 0] += 0.8 * np.sin(2 * np.pi * 900 * time).astype(np.float32)
    sound[:, 1] -= 0.8 * np.sin(2 * np.pi * 900 * time).astype(np.float32)
    assert np.mean(sound[:, 0] * sound[:, 1]) < -0.1
    np.testing.assert_array_equal(mixed(sound), sound.mean(1, dtype=np.float32))


def test_a_channel_that_turns_in_mid_song_is_followed_without_a_click() -> None:
    sound = record(12.0)
    turned = sound.copy()
    turned[4 * RATE :, 1] *= -1
    found = mixed(turned)[9 * RATE :]
    assert np.abs(np.corrcoef(found, sound.mean(1)[9 * RATE :])[0, 1]) > 0.999
    assert np.abs(np.diff(mixed(turned)[RATE:])).max() < 2 * np.abs(np.diff(sound.mean(1))).max()


def test_what_is_known_ahead_counts_from_the_first_sample() -> None:
    sound = record()
    mixdown = Mixdown(2, RATE)
    mixdown.prime(sound * np.array((1, -1), np.float32))
    assert mixdown.is_inverted
    found = middle_of(mixdown.push(sound * np.array((1, -1), np.float32)))
    np.testing.assert_allclose(found, sound.mean(1), atol=1e-6)


@pytest.mark.parametrize("block_size", [7, 2205, 10000])
def test_blocks_of_any_length_give_the_same(block_size: int) -> None:
    sound = record(1.0) * np.array((1, -1), np.float32)
    np.testing.assert_array_equal(heard(sound, block_size), heard(sound))


def test_samples_that_are_no_numbers_are_silence_and_counted() -> None:
    sound = record(0.2)
    sound[100] = np.nan, 0.1
    mixdown = Mixdown(2, RATE)
    assert mixdown.push(sound)[100].tolist() == [0.0, 0.0]
    assert mixdown.n_nonfinite == 1
