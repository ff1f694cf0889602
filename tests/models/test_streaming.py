"""The streaming cover network: chunks equal the whole, the future stays unseen, style matters."""

import dataclasses

import pytest
import torch
from torch import Tensor

from models.spec import N_PITCHES, STYLE_DIM
from models.streaming import (
    COVER,
    TRANSCRIPTION_PREFIX,
    AlongPitch,
    StreamingConfig,
    StreamingCover,
)
from models.trunk import TRANSCRIPTION

SMALL = StreamingConfig(conv_channels=4, channels=8, trunk=8, context=12, hidden=8)
OUTPUTS = (*COVER, *(TRANSCRIPTION_PREFIX + name for name in TRANSCRIPTION))


@pytest.fixture(scope="module", params=[(0, 0), (6, 0), (6, 5)])
def network(request: pytest.FixtureRequest) -> StreamingCover:
    """Return a network that listens once, or twice, or follows the keyboard as well."""
    torch.manual_seed(0)
    refine, keyboard = request.param
    config = dataclasses.replace(SMALL, refine_hidden=refine, keyboard=keyboard)
    network = StreamingCover(config)
    if network.transcription.keyboard is not None:
        torch.nn.init.normal_(network.transcription.keyboard.out.weight)
    with torch.no_grad():  # statistics of a trained network, so that the norms do something
        network(torch.randn(2, 64, SMALL.n_bins), torch.rand(2, STYLE_DIM), network.init_state(2))
    return network.eval()


def run(network: StreamingCover, features: Tensor, chunks: list[int]) -> dict[str, Tensor]:
    state, rows, at = network.init_state(1), [], 0
    for n in chunks:
        logits, state = network(features[:, at : at + n], torch.full((1, STYLE_DIM), 0.1), state)
        rows.append(logits)
        at += n
    return {name: torch.cat([r[name] for r in rows], 1) for name in OUTPUTS}


