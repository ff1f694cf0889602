"""Sound files are read as mono at 16 kHz, whole or in part, and what is no sound is named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.signal.conditioning import conditioned
from engine.signal.stereo import middle_of
from offline_train.data.sound_files import (
    SAMPLE_RATE,
    duration,
    read_part,
    read_sound,
    read_stereo_part,
)
from offline_train.studies.pairs.sound import read_mono
from tests.messages import refused

SOUND = (0.3 * np.sin(np.arange(2 * SAMPLE_RATE) / 9)).astype(np.float32)


def test_a_sound_file_becomes_mono_at_16_khz(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    stereo = np.stack([SOUND, np.zeros_like(SOUND)], 1)
    soundfile.write(path, stereo, 2 * SAMPLE_RATE)
    assert read_sound(path).shape == (SAMPLE_RATE,) and duration(path) == 1.0


def test_a_part_ends_where_the_file_does(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    soundfile.write(path, SOUND, SAMPLE_RATE, subtype="FLOAT")
    assert (read_part(path, 0.5, 1.0) == SOUND[8000:24000]).all()
    assert (read_part(path, 1.75, 1.0) == SOUND[28000:]).all()
    assert (read_part(path) == SOUND).all()
    assert len(read_part(path, 3.0, 1.0)) == 0


@pytest.mark.parametrize("read", [read_sound, duration])
@pytest.mark.parametrize("content", [b"", b"not sound"])
def test_a_broken_sound_file_is_named(
    tmp_path: Path, content: bytes, read: Callable[[Path], object]
) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"song\.wav is (empty|not an audio file)"):
        read(path)


def test_an_empty_sound_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    soundfile.write(path, np.zeros((0, 1)), SAMPLE_RATE)
    with pytest.raises(DataError, match=r"song\.wav holds no audio"):
        read_sound(path)


def test_samples_that_are_not_numbers_are_told(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    soundfile.write(path, np.full(SAMPLE_RATE, np.nan, np.float32), SAMPLE_RATE, subtype="FLOAT")
    with refused(DataError, "song.wav"):
        read_sound(path)


@pytest.mark.parametrize("read", [read_part, lambda path: read_mono(path, SAMPLE_RATE)])
def test_it_is_conditioned_as_the_engine_does(
    tmp_path: Path, read: Callable[[Path], NDArray[np.float32]]
) -> None:
    """A quiet one whose two channels cancel, with an offset in each."""
    mono = np.random.default_rng(3).normal(0, 0.003, 20 * SAMPLE_RATE).astype(np.float32)
    sound = np.stack([mono, -mono], 1) + np.array((0.3, -0.2), np.float32)
    path = tmp_path / "song.wav"
    soundfile.write(path, sound, SAMPLE_RATE, subtype="FLOAT")
    np.testing.assert_allclose(read(path), middle_of(conditioned(sound, SAMPLE_RATE)), atol=1e-6)


def test_of_two_channels_middle_and_side_are_read(tmp_path: Path) -> None:
    sound = np.random.default_rng(4).normal(0, 0.1, (SAMPLE_RATE, 2)).astype(np.float32)
    soundfile.write(tmp_path / "two.wav", sound, SAMPLE_RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "one.wav", sound[:, 0], SAMPLE_RATE, subtype="FLOAT")
    both = read_stereo_part(tmp_path / "two.wav", 0.25, 0.5)
    assert both.shape == (SAMPLE_RATE // 2, 2)
    assert np.corrcoef(both[:, 1], (sound[:, 0] - sound[:, 1])[4000:12000])[0, 1] > 0.999
    assert read_stereo_part(tmp_path / "one.wav").ndim == 1
