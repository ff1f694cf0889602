"""A wider network begins with the answers of the narrower one, and can learn more."""

import dataclasses

import pytest
import torch

from models.streaming import StreamingConfig, StreamingCover
from models.widen import widen

SMALL = StreamingConfig(conv_channels=3, channels=8, trunk=8, context=12, hidden=8)
WIDE = dataclasses.replace(
    SMALL,
    conv_channels=4,
    channels=12,
    partials=12,
    context=20,
    hidden=12,
    refine_hidden=6,
    keyboard=5,
)


def answers(network: StreamingCover) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(1, 12, SMALL.n_bins, generator=generator)
    style = torch.rand(1, 24, generator=generator)
    logits, _ = network(features, style, network.init_state(1))
    return dict(logits)


def test_a_wider_network_answers_as_before_and_its_new_units_learn() -> None:
    torch.manual_seed(0)
    narrow, wide = StreamingCover(SMALL), StreamingCover(WIDE)
    for parameter in narrow.parameters():  # none is zero by chance of its start
        torch.nn.init.normal_(parameter, std=0.2)
    narrow.eval()
    wide.eval()
    widen(wide, narrow.state_dict())
    found = answers(wide)
    for name, expected in answers(narrow).items():
        torch.testing.assert_close(found[name], expected)
    sum(value.square().sum() for value in found.values()).backward()  # type: ignore[union-attr]
    n_heard = SMALL.trunk + SMALL.compared
    for heads, known in ((wide.cover, SMALL.hidden), (wide.transcription.heads, n_heard)):
        gradient = heads.linear.weight.grad
        assert gradient is not None
        assert gradient[:, known:].abs().max() > 0
    gradient = wide.trunk.harmonics.weight.grad
    assert gradient is not None
    assert gradient[:, -SMALL.conv_channels :].abs().max() > 0  # what the last partial tells


def test_a_network_that_listens_twice_can_begin_to_follow_the_keyboard() -> None:
    torch.manual_seed(0)
    twice = StreamingCover(dataclasses.replace(SMALL, refine_hidden=6)).eval()
    following = StreamingCover(dataclasses.replace(SMALL, refine_hidden=6, keyboard=5)).eval()
    widen(following, twice.state_dict())
    found = answers(following)
    for name, expected in answers(twice).items():
        torch.testing.assert_close(found[name], expected)
    torch.autograd.backward(found["transcription_frame"].square().sum())
    assert following.transcription.keyboard is not None
    gradient = following.transcription.keyboard.out.weight.grad
    assert gradient is not None
    assert gradient.abs().max() > 0


def test_a_network_that_listens_once_cannot_begin_with_one_that_listens_twice() -> None:
    with pytest.raises(ValueError, match="is in one network only"):
        widen(StreamingCover(SMALL), StreamingCover(WIDE).state_dict())


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (dataclasses.replace(SMALL, hidden=6), "expected at least"),
        (dataclasses.replace(SMALL, partials=5), "expected at least 8 partials, came 5"),
        (dataclasses.replace(SMALL, trunk=12), "trunk.gru.*as wide as before"),
        (dataclasses.replace(SMALL, related=20), "comparison.*as wide as before"),
    ],
)
def test_a_network_that_does_not_hold_the_other_is_refused(
    other: StreamingConfig, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        widen(StreamingCover(other), StreamingCover(SMALL).state_dict())


def test_what_came_before_the_register_bias_begins_without_one() -> None:
    weights = StreamingCover(SMALL).state_dict()
    del weights["transcription.register_bias"]
    network = StreamingCover(SMALL)
    widen(network, weights)
    assert not network.transcription.register_bias.any()
