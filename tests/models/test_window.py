"""The small window network: its local stage is local, and engine and exporter take it."""

from pathlib import Path

import pytest
import torch

from models.spec import N_PITCHES, STYLE_DIM
from models.window import LOCAL_MARGIN_FRAMES, OUTPUTS, WindowConfig, WindowCover

SMALL = WindowConfig(window_frames=24, channels=4, width=16, n_layers=1)


@pytest.fixture(scope="module")
def network() -> WindowCover:
    torch.manual_seed(0)
    return WindowCover(SMALL).eval()


@torch.inference_mode()
def test_the_local_stage_sees_its_margin_and_no_more(network: WindowCover) -> None:
    features = torch.randn(1, 20 + 2 * LOCAL_MARGIN_FRAMES, SMALL.n_bins)
    whole = network.local(features)
    assert whole.shape == (1, 20, N_PITCHES, SMALL.channels)
    piece = network.local(features[:, 5 : 6 + 2 * LOCAL_MARGIN_FRAMES])
    torch.testing.assert_close(piece, whole[:, 5:6], atol=1e-6, rtol=1e-5)
    features[:, 5] += 1.0  # the first frame that output row 5 sees
    assert not torch.equal(network.local(features)[:, 5], whole[:, 5])
    torch.testing.assert_close(network.local(features)[:, 6:], whole[:, 6:])


@torch.inference_mode()
def test_every_row_hears_the_whole_window(network: WindowCover) -> None:
    embedding = torch.randn(1, SMALL.window_frames, N_PITCHES, SMALL.channels)
    style = torch.zeros(1, STYLE_DIM)
    before = network.mix(embedding, style)
    assert set(before) == set(OUTPUTS)
    embedding[:, 0] += 5.0
    after = network.mix(embedding, style)
    assert not torch.allclose(after["onset"][:, -1], before["onset"][:, -1])


def test_amt_apc_is_sketched_too(tmp_path: Path) -> None:
    from engine.model.model_files import load_model
    from offline_train.cli import main

    command = ["sketch-window", "--network", "small", "--window-frames", "32"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    spec = load_model(tmp_path / "small.onnx").spec
    assert (spec.name, spec.window_frames, spec.local_margin_frames) == ("small", 32, 32)


def test_the_engine_runs_it_cached_and_plain(tmp_path: Path) -> None:
    """The command that exports it, and the engine's promise that both ways agree."""
    import numpy as np

    from engine.model.model_files import load_model
    from engine.model.window_model import WindowModel
    from offline_train.cli import main

    assert main(["sketch-window", "--out", str(tmp_path), "--window-frames", "64"]) == 0
    model = load_model(tmp_path / "window.onnx")
    assert isinstance(model, WindowModel)
    rng = np.random.default_rng(0)
    features = rng.normal(-2, 1, (40, model.spec.features.n_bins)).astype(np.float32)
    frames, style = np.arange(40), np.zeros(STYLE_DIM, np.float32)
    plain = model.plain()
    for way in (model, plain):
        way.reset()
    cached_rows, plain_rows = (way.step(frames, features, style) for way in (model, plain))
    assert len(cached_rows) > 0
    # float32 sums of the local stage in another order
    np.testing.assert_allclose(cached_rows.onset, plain_rows.onset, atol=1e-4)
    np.testing.assert_allclose(cached_rows.frame, plain_rows.frame, atol=1e-4)
