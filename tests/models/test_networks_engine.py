"""The engine runs what torch computes: the tiny files, their networks, and the default network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.model.cover_model import silent_features
from engine.model.frontend import load_frontend
from engine.model.graph import Graph
from engine.model.model_files import load_model, read_spec
from engine.model.pipeline import (
    load_pipeline,
    offline_features,
    offline_posteriors,
    stream_posteriors,
)
from engine.model.stateful_model import StatefulModel
from engine.model.window_model import WindowModel
from engine.signal import level
from models.features import LOG_STFT_16K, Features
from models.spec import STYLE_DIM, ModelSpec
from models.streaming import COVER, StreamingConfig, StreamingCover
from models.trunk import STEP_FRAMES
from offline_train.exporting.export import export_frontend, export_stateful
from tests.networks import export_tiny_models, tiny_stateful, tiny_window
from tests.tiny import TINY_FEATURES, TINY_STATEFUL, TINY_WINDOW

Array = NDArray[np.float32]

TOLERANCE = 1e-5  # of float32 sums in another order, through some layers
FEATURE_TOLERANCE = 5e-5  # a rounding near the floor of 0.01 counts a hundred times
STREAM_TOLERANCE = 1e-4  # the bar for streamed posteriors against one pass
STYLE = np.linspace(-1, 1, STYLE_DIM, dtype=np.float32)


def music(n_frames: int) -> Array:
    rng = np.random.default_rng(n_frames)
    return rng.normal(-2.0, 1.5, (n_frames, TINY_FEATURES.n_bins)).astype(np.float32)


def test_the_tiny_files_are_as_an_export_makes_them(tmp_path: Path, tiny_folder: Path) -> None:
    """Else ``python -m tests.make_tiny_models`` makes them anew."""
    export_tiny_models(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        p.name for p in tiny_folder.iterdir()
    )
    for path in tiny_folder.glob("*.onnx"):
        assert Graph(path).metadata() == Graph(tmp_path / path.name).metadata(), path.name
    for path in tiny_folder.glob("*.sample.npz"):
        with np.load(path) as kept, np.load(tmp_path / path.name) as new:
            assert sorted(kept) == sorted(new)
            for name in kept:
                np.testing.assert_allclose(kept[name], new[name], atol=TOLERANCE, err_msg=name)


def test_the_tiny_files_carry_their_specs(tiny_folder: Path) -> None:
    for spec in (TINY_STATEFUL, TINY_WINDOW):
        assert read_spec(Graph(tiny_folder / f"{spec.name}.onnx")).outputs == spec.outputs


def test_features_equal_one_pass_of_torch(tiny_folder: Path, tiny_song: Array) -> None:
    half = np.zeros(TINY_FEATURES.win_length // 2, np.float32)
    padded = torch.from_numpy(np.concatenate((half, tiny_song, half)))[None]
    with torch.no_grad():
        expected = Features(TINY_FEATURES).double()(padded.double())[0].numpy()
    found = offline_features(tiny_song, load_frontend(TINY_FEATURES, tiny_folder))
    np.testing.assert_allclose(found, expected, atol=FEATURE_TOLERANCE)


def test_a_stateful_model_equals_torch(tiny_stateful_path: Path) -> None:
    model, network = load_model(tiny_stateful_path), tiny_stateful()
    assert isinstance(model, StatefulModel)
    features, n_lead = music(40), TINY_STATEFUL.lookahead_frames
    heard = np.concatenate((features, silent_features(TINY_STATEFUL, n_lead + 1)))
    with torch.no_grad():
        logits, _ = network(
            torch.from_numpy(heard)[None], torch.from_numpy(STYLE)[None], network.init_state(1)
        )
    found = model.offline(features, STYLE)
    for name in TINY_STATEFUL.outputs:
        expected = torch.sigmoid(logits[name])[0, n_lead : n_lead + 40].numpy()
        np.testing.assert_allclose(getattr(found, name), expected, atol=TOLERANCE)


def test_a_window_model_equals_torch_on_windows_that_begin_in_silence(
    tiny_window_path: Path,
) -> None:
    model, network, spec = load_model(tiny_window_path), tiny_window(), TINY_WINDOW
    assert isinstance(model, WindowModel)
    margin, window, step = spec.local_margin_frames, spec.window_frames, spec.step_frames
    features = music(60)
    lead = silent_features(spec, window + 2 * margin)
    heard = np.concatenate((lead, features, lead))
    found = model.offline(features, STYLE)
    for n_heard in range(step, 60 + step, step):
        newest = len(lead) + n_heard
        seen = torch.from_numpy(heard[newest - window - 2 * margin : newest])[None]
        with torch.no_grad():
            logits = network.mix(network.local(seen), torch.from_numpy(STYLE)[None])
        # The window's last row is frame n_heard - 1 - margin.
        for frame in range(n_heard - spec.lookahead_frames - step, n_heard - spec.lookahead_frames):
            row = window - 1 - (n_heard - 1 - margin - frame)
            if frame >= 0:
                np.testing.assert_allclose(
                    found.onset[frame],
                    torch.sigmoid(logits["onset"])[0, row].numpy(),
                    atol=TOLERANCE,
                )


@pytest.mark.parametrize("wait", [None, 0, 6, 30])
@pytest.mark.parametrize("block_size", [7, 256, 4096])
def test_the_default_network_streams(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    block_size: int,
    wait: int | None,
) -> None:
    """Without an ear for later sound, and with one, however long it waits."""
    monkeypatch.setattr(level, "TARGET_DBFS", -120.0)  # one pass knows no gain
    config = StreamingConfig(
        channels=8, context=16, hidden=8, ahead=0 if wait is None else 6, ahead_context=5
    )
    spec = ModelSpec(
        name="small",
        kind="stateful",
        features=LOG_STFT_16K,
        version="1",
        lookahead_frames=config.lookahead_frames,
        outputs=COVER,
        step_frames=STEP_FRAMES,
        ahead_frames=0 if wait is None else 40,
    )
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("default")
    export_frontend(spec.features, folder)
    network = StreamingCover(config)
    if network.ahead is not None:
        torch.nn.init.normal_(network.ahead.to_head.weight)
    path = export_stateful(network, spec, folder / "small.onnx")
    pipeline = load_pipeline(path, style=STYLE)
    pipeline.model = pipeline.model.waiting(wait or 0)
    assert isinstance(pipeline.model, StatefulModel)
    assert pipeline.model.wait_frames == (wait or 0)
    rng = np.random.default_rng(2)
    samples = (np.repeat(rng.uniform(0, 0.3, 20), 800) * rng.normal(0, 1, 16000)).astype(np.float32)
    expected = offline_posteriors(
        pipeline.model, offline_features(samples, pipeline.frontend), STYLE
    )
    found = stream_posteriors(samples, pipeline.model, pipeline.frontend, STYLE, block_size)
    assert found.frames.tolist() == list(range(63))
    for name in ("onset", "frame", "velocity"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=STREAM_TOLERANCE, err_msg=name
        )
