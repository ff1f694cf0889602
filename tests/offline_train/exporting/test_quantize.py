"""A tiny model in eight bits: still a model, and judged beside itself."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.core.errors import ModelError
from engine.model.model_files import load_model
from offline_train.evaluation import EvaluateConfig
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE
from offline_train.exporting.quantize import compare, quantized
from tests.messages import refused
from tests.offline_train.fixtures import write_song


@pytest.fixture
def songs(tmp_path: Path) -> EvaluateConfig:
    folder = write_song(tmp_path / "one")
    time = np.arange(8 * SAMPLE_RATE) / SAMPLE_RATE
    soundfile.write(folder / "one.wav", 0.3 * np.sin(1382 * time), SAMPLE_RATE)
    return EvaluateConfig(
        tmp_path, tmp_path / "cache", rung="folder", excerpt_s=3.0, recordings=folder
    )


def test_a_model_is_compared_with_itself_in_eight_bits(
    tiny_stateful_path: Path, tmp_path: Path, songs: EvaluateConfig
) -> None:
    out = tmp_path / "int8"
    rows = [line.split("|") for line in compare(tiny_stateful_path, out, songs, songs).splitlines()]
    ways = [row[1].strip() for row in rows[2:]]
    assert ways[0].startswith("float (0 of") and [way.split()[0] for way in ways[1:]] == [
        "dynamic",
        "static",
    ]
    assert not any("(0 of" in way for way in ways[1:])
    assert rows[2][4].strip() == "1.00"
    spec = load_model(tiny_stateful_path).spec
    assert load_model(out / "tiny-static.onnx").spec == spec


def test_a_window_model_is_refused(
    tiny_window_path: Path, tmp_path: Path, songs: EvaluateConfig
) -> None:
    with refused(ModelError, "tiny-window.onnx", "stateful"):
        quantized(tiny_window_path, tmp_path, songs)
