"""hFT in the engine that ships: cached equals plain, in any style and through its changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.core.notes import Posteriors
from engine.model.cover_model import join_posteriors, silent_features
from engine.model.model_files import load_model
from engine.model.window_model import WindowModel
from models.hft import OUTPUTS, Hft, HftConfig
from models.spec import STYLE_DIM, ModelSpec
from tests.networks import TINY_HFT
from tests.tiny import TINY_FEATURES, TINY_WINDOW

Array = NDArray[np.float32]

TOLERANCE = 1e-4  # float32 sums in another order, through attention and softmax
CONFIG = replace(
    TINY_HFT, n_velocities=8, n_bins=TINY_FEATURES.n_bins, margin_frames=3, conv_frames=3
)
SPEC = replace(
    TINY_WINDOW,
    name="tiny-hft",
    outputs=OUTPUTS,
    window_frames=CONFIG.n_frames,
    local_margin_frames=CONFIG.margin_frames,
    lookahead_frames=9,
)
CALM, INTENSE = (np.full(STYLE_DIM, value, np.float32) for value in (-1.0, 1.0))


def network(config: HftConfig = CONFIG) -> Hft:
    torch.manual_seed(4)
    return Hft(config).eval()


def exported(config: HftConfig, spec: ModelSpec, folder: Path) -> WindowModel:
    from offline_train.exporting.export import export_window

    model = load_model(export_window(network(config), spec, folder / f"{spec.name}.onnx"))
    assert isinstance(model, WindowModel)
    return model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> WindowModel:
    return exported(CONFIG, SPEC, tmp_path_factory.mktemp("hft"))


def music(n_frames: int) -> Array:
    rng = np.random.default_rng(n_frames)
    return rng.normal(-2.0, 1.5, (n_frames, CONFIG.n_bins)).astype(np.float32)


def stream(model: WindowModel, features: Array, styles: dict[int, Array], size: int) -> Posteriors:
    """Return the answers, the style changing at the frames named."""
    model.reset()
    parts, style = [], CALM
    for start in range(0, len(features), size):
        rows = features[start : start + size]
        style = next((s for at, s in styles.items() if start <= at < start + size), style)
        parts.append(model.step(np.arange(start, start + len(rows)), rows, style))
    return join_posteriors([*parts, model.flush(style)])


def assert_close(found: Posteriors, expected: Posteriors) -> None:
    assert found.frames.tolist() == expected.frames.tolist()
    for name in OUTPUTS:
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=TOLERANCE, err_msg=name
        )


@pytest.mark.parametrize("size", [1, 4, 80])
def test_cached_equals_plain(model: WindowModel, size: int) -> None:
    features = music(80)
    found = stream(model, features, {}, size)
    assert len(found) == 80
    assert_close(found, model.offline(features, CALM))


@pytest.mark.parametrize("at", [0, 3, 50])
def test_a_new_style_is_heard_over_the_whole_window(model: WindowModel, at: int) -> None:
    features = music(80)
    styles = {at: INTENSE}
    found = stream(model, features, styles, 4)
    assert_close(found, stream(model.plain(), features, styles, 4))
    if at:  # from the first step in the new style on, as if there had never been another
        late = slice(at + 8, None)
        np.testing.assert_allclose(
            found.frame[late], model.offline(features, INTENSE).frame[late], atol=TOLERANCE
        )
    assert np.abs(found.frame - model.offline(features, CALM).frame).max() > 10 * TOLERANCE


def test_a_style_stays_through_a_reset(model: WindowModel) -> None:
    features = music(60)
    stream(model, features, {0: INTENSE}, 4)
    assert_close(stream(model, features, {}, 4), model.offline(features, CALM))
    assert_close(stream(model, features, {}, 4), model.offline(features, CALM))


def test_unhurried_gives_the_middle_of_half_windows_as_torch_does(model: WindowModel) -> None:
    features = music(100)
    offline_variant = model.offline_variant()
    found = stream(offline_variant, features, {}, 33)
    assert found.frames.tolist() == list(range(100))
    margin, window = SPEC.local_margin_frames, SPEC.window_frames
    lead = silent_features(SPEC, window + 2 * margin)
    heard = np.concatenate((lead, features, lead))
    style = torch.from_numpy(CALM)[None]
    for first in range(0, 100, window // 2):
        newest = len(lead) + first + window // 2
        seen = torch.from_numpy(heard[newest - window - 2 * margin : newest])[None]
        with torch.inference_mode():
            net = network()
            logits = net.mix(net.local(seen, style), style)
        onset = torch.sigmoid(logits["onset"])[0, window // 4 : 3 * window // 4].numpy()
        begins = first + window // 2 - margin - 3 * window // 4
        rows = slice(max(0, -begins), window // 2)
        frames = slice(max(0, begins), begins + window // 2)
        np.testing.assert_allclose(found.onset[frames], onset[rows], atol=TOLERANCE)


def test_without_a_gate_it_takes_any_style(tmp_path: Path) -> None:
    plain = exported(replace(CONFIG, has_style=False), replace(SPEC, name="no-style"), tmp_path)
    features = music(70)
    assert_close(plain.offline(features, CALM), plain.offline(features, INTENSE))
    assert_close(stream(plain, features, {30: INTENSE}, 4), plain.offline(features, CALM))
