"""Sound files as tests write and read them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.files.file_source import FileSource
from engine.core.errors import DeviceError


def tone(n_samples: int, n_channels: int, sample_rate: int) -> np.ndarray:
    times = np.arange(n_samples) / sample_rate
    return 0.5 * np.stack([np.sin(2 * np.pi * 220 * (c + 1) * times) for c in range(n_channels)], 1)


def written(path: Path, n_samples: int = 4000, n_channels: int = 2, rate: int = 44100) -> Path:
    soundfile.write(path, tone(n_samples, n_channels, rate), rate)
    return path


def read_all(source: FileSource, block_size: int | None = None) -> np.ndarray:
    return np.concatenate(list(source.blocks(block_size)))


def refusal(path: Path) -> str:
    with pytest.raises(DeviceError) as caught:
        FileSource(path)
    message = str(caught.value)
    assert "\n" not in message
    return message
