"""A quiet song is raised, one of ordinary loudness is not touched."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.signal.level import CEILING, TARGET_DBFS, AutomaticGain

Array = NDArray[np.float32]
RATE = 16000


def tone(dbfs: float, seconds: float = 2.0) -> Array:
    """A tone of that level (root mean square)."""
    time = np.arange(round(seconds * RATE)) / RATE
    sound = 10 ** (dbfs / 20) * np.sqrt(2) * np.sin(2 * np.pi * 300 * time)
    return np.asarray(sound, np.float32)


def level(samples: Array) -> float:
    return float(10 * np.log10(np.square(samples, dtype=np.float64).mean()))


@pytest.mark.parametrize("dbfs", [-23.0, -12.0, -3.5])
def test_ordinary_loudness_passes_bit_by_bit(dbfs: float) -> None:
    sound = tone(dbfs)
    np.testing.assert_array_equal(AutomaticGain(RATE).push(sound), sound)


@pytest.mark.parametrize("dbfs", [-35.0, -50.0, -65.0])
def test_a_quiet_song_is_raised_to_the_target(dbfs: float) -> None:
    raised = AutomaticGain(RATE).push(tone(dbfs))
    assert level(raised[RATE:]) == pytest.approx(TARGET_DBFS, abs=0.5)


def test_silence_is_not_raised_and_changes_nothing() -> None:
    gain = AutomaticGain(RATE)
    hum = tone(-80.0, 30.0)
    np.testing.assert_array_equal(gain.push(hum), hum)
    gain.push(tone(-40.0))
    before = gain.gain_db
    gain.push(np.zeros(60 * RATE, np.float32))
    assert gain.gain_db == before > 10


def test_a_song_after_faint_hiss_does_not_burst() -> None:
    gain = AutomaticGain(RATE)
    gain.push(tone(-60.0, 3.0))
    assert gain.gain_db > 30
    assert np.abs(gain.push(tone(-12.0))).max() <= CEILING
    assert gain.gain_db == 0.0


def test_a_fade_keeps_its_shape() -> None:
    fade = tone(-12.0, 8.0) * np.linspace(1, 0, 8 * RATE, dtype=np.float32)
    np.testing.assert_array_equal(AutomaticGain(RATE).push(fade), fade)


@pytest.mark.parametrize("block_size", [1, 333, 800, 5000])
def test_blocks_of_any_length_give_the_same(block_size: int) -> None:
    sound = np.concatenate([tone(-50.0, 0.4), tone(-30.0, 0.3), tone(-60.0, 0.5)])
    gain = AutomaticGain(RATE)
    parts = [gain.push(sound[n : n + block_size]) for n in range(0, len(sound), block_size)]
    np.testing.assert_array_equal(np.concatenate(parts), AutomaticGain(RATE).push(sound))
