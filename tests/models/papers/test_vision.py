"""The networks that see a spectrogram as a picture: sizes, and one result live and in a file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.model.cover_model import join_posteriors
from engine.model.model_files import load_model
from engine.model.pipeline import load_pipeline
from engine.model.stateful_model import StatefulModel
from models.features import MEL_VISION
from models.papers.crnn import Crnn
from models.papers.fcnn import Fcnn, VisionConfig
from models.papers.roll import OUTPUTS, RISE_FRAMES, RollModel
from models.spec import N_PITCHES, STYLE_DIM, ModelSpec
from offline_train.exporting.export import export_frontend, export_stateful

TINY = VisionConfig(channels=(4, 6, 8), out_channels=4, width=16, hidden=6)


def network_of(kind: str, config: VisionConfig) -> Fcnn | Crnn:
    torch.manual_seed(4)
    return (Fcnn if kind == "fcnn" else Crnn)(config).eval()


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_they_are_as_large_as_the_papers() -> None:
    """Table 2: 321,544 and 384,552; within a ten-thousandth, and one backbone in both."""
    fcnn, crnn = Fcnn(VisionConfig()), Crnn(VisionConfig())
    assert size(fcnn) == pytest.approx(321_544, rel=1e-4)
    assert size(crnn) == pytest.approx(384_552, rel=1e-4)
    assert size(fcnn.backbone) == size(crnn.backbone)


def test_a_config_comes_back_from_plain_values() -> None:
    assert VisionConfig.from_dict(TINY.to_dict()) == TINY


def make_alive(network: nn.Module) -> None:
    """Make every weight positive and small: no unit is dead for a positive input, nor saturated."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_().mul_(0.1)
    network.double()


@pytest.mark.parametrize("kind", ["fcnn", "crnn"])
def test_a_row_hears_its_margin_and_no_more_of_the_future(kind: str) -> None:
    network = network_of(kind, TINY)
    make_alive(network)
    m = network.margin_frames
    features = torch.rand(1, 20 + 2 * m, 229).double() + TINY.feature_mean
    features.requires_grad_()
    whole = network.roll(features, network.init_hidden(1).double())[0]
    assert whole.shape == (1, 20, N_PITCHES)
    (slope,) = torch.autograd.grad(whole[0, 5].sum(), features)
    heard = slope[0].abs().sum(1).nonzero()[:, 0].tolist()
    assert heard == list(range(0 if kind == "crnn" else 5, 6 + 2 * m))  # a GRU hears all the past


@pytest.mark.parametrize("kind", ["fcnn", "crnn"])
@pytest.mark.parametrize("size", [1, 7, 40])
@torch.inference_mode()
def test_streamed_in_blocks_it_equals_one_pass(kind: str, size: int) -> None:
    model = RollModel(network_of(kind, TINY), MEL_VISION).eval()
    features, style = torch.randn(1, 40, 229) - 4, torch.zeros(1, STYLE_DIM)
    whole, _ = model(features, style, model.init_state(1))
    assert set(whole) == set(OUTPUTS)
    state, parts = model.init_state(1), []
    for start in range(0, 40, size):
        logits, state = model(features[:, start : start + size], style, state)
        parts.append(logits)
    for name in OUTPUTS:
        joined = torch.sigmoid(torch.cat([part[name] for part in parts], 1))
        torch.testing.assert_close(joined, torch.sigmoid(whole[name]), atol=1e-5, rtol=0)


class Painted(nn.Module):
    """Paints the first 88 bins as they are: what the roll model makes of a known roll."""

    margin_frames = 0

    def init_hidden(self, batch: int) -> Tensor:
        return torch.zeros(1, batch, 0)

    def roll(self, features: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return features[..., :N_PITCHES], hidden


def test_an_onset_is_where_the_roll_rises() -> None:
    model = RollModel(Painted(), MEL_VISION)
    logits = torch.full((1, 20, 229), -9.0)
    logits[0, 8:14, 30] = 9.0
    out, _ = model(logits, torch.zeros(1, STYLE_DIM), model.init_state(1))
    onset, frame = torch.sigmoid(out["onset"])[0], torch.sigmoid(out["frame"])[0]
    first = 8 + RISE_FRAMES  # rows are late by the lookahead
    assert frame[first:, 30].gt(0.5).nonzero()[:, 0].tolist() == list(range(6))
    rows = onset[:, 30].gt(0.5).nonzero()[:, 0].float()
    assert rows.mean().item() - RISE_FRAMES == pytest.approx(7.5)  # between silence and sound
    assert onset[:, :30].max() < 0.01


def spec_of(model: RollModel, name: str) -> ModelSpec:
    """Return the spec of a model that streams, in one style."""
    return ModelSpec(
        name=name,
        kind="stateful",
        features=MEL_VISION,
        version="1",
        lookahead_frames=model.lookahead_frames,
        outputs=OUTPUTS,
        styles={"balanced": [0.0] * STYLE_DIM},
    )


@pytest.mark.parametrize("kind", ["fcnn", "crnn"])
def test_the_engine_runs_it_with_blocks_of_any_size(kind: str, tmp_path: Path) -> None:
    model = RollModel(network_of(kind, TINY), MEL_VISION)
    spec = spec_of(model, kind)
    path = export_stateful(model, spec, tmp_path / f"{kind}.onnx")
    opened = load_model(path)
    assert isinstance(opened, StatefulModel)
    rng = np.random.default_rng(2)
    features = rng.normal(-4, 3, (50, 229)).astype(np.float32)
    style = np.zeros(STYLE_DIM, np.float32)
    whole = opened.offline(features, style)
    assert whole.frames.tolist() == list(range(50))
    for size in (1, 9, 50):
        parts = [
            opened.step(np.arange(k, min(k + size, 50)), features[k : k + size], style)
            for k in range(0, 50, size)
        ]
        streamed = join_posteriors([*parts, opened.flush(style)])
        assert streamed.frames.tolist() == whole.frames.tolist()
        for name in OUTPUTS:  # float32 sums in another order
            found, expected = getattr(streamed, name), getattr(whole, name)
            np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=name)


def test_from_sound_to_posteriors_with_its_front_end(tmp_path: Path) -> None:
    model = RollModel(network_of("crnn", TINY), MEL_VISION)
    spec = spec_of(model, "crnn")
    export_frontend(MEL_VISION, tmp_path)
    path = export_stateful(model, spec, tmp_path / "crnn.onnx")
    samples = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
    results = []
    for size in (1000, 8000):
        pipeline = load_pipeline(path)
        blocks = [pipeline.push(samples[k : k + size]) for k in range(0, 8000, size)]
        results.append(join_posteriors([*blocks, pipeline.flush()]))
    np.testing.assert_allclose(results[0].onset, results[1].onset, atol=1e-4)
    assert len(results[0]) == 51
