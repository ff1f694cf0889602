"""WindowModel: the cached first stage equals the plain sliding window, from the first frame on."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import ModelError
from engine.core.notes import Posteriors
from engine.model.cover_model import join_posteriors
from engine.model.graph import Graph
from engine.model.model_files import load_model
from engine.model.window_model import WindowModel
from models.spec import STYLE_DIM
from tests.messages import refused
from tests.tiny import TINY_FEATURES, TINY_WINDOW

Array = NDArray[np.float32]

TOLERANCE = 1e-5  # ten times finer than the bar
STYLE = np.linspace(-1, 1, STYLE_DIM, dtype=np.float32)
N_FRAMES = 3 * TINY_WINDOW.window_frames + 5


@pytest.fixture
def model(tiny_window_path: Path) -> WindowModel:
    model = load_model(tiny_window_path)
    assert isinstance(model, WindowModel)
    return model


def music(n_frames: int = N_FRAMES) -> Array:
    rng = np.random.default_rng(n_frames)
    return rng.normal(-2.0, 1.5, (n_frames, TINY_FEATURES.n_bins)).astype(np.float32)


def stream(model: WindowModel, features: Array, size: int) -> Posteriors:
    parts = []
    for start in range(0, len(features), size):
        rows = features[start : start + size]
        frames = np.arange(start, start + len(rows), dtype=np.int64)
        parts.append(model.step(frames, rows, STYLE))
    return join_posteriors([*parts, model.flush(STYLE)])


def assert_close(found: Posteriors, expected: Posteriors) -> None:
    assert found.frames.tolist() == expected.frames.tolist()
    for name in TINY_WINDOW.outputs:
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=TOLERANCE, err_msg=name
        )


@pytest.mark.parametrize("size", [1, 3, 4, 50, N_FRAMES])
def test_cached_equals_plain_for_blocks_of_any_size(model: WindowModel, size: int) -> None:
    features = music()
    found = stream(model, features, size)
    assert found.frames.tolist() == list(range(N_FRAMES))
    assert_close(found, model.offline(features, STYLE))
    assert_close(stream(model.plain(), features, size), found)


@pytest.mark.parametrize("n_frames", [1, 2, 5, 9])
def test_cached_equals_plain_at_the_start_of_a_stream(model: WindowModel, n_frames: int) -> None:
    features = music(n_frames)
    assert_close(stream(model, features, 1), model.offline(features, STYLE))


def test_the_plain_window_equals_torch(model: WindowModel) -> None:
    spec = TINY_WINDOW
    with np.load(model.graph.path.with_suffix(".sample.npz")) as sample:
        found = model.offline(sample["features"][0], sample["style"][0])
        # One window holds the whole sample; its answer is the step that lookahead leaves.
        margin, n_frames = spec.local_margin_frames, sample["features"].shape[1]
        stop = n_frames - spec.lookahead_frames
        for name in spec.outputs:
            np.testing.assert_allclose(
                getattr(found, name)[stop - spec.step_frames : stop],
                sample[name][0, stop - spec.step_frames - margin : stop - margin],
                atol=TOLERANCE,
            )


def test_the_window_is_felt(model: WindowModel) -> None:
    features = music()
    changed = features.copy()
    changed[0] += 3.0
    first, second = (model.offline(f, STYLE).onset for f in (features, changed))
    difference = np.abs(first - second).max(axis=1)
    assert difference[30] > 1e-4  # still within one window of frame 0
    assert difference[TINY_WINDOW.window_frames + TINY_WINDOW.local_margin_frames :].max() == 0.0


@pytest.mark.parametrize("end", ["reset", "flush"])
def test_reset_and_flush_begin_a_new_stream(model: WindowModel, end: str) -> None:
    model.step(np.arange(33), music(33), STYLE)
    if end == "reset":
        model.reset()
    else:
        model.flush(STYLE)
    features = music(20)
    assert_close(stream(model, features, 4), model.offline(features, STYLE))


@pytest.mark.parametrize("lookahead", [1, 47])
def test_a_lookahead_outside_the_window_is_refused(tiny_window_path: Path, lookahead: int) -> None:
    spec = dataclasses.replace(TINY_WINDOW, lookahead_frames=lookahead)
    local = tiny_window_path.with_name("tiny-window.local.onnx")
    with refused(ModelError, "2", "46", str(lookahead)):
        WindowModel(spec, Graph(tiny_window_path), Graph(local))


@pytest.mark.parametrize("lookahead", [2, 46])
def test_the_ends_of_the_window_can_be_read(tiny_window_path: Path, lookahead: int) -> None:
    spec = dataclasses.replace(TINY_WINDOW, lookahead_frames=lookahead)
    local = tiny_window_path.with_name("tiny-window.local.onnx")
    model = WindowModel(spec, Graph(tiny_window_path), Graph(local))
    features = music(30)
    assert_close(stream(model, features, 7), model.offline(features, STYLE))
