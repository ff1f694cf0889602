"""FrontEnd: streamed features equal one pass; that it equals torch: tests/models."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import ModelError
from engine.model.frontend import FrontEnd, load_frontend
from engine.model.pipeline import offline_features
from tests.tiny import TINY_FEATURES, TINY_STATEFUL, with_metadata

Array = NDArray[np.float32]

# Rounding: blocks change the order of sums (1e-7 of the loudest bin), and the logarithm of a bin
# near the floor of 0.01 makes it a hundred times more.
TOLERANCE = 5e-5


@pytest.fixture
def frontend(tiny_folder: Path) -> FrontEnd:
    return load_frontend(TINY_FEATURES, tiny_folder)


def stream(frontend: FrontEnd, samples: Array, block_size: int) -> tuple[list[int], Array]:
    starts = range(0, len(samples), block_size)
    parts = [frontend.push(samples[i : i + block_size]) for i in starts] + [frontend.flush()]
    return [k for frames, _ in parts for k in frames], np.concatenate([f for _, f in parts])


@pytest.mark.parametrize("block_size", [1, 7, 256, 4096, 10**9])
def test_any_block_size_gives_one_pass(
    frontend: FrontEnd, tiny_song: Array, block_size: int
) -> None:
    samples = tiny_song[:5000] if block_size == 1 else tiny_song
    frames, features = stream(frontend, samples, block_size)
    assert frames == list(range(len(samples) // TINY_FEATURES.hop_length + 1))
    frontend.reset()
    np.testing.assert_allclose(features, offline_features(samples, frontend), atol=TOLERANCE)


def test_a_frame_is_centred_on_its_sample(frontend: FrontEnd) -> None:
    samples = np.zeros(4096, np.float32)
    samples[10 * TINY_FEATURES.hop_length] = 1.0
    energy = offline_features(samples, frontend).mean(axis=1)
    assert int(energy.argmax()) == 10
    np.testing.assert_allclose(energy[9], energy[11], atol=1e-3)


def test_a_frame_comes_out_with_the_last_sample_of_its_window(frontend: FrontEnd) -> None:
    half = TINY_FEATURES.win_length // 2
    assert len(frontend.push(np.zeros(half - 1, np.float32))[0]) == 0
    assert frontend.push(np.zeros(1, np.float32))[0].tolist() == [0]
    assert frontend.next_frame == 1


@pytest.mark.parametrize(("first", "gap"), [(0, 1000), (1000, 1), (777, 4321), (3000, 6000)])
@pytest.mark.parametrize("block_size", [1, 100, 10000])
def test_frames_after_a_skip_are_exact(
    frontend: FrontEnd, tiny_song: Array, first: int, gap: int, block_size: int
) -> None:
    whole = offline_features(tiny_song, frontend)
    before, _ = frontend.push(tiny_song[:first])
    end = first + gap
    n_skipped = sum(
        frontend.skip(tiny_song[i : min(i + block_size, end)])
        for i in range(first, end, block_size)
    )
    frames, features = frontend.push(tiny_song[end:])
    assert frames[0] == len(before) + n_skipped
    np.testing.assert_allclose(features, whole[frames], atol=TOLERANCE)


def test_silence_is_the_logarithm_of_the_floor(frontend: FrontEnd) -> None:
    features = offline_features(np.zeros(1000, np.float32), frontend)
    np.testing.assert_allclose(features, np.log(TINY_FEATURES.log_floor), atol=1e-6)


def test_a_front_end_is_looked_for_beside_the_model_and_among_the_shipped(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=rf"tiny.frontend.onnx not found in {tmp_path} or .*shipped"
    ):
        load_frontend(TINY_FEATURES, tmp_path)


def test_a_front_end_of_other_features_is_refused(tiny_folder: Path) -> None:
    other = dataclasses.replace(TINY_FEATURES, f_max=1700.0)
    with pytest.raises(ModelError, match="does not match the model.*1700"):
        load_frontend(other, tiny_folder)


def test_a_model_is_no_front_end(tiny_stateful_path: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.frontend.onnx").write_bytes(tiny_stateful_path.read_bytes())
    with pytest.raises(ModelError, match="does not fit its metadata"):
        load_frontend(TINY_STATEFUL.features, tmp_path)


def test_a_front_end_with_a_models_metadata_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    path = tiny_folder / "tiny.frontend.onnx"
    with_metadata(path, tmp_path / path.name, TINY_STATEFUL.to_metadata())
    with pytest.raises(ModelError, match="is not a front end"):
        load_frontend(TINY_FEATURES, tmp_path)
