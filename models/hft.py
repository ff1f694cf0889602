"""The hierarchical frequency-time Transformer (hFT), and AMT-APC's style gate inside it.

hFT: Toyama et al., "Automatic Piano Transcription with Hierarchical Frequency-Time Transformer",
ISMIR 2023; its layout follows the authors' public code (sony/hFT-Transformer, MIT). The gate and
the 512-frame window: Komiya and Fukuhara, "AMT-APC", 2024 (misya11p/amt-apc, MIT). The code here is
our own.

A song's log-mel frames go in, two sets of piano matrices come out:

1. every frame is seen with 32 frames to either side: a convolution of five frames, then one vector
   for each of 256 mel bins;
2. an encoder, self-attention over the bins of one frame;
3. the style gate: the style is let into every bin's vector;
4. a decoder, 88 note queries that attend to the bins: the *first* hierarchy's outputs;
5. an encoder over time, for each pitch alone: the *second* hierarchy's outputs, which ship.

What is ours is how it begins: each note looks at its harmonics (``tonotopy``), and nothing sounds.

Parts 1 to 4 know one frame and its margin only: ``local``, which the live engine computes once a
frame and keeps. As the style enters at 3, what is kept belongs to one style; an engine begins again
when the style changes. Part 5 mixes the window: ``mix``.

Shapes: B batch, n frames, T frames of the window, m margin, F mel bins, P = 88 pitches, H hidden,
V = 128 velocity classes, of which 0 is "no note".
"""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.spec import N_PITCHES, STYLE_DIM
from models.streaming import StyleGate
from models.tonotopy import compare_as_they_are, places_of_bins, places_of_notes

OUTPUTS = ("onset", "frame", "velocity")
PLACE = 3.0  # initial weight of a bin's position against its content
SHARES = (0.01, 0.01, 0.05)  # of onset, offset and frame cells that hold a note, about


@dataclass(frozen=True, slots=True)
class HftConfig:
    """Sizes of the network, for features of ``models.features.MEL_HFT``; defaults of the papers.

    ``n_frames`` is the window: 128 in hFT, 512 in AMT-APC. Without ``has_style`` it is hFT itself.
    """

    n_frames: int = 512
    has_style: bool = True
    n_bins: int = 256
    margin_frames: int = 32
    conv_channels: int = 4
    conv_frames: int = 5
    hidden: int = 256
    feed_forward: int = 512
    n_heads: int = 4
    n_encoder_layers: int = 3
    n_decoder_layers: int = 3  # the first of them has no self-attention
    n_time_layers: int = 3
    n_velocities: int = 128
    dropout: float = 0.1
    f_max: float = 8000.0  # Hz, of the mel bins
    feature_mean: float = -4.6
    feature_scale: float = 2.8

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)


HFT_128 = HftConfig(n_frames=128, has_style=False)
HFT_512 = HftConfig(has_style=False)
AMT_APC = HftConfig()
SMALL = HftConfig(
    hidden=64,
    feed_forward=128,
    n_heads=2,  # the softmax over 256 bins is the larger part of the work
    n_encoder_layers=1,
    n_decoder_layers=2,
    n_time_layers=1,
    dropout=0.0,
)
"""What two laptop cores can train; same windows, features and targets.

No dropout: on a CPU its random numbers cost three times the arithmetic.
"""


class Matrices(NamedTuple):
    """Logits of one hierarchy: (B, T, P) each, velocity (B, T, P, V)."""

    onset: Tensor
    offset: Tensor
    frame: Tensor
    velocity: Tensor


class Attention(nn.Module):
    """Multi-head attention of a query (N, L, H) to a memory (N, S, H)."""

    def __init__(self, c: HftConfig) -> None:
        super().__init__()
        self.n_heads, self.dropout = c.n_heads, c.dropout
        self.query = nn.Linear(c.hidden, c.hidden)
        self.key = nn.Linear(c.hidden, c.hidden)
        self.value = nn.Linear(c.hidden, c.hidden)
        self.out = nn.Linear(c.hidden, c.hidden)

    def forward(self, query: Tensor, memory: Tensor) -> Tensor:
        """Return (N, L, H)."""
        q, k, v = (
            x.reshape(*x.shape[:2], self.n_heads, -1).transpose(1, 2)
            for x in (self.query(query), self.key(memory), self.value(memory))
        )
        dropout = self.dropout if self.training else 0.0
        x = functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        out: Tensor = self.out(x.transpose(1, 2).flatten(2))
        return out


