"""The joint embedding's networks: the paper's table, both heads, the variational decoder."""

import pytest
import torch

from models.papers.embedding import EmbeddingConfig, Encoder, Head, JointEmbedding, on_sphere

SMALL = (4, 4, 8, 8)


def test_the_networks_are_those_of_the_table() -> None:
    network = JointEmbedding(EmbeddingConfig())
    convolutions = [m for m in network.sound.body if isinstance(m, torch.nn.Conv2d)]
    widths = [24, 24, 48, 48, 96, 96, 96, 96, 32]
    assert [m.out_channels for m in convolutions] == widths
    assert [m.kernel_size[0] for m in convolutions] == [3] * 8 + [1]
    assert sum(isinstance(m, torch.nn.ELU) for m in network.sound.body) == 8
    assert sum(isinstance(m, torch.nn.MaxPool2d) for m in network.sound.body) == 4


@pytest.mark.parametrize("head", ["average", "register"])
def test_shapes(head: Head) -> None:
    network = JointEmbedding(EmbeddingConfig(channels=SMALL, head=head)).eval()
    assert network.embed_score(torch.zeros(2, 128, 96)).shape == (2, 32)
    assert network.embed_sound(torch.zeros(2, 128, 167)).shape == (2, 32)


def test_the_register_head_knows_where_a_note_is() -> None:
    torch.manual_seed(1)
    image = torch.zeros(2, 128, 96)
    image[0, 48:50, 40:60] = 1
    image[1, 80:82, 40:60] = 1  # two octaves and more above, far from every border
    for head, is_same in (("average", True), ("register", False)):
        encoder = Encoder(128, SMALL, 32, head).eval()  # type: ignore[arg-type]
        low, high = encoder(image)
        assert torch.allclose(low, high, atol=1e-5) == is_same


def test_a_variational_network_has_a_variance_and_a_decoder() -> None:
    config = EmbeddingConfig(channels=SMALL, is_variational=True)
    network = JointEmbedding(config).eval()
    mean, log_variance = network.posterior(torch.zeros(3, 128, 96))
    assert mean.shape == log_variance.shape == (3, 32)
    assert network.decoder is not None
    assert network.decoder(mean).shape == (3, 128, 96)


def test_the_decoder_reads_directions_only() -> None:
    network = JointEmbedding(EmbeddingConfig(channels=SMALL, is_variational=True)).eval()
    assert network.decoder is not None
    latent = torch.randn(2, 32)
    assert on_sphere(latent).norm(dim=1).tolist() == pytest.approx([32**0.5] * 2)
    assert torch.allclose(network.decoder(latent), network.decoder(3 * latent), atol=1e-5)


def test_a_config_survives_a_checkpoint() -> None:
    config = EmbeddingConfig(channels=SMALL, head="register")
    assert EmbeddingConfig.from_dict(config.to_dict()) == config
