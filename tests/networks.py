"""Tiny networks of both kinds, in torch; ``tests/tiny.py`` has their specs.

Shapes as the contract says: features (B, T, F), style (B, 24), logits (B, T, 88).
"""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from models.hft import HftConfig
from models.spec import N_PITCHES, STYLE_DIM, ModelSpec
from offline_train.exporting.export import export_frontend, export_stateful, export_window
from tests.tiny import TINY_FEATURES, TINY_STATEFUL, TINY_WINDOW

TINY_HFT = HftConfig(
    n_frames=24,
    hidden=16,
    feed_forward=32,
    n_heads=2,
    n_encoder_layers=1,
    n_decoder_layers=2,
    n_time_layers=1,
)


class TinyStateful(nn.Module):
    """A strided convolution with a tail that starts in silence, a GRU for each pitch, heads."""

    def __init__(self, spec: ModelSpec = TINY_STATEFUL) -> None:
        super().__init__()
        self.silence = math.log(spec.features.log_floor)
        self.n_bins = spec.features.n_bins
        self.outputs = spec.outputs
        self.spectrum = nn.Conv1d(self.n_bins, 2 * N_PITCHES, 4, stride=2)
        self.style = nn.Linear(STYLE_DIM, 4)
        self.gru = nn.GRU(2, 4, batch_first=True)
        self.head = nn.Linear(4, 2 * len(spec.outputs))

    def init_state(self, batch: int) -> dict[str, Tensor]:
        """Return a tail of two silent frames and a GRU at rest."""
        return {
            "tail": torch.full((batch, 2, self.n_bins), self.silence),
            "gru": torch.zeros(1, batch * N_PITCHES, 4),
        }

    def forward(
        self, features: Tensor, style: Tensor, state: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return logits and the next state."""
        batch = features.shape[0]
        x = torch.cat([state["tail"], features], 1)
        tail = x[:, -2:]
        x = torch.relu(self.spectrum(x.transpose(1, 2)))  # (B, 176, T / 2)
        x = x.reshape(batch * N_PITCHES, 2, -1).transpose(1, 2)
        x, gru = self.gru(x, state["gru"])
        x = x.reshape(batch, N_PITCHES, -1, 4) + self.style(style)[:, None, None]
        x = self.head(x).reshape(batch, N_PITCHES, -1, len(self.outputs))  # (B, 88, T, outputs)
        logits = 3 * x.transpose(1, 2)
        return {n: logits[..., k] for k, n in enumerate(self.outputs)}, {"tail": tail, "gru": gru}


class TinyWindow(nn.Module):
    """A convolution over two frames to either side; attention and places that mix the window."""

    def __init__(self, spec: ModelSpec = TINY_WINDOW) -> None:
        super().__init__()
        self.outputs = spec.outputs
        self.conv: nn.Module = nn.Conv1d(spec.features.n_bins, 8, 2 * spec.local_margin_frames + 1)
        self.place = nn.Parameter(torch.randn(spec.window_frames, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.style = nn.Linear(STYLE_DIM, 8)
        self.head = nn.Linear(8, N_PITCHES * len(spec.outputs))

    def local(self, features: Tensor) -> Tensor:
        """Return the embedding (B, n, 2, 4) of features (B, n + 4, F)."""
        x = torch.tanh(self.conv(features.transpose(1, 2))).transpose(1, 2)
        return x.reshape(x.shape[0], -1, 2, 4)

    def mix(self, embedding: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Return logits (B, W, 88) of an embedding (B, W, 2, 4)."""
        x = embedding.flatten(2) + self.place + self.style(style)[:, None]
        x = x + self.attention(x, x, x, need_weights=False)[0]
        logits = self.head(x).unflatten(2, (len(self.outputs), N_PITCHES))
        return {name: logits[:, :, k] for k, name in enumerate(self.outputs)}


def tiny_stateful() -> TinyStateful:
    """Return the network that the file ``tiny.onnx`` holds."""
    torch.manual_seed(1)
    return TinyStateful().eval()


def tiny_window() -> TinyWindow:
    """Return the network that the file ``tiny-window.onnx`` holds."""
    torch.manual_seed(2)
    return TinyWindow().eval()


def export_tiny_models(folder: Path) -> None:
    """Write both models and their front end into a folder, as they lie in ``tests/tiny_models``."""
    export_frontend(TINY_FEATURES, folder)
    export_stateful(tiny_stateful(), TINY_STATEFUL, folder / "tiny.onnx")
    export_window(tiny_window(), TINY_WINDOW, folder / "tiny-window.onnx")
