"""A small cover network of the window kind: 512 frames at every step, no state.

The shape of AMT-APC (Komiya and Fukuhara, 2024) at a laptop's size: a local stage that looks at a
few frames around each one, which the engine computes once and keeps, and a stage that mixes time
by self-attention over the window, which runs again at every step.

Shapes: B batch, n frames, W = 512 window frames, F bins, P = 88 pitches, C channels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.spec import N_PITCHES
from models.streaming import StyleGate

OUTPUTS = ("onset", "frame", "velocity")
LOCAL_MARGIN_FRAMES = 4


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """Sizes of the network, for features of ``models.features.LOG_STFT_16K``."""

    n_bins: int = 291
    bins_per_semitone: int = 3
    window_frames: int = 512
    channels: int = 16
    width: int = 128
    n_layers: int = 2
    n_heads: int = 4
    feature_mean: float = -1.5
    feature_scale: float = 2.0


class WindowCover(nn.Module):
    """``local`` then ``mix``; the exporter writes each as a graph of its own."""

    def __init__(self, config: WindowConfig) -> None:
        super().__init__()
        self.config = config
        c = config.channels
        frames = LOCAL_MARGIN_FRAMES + 1  # two layers, each looking half the margin to either side
        self.spectrum = nn.Conv2d(1, c, (frames, 7), (1, config.bins_per_semitone), (0, 2))
        self.around = nn.Conv2d(c, c, (frames, 3), padding=(0, 1))
        self.place = nn.Parameter(0.02 * torch.randn(config.window_frames, config.width))
        self.gather = nn.Linear(N_PITCHES * c, config.width)
        layer = nn.TransformerEncoderLayer(
            config.width, config.n_heads, 2 * config.width, dropout=0.1, batch_first=True
        )
        self.time = nn.TransformerEncoder(layer, config.n_layers, enable_nested_tensor=False)
        self.spread = nn.Linear(config.width, N_PITCHES * c)
        self.style_gate = StyleGate(c)
        self.head = nn.Linear(c, len(OUTPUTS))

    def local(self, features: Tensor) -> Tensor:
        """Return the embedding (B, n, P, C) of features (B, n + 2 * margin, F)."""
        x = (features - self.config.feature_mean) / self.config.feature_scale
        x = torch.relu(self.spectrum(x[:, None]))
        x = torch.relu(self.around(x))[..., :N_PITCHES]
        return x.permute(0, 2, 3, 1)

    def mix(self, embedding: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Return logits {name: (B, W, P)} of an embedding (B, W, P, C) and a style (B, 24)."""
        x = self.time(self.gather(embedding.flatten(2)) + self.place)
        hint = self.spread(x).reshape(embedding.shape)
        logits = self.head(torch.relu(self.style_gate(embedding, style) + hint))
        return {name: logits[..., k] for k, name in enumerate(OUTPUTS)}
