"""hFT and AMT-APC's gate: published sizes, what each stage sees, exact extension, the mel."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.features import MEL_HFT, Features
from models.hft import (
    AMT_APC,
    HFT_128,
    HFT_512,
    SMALL,
    Attention,
    Hft,
    HftConfig,
    Layer,
    extended,
    silent_style,
)
from models.spec import MIN_PITCH, N_PITCHES, STYLE_DIM
from models.tonotopy import mel_centres
from tests.networks import TINY_HFT

TINY = replace(TINY_HFT, margin_frames=4, n_bins=40)
SPAN = 2 * TINY.margin_frames


@pytest.fixture
def network() -> Hft:
    torch.manual_seed(0)
    return Hft(TINY).eval()


def n_parameters(config: HftConfig) -> int:
    return sum(p.numel() for p in Hft(config).parameters())


def test_sizes_are_the_published_ones() -> None:
    # 5.52 M, 5.61 M with 512 positions, 5.75 M with the style gate
    assert n_parameters(HFT_128) == 5_516_574
    assert n_parameters(HFT_512) == 5_516_574 + (512 - 128) * 256 == 5_614_878
    assert n_parameters(AMT_APC) == 5_614_878 + (24 + 1) * 256 + 2 * (256 + 1) * 256 == 5_752_862


def test_the_size_follows_from_the_authors_layout() -> None:
    h, ff, bins, notes = 256, 512, 256, 88
    norm, attention = 2 * h, 4 * (h * h + h)
    feed_forward = (h * ff + ff) + (ff * h + h)
    encoder_layer = norm + attention + feed_forward
    first_decoder_layer = norm + attention + feed_forward
    decoder_layer = norm + 2 * attention + feed_forward
    heads = 3 * (h + 1) + (h + 1) * 128
    conv, token = 4 * 5 + 4, (4 * 61) * h + h
    places = (bins + notes + 128) * h
    total = conv + token + places + 3 * encoder_layer  # conv, embeddings, encoder
    total += first_decoder_layer + 2 * decoder_layer + heads  # decoder
    total += 3 * encoder_layer + heads  # time
    assert n_parameters(HFT_128) == total


def test_a_layer_has_one_norm() -> None:
    layer = Layer(TINY, has_self=True, has_memory=True)
    assert sum(isinstance(m, torch.nn.LayerNorm) for m in layer.modules()) == 1


@torch.inference_mode()
def test_both_hierarchies_have_their_shapes(network: Hft) -> None:
    both = network(torch.randn(2, 24 + SPAN, TINY.n_bins), torch.randn(2, STYLE_DIM))
    for matrices in both:
        assert matrices.onset.shape == matrices.offset.shape == matrices.frame.shape
        assert matrices.onset.shape == (2, 24, N_PITCHES)
        assert matrices.velocity.shape == (2, 24, N_PITCHES, 128)


@torch.inference_mode()
def test_the_convolutions_are_the_authors_linear_layer(network: Hft) -> None:
    features = torch.randn(2, 5 + SPAN, TINY.n_bins)
    found = network.embed(network.around(features[:, None])).permute(0, 2, 3, 1)  # (B, n, F, H)
    seen = features.unfold(1, SPAN + 1, 1)  # (B, n, F, 2 m + 1), each frame in its margins
    conv = network.around.weight.transpose(2, 3)  # their kernel lies along the last axis
    x = torch.conv2d(seen.flatten(0, 1)[:, None], conv, network.around.bias)
    x = x.transpose(1, 2).flatten(2)  # (B n, F, channels x frames)
    expected = torch.nn.functional.linear(x, network.embed.weight.flatten(1), network.embed.bias)
    torch.testing.assert_close(found.flatten(0, 1), expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_the_first_stage_sees_its_margin_and_no_more(network: Hft) -> None:
    features, style = torch.randn(1, 20 + SPAN, TINY.n_bins), torch.randn(1, STYLE_DIM)
    whole = network.local(features, style)
    assert whole.shape == (1, 20, N_PITCHES, TINY.hidden)
    piece = network.local(features[:, 5 : 6 + SPAN], style)
    torch.testing.assert_close(piece, whole[:, 5:6], atol=1e-5, rtol=1e-4)
    features[:, 5] += 1.0  # the first frame that row 5 sees
    changed = network.local(features, style)
    assert not torch.allclose(changed[:, 5], whole[:, 5])
    torch.testing.assert_close(changed[:, 6:], whole[:, 6:])


@torch.inference_mode()
def test_time_is_mixed_within_a_pitch_only(network: Hft) -> None:
    embedding, style = torch.randn(1, 24, N_PITCHES, TINY.hidden), torch.randn(1, STYLE_DIM)
    before = network.mix(embedding, style)["frame"]
    embedding[:, 0, 40] += 5.0
    after = network.mix(embedding, style)["frame"]
    assert not torch.allclose(after[:, -1, 40], before[:, -1, 40])
    torch.testing.assert_close(after[..., :40], before[..., :40])


@torch.inference_mode()
def test_the_style_is_heard_in_the_first_stage(network: Hft) -> None:
    features = torch.randn(1, 6 + SPAN, TINY.n_bins)
    one, other = (network.local(features, torch.full((1, 24), v)) for v in (0.0, 1.0))
    assert not torch.allclose(one, other, atol=1e-3)
    embedding = torch.randn(1, 24, N_PITCHES, TINY.hidden)
    mixed = [network.mix(embedding, torch.full((1, 24), v))["onset"] for v in (0.0, 1.0)]
    torch.testing.assert_close(*mixed)


@torch.inference_mode()
def test_mix_gives_the_expected_velocity_and_leaves_the_onset(network: Hft) -> None:
    torch.nn.init.zeros_(network.second.linear.weight)
    bias = network.second.linear.bias
    bias.fill_(-40.0)
    bias[0] = 3.0  # onset
    bias[3 + 40], bias[3 + 60] = 1.0, 1.0  # two velocities, equally likely
    embedding = torch.randn(1, 24, N_PITCHES, TINY.hidden)
    out = network.mix(embedding, silent_style(1))
    assert torch.sigmoid(out["velocity"][0, 0, 0]).item() == pytest.approx(50 / 127, abs=1e-4)
    assert out["onset"][0, 0, 0].item() == 3.0
    bias[3] = 2.0  # now "no note" is the likeliest
    out = network.mix(embedding, silent_style(1))
    assert out["onset"][0, 0, 0].item() == 3.0
    assert torch.sigmoid(out["velocity"][0, 0, 0]).item() == pytest.approx(50 / 127, abs=1e-4)


@torch.inference_mode()
def test_a_longer_window_begins_with_what_is_known() -> None:
    torch.manual_seed(1)
    short = Hft(HftConfig(**{**TINY.to_dict(), "n_frames": 8, "has_style": False})).eval()
    long = extended(short, n_frames=20).eval()
    assert long.config.n_frames == 20
    torch.testing.assert_close(long.time_place[8:16], short.time_place)
    torch.testing.assert_close(long.time_place[16:], short.time_place[:4])
    features = torch.randn(1, 8 + SPAN, TINY.n_bins)
    one, other = (net(features, silent_style(1))[1].onset for net in (short, long))
    torch.testing.assert_close(one, other)
    long.time_place.add_(1.0)
    assert not torch.allclose(long.time_place[:8], short.time_place)


def test_a_gate_comes_new_and_the_rest_stays() -> None:
    torch.manual_seed(1)
    plain = Hft(HftConfig(**{**TINY.to_dict(), "has_style": False}))
    styled = extended(plain, has_style=True)
    assert styled.style_gate is not None
    torch.testing.assert_close(styled.notes, plain.notes)
    with pytest.raises(ValueError, match="may only grow"):
        extended(styled, n_frames=4)
    with pytest.raises(ValueError, match="may only grow"):
        extended(styled, has_style=False)


def htk_mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> NDArray[np.float64]:
    """HTK's mel scale, triangles of equal area (Slaney's norm), as torchaudio's defaults."""
    top = 2595 * np.log10(1 + sample_rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, n_mels + 2) / 2595) - 1)
    bins = np.linspace(0, sample_rate / 2, n_fft // 2 + 1)
    up = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(up, down))
    filters: NDArray[np.float64] = triangles * 2 / (edges[2:] - edges[:-2])[:, None]
    return filters


