"""Sound comes to a model alike on every way in: without an offset, as two channels, at its rate."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.signal.conditioning import InputConditioner, conditioned
from engine.signal.stereo import middle_of
from engine.whole_song.song_analyzer import sound_blocks
from livecover.bench.models import load_samples

Array = NDArray[np.float32]
RATE = 16000
OFFSET = np.array((0.3, -0.2), np.float32)


def song(seconds: float = 2.0) -> Array:
    """A quiet one of two channels that cancel."""
    mono = np.random.default_rng(3).normal(0, 0.003, round(seconds * RATE)).astype(np.float32)
    return np.stack([mono, -mono], 1)


@pytest.mark.parametrize("size", [1, 799, 4096])
def test_blocks_of_any_length_give_the_same(size: int) -> None:
    sound = song(0.5) + OFFSET
    whole = InputConditioner(RATE, 8000, 2)
    expected = np.concatenate([whole.push(sound), whole.flush()])
    parts = InputConditioner(RATE, 8000, 2)
    found = [parts.push(sound[k : k + size]) for k in range(0, len(sound), size)]
    np.testing.assert_allclose(np.concatenate([*found, parts.flush()]), expected, atol=1e-7)
    assert len(expected) == len(sound) // 2


def test_primed_it_knows_a_song_from_the_first_sample() -> None:
    sound = song()
    heard = InputConditioner(RATE, RATE, 2)
    ahead = heard.prime(sound + OFFSET)
    found = np.concatenate([heard.push(sound + OFFSET), heard.flush()])
    for samples in (ahead, found):
        np.testing.assert_allclose(np.abs(middle_of(samples)), np.abs(sound[:, 0]), atol=2e-4)


def test_every_reader_of_a_file_hears_the_same(tmp_path: Path) -> None:
    sound, path = song(20.0), tmp_path / "song.wav"
    soundfile.write(path, sound + OFFSET, RATE, subtype="FLOAT")
    found = conditioned(sound + OFFSET, RATE)
    np.testing.assert_allclose(middle_of(found), sound[:, 0], atol=2e-4)
    whole = np.concatenate(list(sound_blocks(str(path))))
    np.testing.assert_allclose(whole, found, atol=1e-6)
    np.testing.assert_allclose(load_samples(path, RATE), middle_of(found), atol=1e-6)


def test_a_sound_shorter_than_the_blocker_holds_back_is_whole() -> None:
    sound = song(0.02)
    np.testing.assert_array_equal(conditioned(sound[:, :1], RATE), sound[:, 0])
    assert len(conditioned(sound[:0], RATE)) == 0
