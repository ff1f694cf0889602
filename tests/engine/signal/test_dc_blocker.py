"""An offset is taken away and a sound without one is not touched."""

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.audio.files.file_source import FileSource
from engine.signal.dc_blocker import HOP_S, LEAST, DcBlocker
from livecover import examples

Array = NDArray[np.float32]
RATE = 16000


def noise(seconds: float, peak: float, n_channels: int = 2) -> Array:
    sound = np.random.default_rng(7).uniform(-peak, peak, (round(seconds * RATE), n_channels))
    return sound.astype(np.float32)


@pytest.mark.parametrize("is_primed", [False, True])
@pytest.mark.parametrize("peak", [0.003, 0.1])
def test_an_offset_is_gone_from_the_first_sample(peak: float, is_primed: bool) -> None:
    sound = noise(5.0, peak)
    offset = np.array((0.3, -0.2), np.float32)
    blocker = DcBlocker(2, RATE)
    if is_primed:
        np.testing.assert_allclose(blocker.prime(sound + offset), sound, atol=0.1 * peak)
    found = blocker.push(sound + offset)
    np.testing.assert_allclose(found, sound, atol=0.1 * peak)


def test_a_song_without_an_offset_passes_bit_by_bit() -> None:
    song = FileSource(examples.path(), paced=False).part(0.0)
    rate = soundfile.info(examples.path()).samplerate
    for start in (0, 3 * rate + 17, 20 * rate + 5):  # a device is opened in the midst of a song
        for gain in (1.0, 0.003):
            sound = song[start:] * np.float32(gain)
            np.testing.assert_array_equal(DcBlocker(2, rate).push(sound), sound)


@pytest.mark.parametrize("hertz", [16.0, 27.5, 41.2])
def test_bass_has_no_offset(hertz: float) -> None:
    for phase in np.linspace(0, 2 * np.pi, 9):
        time = np.arange(5 * RATE) / RATE
        sound = 0.5 * np.exp(-time)[:, None] * np.sin(2 * np.pi * hertz * time + phase)[:, None]
        bass = sound.astype(np.float32)
        np.testing.assert_array_equal(DcBlocker(1, RATE).push(bass), bass)


def test_silence_with_an_offset_that_comes_and_goes_is_silent_soon() -> None:
    steps = np.repeat(np.array([0.1, 0.0, -0.4, 0.05], np.float32), RATE)[:, None]
    found = np.abs(DcBlocker(1, RATE).push(steps)).reshape(4, RATE)
    assert found[0].max() < LEAST
    assert found[:, round(3 * HOP_S * RATE) :].max() < LEAST


@pytest.mark.parametrize("block_size", [1, 333, 800, 5000])
def test_blocks_of_any_length_give_the_same(block_size: int) -> None:
    sound = noise(1.0, 0.01) + np.float32(0.2)
    sound[4000:9000] *= np.float32(0.1)
    sound[500] = np.nan
    whole = DcBlocker(2, RATE).push(sound)
    blocker = DcBlocker(2, RATE)
    parts = [blocker.push(sound[k : k + block_size]) for k in range(0, len(sound), block_size)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert len(whole) == len(sound) and np.count_nonzero(np.isnan(whole)) == 2


def test_a_stream_shorter_than_a_hop_comes_at_its_end() -> None:
    sound = noise(0.02, 0.1)
    blocker = DcBlocker(2, RATE)
    assert len(blocker.push(sound)) == 0
    np.testing.assert_array_equal(blocker.flush(), sound)
    assert blocker.prime(sound).shape == sound.shape