def test_the_mel_is_the_papers() -> None:
    spec = MEL_HFT
    samples = 0.1 * np.random.default_rng(0).standard_normal(spec.win_length + 3 * spec.hop_length)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(spec.win_length) / spec.win_length)
    frames = np.stack([samples[k * 256 : k * 256 + 2048] * window for k in range(4)])
    energy = np.abs(np.fft.rfft(frames)) ** 2
    mel = energy @ htk_mel_filters(spec.sample_rate, spec.n_fft, spec.n_bins).T
    found = Features(spec)(torch.from_numpy(samples.astype(np.float32))[None])[0].numpy()
    # single precision, in an energy near zero at worst
    np.testing.assert_allclose(found, np.log(mel + spec.log_floor), atol=2e-3)
    silence = Features(spec)(torch.zeros(1, spec.win_length))
    torch.testing.assert_close(silence, torch.full_like(silence, float(np.log(1e-8))))


def test_each_note_looks_at_its_harmonics_first_unless_places_are_random() -> None:
    torch.manual_seed(1)
    network = Hft(SMALL)

    def looked_at(note: int, head: int) -> float:
        look = network.decoder[0].to_memory
        assert isinstance(look, Attention)
        width = SMALL.hidden // SMALL.n_heads
        part = slice(head * width, (head + 1) * width)
        query, keys = look.query(network.notes[note])[part], look.key(network.bin_place)[:, part]
        return float(mel_centres(SMALL.n_bins, SMALL.f_max)[int((keys @ query).argmax())])

    for note, head, frequency in ((69, 0, 440), (69, 1, 880), (81, 0, 880), (45, 0, 110)):
        assert looked_at(note - MIN_PITCH, head) == pytest.approx(frequency, rel=0.08)
    network.place_at_random()
    assert not torch.allclose(network.notes, Hft(SMALL).notes)
