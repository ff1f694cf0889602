"""The Transformers: what each kind is told of the roll."""

import pytest
import torch
from torch import nn

from models.papers.seq2seq import Kind, Transformer, TransformerConfig, sinusoids
from models.spec import N_PITCHES


def transformer(kind: Kind, **settings: float) -> Transformer:
    torch.manual_seed(1)
    config = TransformerConfig(
        kind,
        width=16,
        n_heads=2,
        feed_forward=12,
        **settings,  # type: ignore[arg-type]
    )
    return Transformer(config).eval()


def test_its_blocks_are_the_papers() -> None:
    """Two encoder and two decoder blocks, a feed-forward network of 200."""
    network = Transformer(TransformerConfig())
    assert network.decoder is not None
    assert len(network.encoder.layers) == len(network.decoder.layers) == 2
    layer = network.encoder.layers[0]
    assert isinstance(layer, nn.TransformerEncoderLayer) and layer.linear1.out_features == 200


@torch.inference_mode()
def test_a_frame_is_told_what_came_before_it_and_no_more() -> None:
    network = transformer("seq2seq")
    features, roll = torch.randn(2, 12, 229), (torch.rand(2, 12, N_PITCHES) < 0.1).float()
    before = network(features, roll)
    roll[:, 6] = 1 - roll[:, 6]
    after = network(features, roll)
    torch.testing.assert_close(after[:, :7], before[:, :7])
    assert not torch.allclose(after[:, 7], before[:, 7])


@pytest.mark.parametrize("kind", ["blind", "encoder"])
@torch.inference_mode()
def test_the_others_are_told_nothing(kind: Kind) -> None:
    network = transformer(kind)
    features = torch.randn(2, 12, 229)
    told = network(features, torch.ones(2, 12, N_PITCHES))
    torch.testing.assert_close(told, network.generate(features))


@torch.inference_mode()
def test_listening_is_being_told_ones_own_answers() -> None:
    network = transformer("seq2seq")
    features = torch.randn(2, 9, 229)
    logits = network.generate(features)
    assert logits.shape == (2, 9, N_PITCHES)
    torch.testing.assert_close(
        network(features, (logits > 0).float()), logits, atol=1e-5, rtol=1e-4
    )


@torch.inference_mode()
def test_the_settings_of_the_mended_one() -> None:
    settings = {"has_stem": True, "norm_first": True, "first_probability": 0.05, "is_scaled": True}
    network = transformer("encoder", **settings)
    probability = torch.sigmoid(network.generate(torch.randn(3, 20, 229) * 4 - 4)).mean().item()
    assert probability == pytest.approx(0.05, abs=0.03)


def test_positions_tell_frames_apart() -> None:
    places = sinusoids(100, 16)
    apart = torch.cdist(places, places) + 10 * torch.eye(100)
    assert apart.min() > 0.1