class Layer(nn.Module):
    """Self-attention, attention to a memory, feed-forward; each may be left out but the last.

    One LayerNorm is shared by all sublayers, as in the authors' code.
    """

    def __init__(self, c: HftConfig, has_self: bool = True, has_memory: bool = False) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(c.hidden)
        self.to_itself = Attention(c) if has_self else None
        self.to_memory = Attention(c) if has_memory else None
        self.feed_forward = nn.Sequential(
            nn.Linear(c.hidden, c.feed_forward),
            nn.ReLU(),
            nn.Dropout(c.dropout),
            nn.Linear(c.feed_forward, c.hidden),
        )
        self.dropout = nn.Dropout(c.dropout)

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        """Return x (N, L, H) one layer on."""
        if self.to_itself is not None:
            x = self.norm(x + self.dropout(self.to_itself(x, x)))
        if self.to_memory is not None:
            x = self.norm(x + self.dropout(self.to_memory(x, memory)))
        x = self.norm(x + self.dropout(self.feed_forward(x)))
        return x


class Heads(nn.Module):
    """One linear map from a pitch's vector to its four outputs, which begin as rare as they are."""

    def __init__(self, c: HftConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(c.hidden, 3 + c.n_velocities)
        first = torch.zeros(3 + c.n_velocities)
        first[:3] = torch.logit(torch.tensor(SHARES))
        first[3] = math.log((1 - SHARES[0]) / SHARES[0] * (c.n_velocities - 1))  # no note
        self.linear.bias.data = first

    def forward(self, x: Tensor) -> Matrices:
        """Return logits of x (B, T, P, H)."""
        y = self.linear(x)
        return Matrices(y[..., 0], y[..., 1], y[..., 2], y[..., 3:])


class Hft(nn.Module):
    """``local`` then ``mix``; the exporter writes each as a graph of its own."""

    def __init__(self, config: HftConfig) -> None:
        super().__init__()
        self.config = c = config
        kept = 2 * c.margin_frames + 1 - (c.conv_frames - 1)
        self.around = nn.Conv2d(1, c.conv_channels, (c.conv_frames, 1))
        # The authors' linear layer over channels and frames, as the convolution that it is.
        self.embed = nn.Conv2d(c.conv_channels, c.hidden, (kept, 1))
        bins = places_of_bins(c.n_bins, c.f_max, c.hidden, c.n_heads)
        self.bin_place = nn.Parameter(PLACE * bins)
        self.encoder = nn.ModuleList(Layer(c) for _ in range(c.n_encoder_layers))
        self.style_gate = StyleGate(c.hidden) if c.has_style else None
        self.notes = nn.Parameter(places_of_notes(c.hidden, c.n_heads))
        self.decoder = nn.ModuleList(
            Layer(c, has_self=k > 0, has_memory=True) for k in range(c.n_decoder_layers)
        )
        attention = self._first_attention()
        compare_as_they_are(attention.query, attention.key)
        self.first = Heads(c)
        self.time_place = nn.Parameter(torch.randn(c.n_frames, c.hidden))
        self.time = nn.ModuleList(Layer(c) for _ in range(c.n_time_layers))
        self.second = Heads(c)
        self.dropout = nn.Dropout(c.dropout)
        if self.style_gate is not None:
            # The gate begins nearly open, so that weights learned without it still apply.
            last = self.style_gate.gate[2]
            assert isinstance(last, nn.Linear)
            nn.init.constant_(last.bias, 2.0)

    def forward(self, features: Tensor, style: Tensor) -> tuple[Matrices, Matrices]:
        """Return both hierarchies for features (B, T + 2 m, F) and a style (B, 24)."""
        embedding = self.local(features, style)
        return self.first(embedding), self.second(self._over_time(embedding))

    @torch.no_grad()
    def place_at_random(self) -> None:
        """Let bins and notes begin at random places, as the papers' do, to compare with."""
        self.bin_place.normal_()
        self.notes.normal_()
        attention = self._first_attention()
        attention.query.reset_parameters()
        attention.key.reset_parameters()

    def _first_attention(self) -> Attention:
        """Return the cross-attention from notes to bins."""
        attention = self.decoder[0].to_memory
        assert isinstance(attention, Attention)
        return attention

    def local(self, features: Tensor, style: Tensor) -> Tensor:
        """Return the embedding (B, n, P, H) of features (B, n + 2 m, F) in a style (B, 24)."""
        scale = self.config.hidden**0.5
        features = (features - self.config.feature_mean) / self.config.feature_scale
        x = self.embed(self.around(features[:, None]))  # (B, H, n, F)
        x = x.permute(0, 2, 3, 1).flatten(0, 1)  # (B n, F, H)
        x = self.dropout(x * scale + self.bin_place)
        for layer in self.encoder:
            x = layer(x)
        if self.style_gate is not None:
            x = x.reshape(features.shape[0], -1, *x.shape[1:])
            x = self.style_gate(x, style).flatten(0, 1)
        y = self.notes.expand(x.shape[0], -1, -1)
        for layer in self.decoder:
            y = layer(y, x)
        return y.reshape(features.shape[0], -1, *y.shape[1:])

    def mix(self, embedding: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Return logits {name: (B, T, P)} of the second hierarchy, as an engine decodes them.

        The sigmoid of ``velocity`` is the expected velocity of a note, over 127, given that there
        is one. The papers' decoder drops a note whose likeliest class is 0, "no note"; 127 classes
        share the evidence for a note, and until one of them stands out that would drop everything,
        so here the onset and its threshold decide alone. The style enters in ``local``.
        """
        second = self.second(self._over_time(embedding))
        chance = torch.softmax(second.velocity[..., 1:], -1)
        classes = torch.arange(1, chance.shape[-1] + 1, dtype=chance.dtype, device=chance.device)
        expected = (chance @ classes) / len(classes)
        return {
            "onset": second.onset,
            "frame": second.frame,
            "velocity": torch.logit(expected, eps=1e-4),
        }

    def _over_time(self, embedding: Tensor) -> Tensor:
        """Return the embedding (B, T, P, H) after the layers over time, T at most ``n_frames``."""
        scale = self.config.hidden**0.5
        x: Tensor = embedding.transpose(1, 2).flatten(0, 1)  # (B P, T, H)
        x = self.dropout(x * scale + self.time_place[: embedding.shape[1]])
        for layer in self.time:
            x = layer(x)
        return x.reshape(embedding.shape[0], N_PITCHES, *x.shape[1:]).transpose(1, 2)


def extended(network: Hft, n_frames: int | None = None, has_style: bool | None = None) -> Hft:
    """Return a network with a longer window or a style gate that begins with another's weights.

    The places of the longer window repeat those that are known (the papers leave them to a short
    further training); a gate is new. Neither network shares memory with the other.

    Raises
    ------
    ValueError
        If the window is to become shorter, or a gate is to be taken away.
    """
    old = network.config
    new = replace(
        old,
        n_frames=old.n_frames if n_frames is None else n_frames,
        has_style=old.has_style if has_style is None else has_style,
    )
    if new.n_frames < old.n_frames or (old.has_style and not new.has_style):
        raise ValueError(f"cannot extend {old} to {new}: a window may only grow, a gate only come")
    other = Hft(new)
    weights = dict(network.state_dict())
    repeats = -(-new.n_frames // old.n_frames)
    weights["time_place"] = weights["time_place"].repeat(repeats, 1)[: new.n_frames]
    fresh = {k: v for k, v in other.state_dict().items() if k.startswith("style_gate.")}
    other.load_state_dict({**fresh, **weights})
    return other


def silent_style(batch: int, device: torch.device | str = "cpu") -> Tensor:
    """Return a style (batch, 24) of zeros, for a network without a gate."""
    return torch.zeros(batch, STYLE_DIM, device=device)