@pytest.mark.parametrize("chunks", [[2] * 20, [8, 2, 30], [40]])
@torch.inference_mode()
def test_chunks_equal_the_whole(network: StreamingCover, chunks: list[int]) -> None:
    features = torch.randn(1, 40, SMALL.n_bins)
    whole, chunked = run(network, features, [40]), run(network, features, chunks)
    for name in OUTPUTS:
        assert whole[name].shape == (1, 40, N_PITCHES)
        # float32 sums in another order: 1e-5 of logits of size 1
        torch.testing.assert_close(chunked[name], whole[name], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_step_does_not_see_later_frames(network: StreamingCover) -> None:
    features = torch.randn(1, 40, SMALL.n_bins)
    changed = features.clone()
    changed[:, 20:] += 1.0
    before, after = run(network, features, [40]), run(network, changed, [40])
    for name in OUTPUTS:
        torch.testing.assert_close(after[name][:, :20], before[name][:, :20])
        assert not torch.allclose(after[name][:, 20:], before[name][:, 20:])


@torch.inference_mode()
def test_style_changes_the_notes(network: StreamingCover) -> None:
    features, state = torch.randn(1, 8, SMALL.n_bins), network.init_state(1)
    calm, _ = network(features, torch.zeros(1, STYLE_DIM), state)
    intense, _ = network(features, torch.ones(1, STYLE_DIM), state)
    assert not torch.allclose(calm["onset"], intense["onset"])


def test_gradients_reach_every_weight() -> None:
    torch.manual_seed(0)
    network = StreamingCover(SMALL)
    logits, _ = network(
        torch.randn(2, 16, SMALL.n_bins), torch.rand(2, STYLE_DIM), network.init_state(2)
    )
    torch.stack([value.square().mean() for value in logits.values()]).sum().backward()  # type: ignore[no-untyped-call]
    dead = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


def test_a_pitch_shift_moves_the_pitches() -> None:
    """Weights are shared along pitch: away from the edges, up a semitone is up a row."""
    torch.manual_seed(0)
    network = StreamingCover(SMALL).eval()
    for parameter in network.from_context.parameters():
        torch.nn.init.zeros_(parameter)  # the context path knows absolute pitch
    features = torch.full((1, 8, SMALL.n_bins), -4.0)
    features[:, :, 150:153] = 2.0
    shifted = features.roll(SMALL.bins_per_semitone, 2)
    with torch.inference_mode():
        low, _ = network(features, torch.zeros(1, STYLE_DIM), network.init_state(1))
        high, _ = network(shifted, torch.zeros(1, STYLE_DIM), network.init_state(1))
    a, b = low["onset"][:, :, 42:50], high["onset"][:, :, 43:51]
    torch.testing.assert_close(b, a, atol=1e-4, rtol=1e-3)


def test_along_pitch_is_a_depthwise_convolution() -> None:
    torch.manual_seed(0)
    layer = AlongPitch(6, reach=4)
    x = torch.randn(2, 3, N_PITCHES, 6)
    rows = x.reshape(-1, N_PITCHES, 6).transpose(1, 2)
    expected = torch.nn.functional.conv1d(
        rows, layer.weight[:, None], layer.bias, padding=4, groups=6
    )
    found = layer(x).reshape(-1, N_PITCHES, 6).transpose(1, 2)
    # float32 sums of 9 products in another order
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_cover_says_its_notes_against_what_is_heard() -> None:
    """Without a word of the cover part, its onsets are a share of the transcription's."""
    torch.manual_seed(0)
    network = StreamingCover(SMALL).eval()
    for parameter in network.cover.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.inference_mode():
        logits, _ = network(
            torch.randn(1, 8, SMALL.n_bins), torch.zeros(1, STYLE_DIM), network.init_state(1)
        )
    for name in ("onset", "frame"):
        torch.testing.assert_close(
            logits[name], SMALL.transcription_residual_weight * logits[TRANSCRIPTION_PREFIX + name]
        )


@pytest.fixture(scope="module")
def ahead() -> StreamingCover:
    """Return a network that reads back from later sound."""
    torch.manual_seed(0)
    network = StreamingCover(dataclasses.replace(SMALL, ahead=6, ahead_context=5))
    assert network.ahead is not None
    with torch.no_grad():
        network.ahead.to_head.weight.normal_()
    return network.eval()


@torch.inference_mode()
def test_later_sound_adds_nothing_at_first() -> None:
    torch.manual_seed(0)
    plain, features = StreamingCover(SMALL).eval(), torch.randn(1, 16, SMALL.n_bins)
    network = StreamingCover(dataclasses.replace(SMALL, ahead=6)).eval()
    network.load_state_dict(plain.state_dict(), strict=False)
    before, after = run(plain, features, [16]), run(network, features, [16])
    for name in OUTPUTS:
        torch.testing.assert_close(after[name], before[name])


@pytest.mark.parametrize("n_steps", [1, 4, 7, 20, 64])
@torch.inference_mode()
def test_a_segment_hears_what_a_stream_of_such_steps_does(
    ahead: StreamingCover, n_steps: int
) -> None:
    features, style = torch.randn(1, 40, SMALL.n_bins), torch.full((1, STYLE_DIM), 0.1)
    n = 2 * n_steps
    streamed = run(ahead, features, [min(n, 40 - at) for at in range(0, 40, n)])
    found, _ = ahead(features, style, ahead.init_state(1), n_steps)
    for name in OUTPUTS:
        torch.testing.assert_close(found[name], streamed[name], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_who_waits_hears_as_far_ahead_and_no_further(ahead: StreamingCover) -> None:
    """Steps of 4 frames, 6 ahead: a change at frame 20 is heard from the answer for frame 12 on."""
    features, style = torch.randn(1, 40, SMALL.n_bins), torch.full((1, STYLE_DIM), 0.1)
    changed = features.clone()
    changed[:, 20:] += 1.0

    def onsets(features: Tensor) -> Tensor:
        state, rows = ahead.init_state(1, 3), []
        for at in range(0, 40, 4):
            logits, state = ahead(features[:, at : at + 4], style, state)
            rows.append(logits["onset"])
        return torch.cat(rows, 1)[0, 6:]  # row t is that of frame t

    before, after = onsets(features), onsets(changed)
    differs = (before != after).any(1)
    first = int(differs.nonzero()[0])
    assert first == 14  # answered with frames 20 to 23
    torch.testing.assert_close(after[:first], before[:first])
