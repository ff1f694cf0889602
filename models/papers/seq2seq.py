"""Paper 3's Transformers as settings of one network: the paper's, which fail, and one that works.

"Neural Music Transcription with Spatiotemporal Vision Models" (Sharma and Xiao, 2022), section 2.4
and appendix A. ``seq2seq`` is the Transformer of Vaswani et al. (2017) with two blocks on either
side and 200 hidden units, its decoder fed the true roll a frame late; ``blind`` feeds the decoder
nothing but positions; ``encoder`` has no decoder and a convolution over time at its end. All of
them came to a constant output. What the paper leaves open (width, heads, positions, how features
are scaled) is a setting here, so that the causes can be tested one at a time.

Left out is the paper's iterative training (A.2): its graph did not fit, and what it came down to,
copying the last frame, is what ``seq2seq`` shows.

Shapes: B batch, T frames, F mel bins, W width, P = 88 pitches.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from models.prior import init_bias
from models.spec import N_PITCHES

Kind = Literal["seq2seq", "blind", "encoder"]


@dataclass(frozen=True, slots=True)
class TransformerConfig:
    """Sizes and settings; the defaults are the paper's, or the plainest where it gives none."""

    kind: Kind = "seq2seq"
    n_bins: int = 229
    width: int = 128
    n_heads: int = 4
    n_layers: int = 2
    feed_forward: int = 200
    dropout: float = 0.1
    is_scaled: bool = False  # features to a mean of 0 and a spread of 1 before anything else
    feature_mean: float = -5.0
    feature_scale: float = 4.0
    has_stem: bool = False  # convolutions over time and frequency before attention
    stem_channels: int = 8
    norm_first: bool = False  # layers normalise what they read, not what they write
    first_probability: float = 0.5  # of a key to sound, before anything is learned

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)


def sinusoids(n_frames: int, width: int) -> Tensor:
    """Return positions (T, W) as sines and cosines (Vaswani et al., section 3.5)."""
    at = torch.arange(n_frames)[:, None]
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    positions = torch.zeros(n_frames, width)
    positions[:, 0::2], positions[:, 1::2] = torch.sin(at * rate), torch.cos(at * rate)
    return positions


class Stem(nn.Module):
    """Convolutions over a few frames and bins before attention: (B, T, F) to (B, T, W)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        c = config.stem_channels
        self.first = nn.Conv2d(1, c, (3, 5), (1, 2), (1, 2))
        self.first_norm = nn.BatchNorm2d(c)
        self.second = nn.Conv2d(c, c, 3, (1, 2), 1)
        self.second_norm = nn.BatchNorm2d(c)
        self.gather = nn.Linear(c * ((config.n_bins + 3) // 4), config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the embedding of features."""
        x = torch.relu(self.first_norm(self.first(x[:, None])))
        x = torch.relu(self.second_norm(self.second(x)))
        return torch.as_tensor(self.gather(x.transpose(1, 2).flatten(2)))


class Transformer(nn.Module):
    """Features (B, T, F) -> logits (B, T, P), by any of the three kinds."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        layer: dict[str, Any] = {
            "d_model": config.width,
            "nhead": config.n_heads,
            "dim_feedforward": config.feed_forward,
            "dropout": config.dropout,
            "batch_first": True,
            "norm_first": config.norm_first,
        }
        self.embed = Stem(config) if config.has_stem else nn.Linear(config.n_bins, config.width)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**layer),
            config.n_layers,
            norm=nn.LayerNorm(config.width) if config.norm_first else None,
            enable_nested_tensor=False,
        )
        self.decoder: nn.TransformerDecoder | None = None
        if config.kind != "encoder":
            self.decoder = nn.TransformerDecoder(
                nn.TransformerDecoderLayer(**layer),
                config.n_layers,
                norm=nn.LayerNorm(config.width) if config.norm_first else None,
            )
        self.embed_roll = nn.Linear(N_PITCHES, config.width) if config.kind == "seq2seq" else None
        kernel = 3 if config.kind == "encoder" else 1
        self.head = nn.Conv1d(config.width, N_PITCHES, kernel, padding=kernel // 2)
        if config.first_probability != 0.5:
            init_bias(self.head, config.first_probability)

    def encode(self, features: Tensor) -> Tensor:
        """Return the encoder's output for features, (B, T, W)."""
        if self.config.is_scaled:
            features = (features - self.config.feature_mean) / self.config.feature_scale
        x = self.embed(features)
        places = sinusoids(x.shape[1], self.config.width).to(x)
        return torch.as_tensor(self.encoder(x + places))

    def decode(self, memory: Tensor, roll: Tensor | None = None) -> Tensor:
        """Return logits (B, S, P) of the frames that follow those of a roll (B, S - 1, P).

        Only ``seq2seq`` reads the roll; the others decode all frames of the memory (B, T, W).
        """
        x = memory
        if self.decoder is not None:
            places = sinusoids(memory.shape[1], self.config.width).to(memory)
            if self.embed_roll is None:
                x = self.decoder(places.expand_as(memory), memory)
            else:
                assert roll is not None
                before = torch.cat([memory.new_zeros(len(memory), 1, N_PITCHES), roll], 1)
                n = before.shape[1]
                mask = nn.Transformer.generate_square_subsequent_mask(n, device=memory.device)
                x = self.embed_roll(before) + places[:n]
                x = self.decoder(x, memory, tgt_mask=mask, tgt_is_causal=True)
        return torch.as_tensor(self.head(x.transpose(1, 2)).transpose(1, 2))

    def forward(self, features: Tensor, roll: Tensor) -> Tensor:
        """Return logits (B, T, P) with teacher forcing: the true roll (B, T, P), a frame late."""
        return self.decode(self.encode(features), roll[:, :-1])

    @torch.no_grad()
    def generate(self, features: Tensor) -> Tensor:
        """Return logits (B, T, P), autoregressively: a decoder reads its own outputs."""
        memory = self.encode(features)
        if self.embed_roll is None:
            return self.decode(memory)
        n_frames = memory.shape[1]
        roll = memory.new_zeros(len(memory), 0, N_PITCHES)
        logits = memory.new_zeros(len(memory), 0, N_PITCHES)
        for _ in range(n_frames):
            last = self.decode(memory, roll)[:, -1:]
            logits = torch.cat([logits, last], 1)
            roll = torch.cat([roll, (last > 0).to(roll)], 1)
        return logits
