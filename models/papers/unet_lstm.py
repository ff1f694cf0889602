"""Paper 2's network: a U-Net over the CQT, a bidirectional LSTM and a linear layer to the keys.

"Transfer of knowledge among instruments in automatic music transcription" (Leś and Woźniak, 2023),
figure 1, which takes the transcriber of Cheuk et al., "The effect of spectrogram reconstruction on
automatic music transcription" (ICPR 2021). Sizes are those of their code; where that has a
perceptron of four layers at the end, here is the linear layer that the paper has.

Shapes: B batch, T frames, F = 176 bins, C channels, P = 88 pitches. It is
bidirectional: for files, not for a live stream.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.prior import init_bias
from models.spec import N_PITCHES

FIRST_PROBABILITY = 0.05  # of a key to sound; ours, theirs begins at one half


@dataclass(frozen=True, slots=True)
class UnetLstmConfig:
    """Sizes of the network; the paper's."""

    n_bins: int = 176
    channels: tuple[int, ...] = (16, 32, 64, 128)
    hidden: int = 176

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self) | {"channels": list(self.channels)}


class Down(nn.Module):
    """A residual block and a convolution that halves both axes; (B, C, T, F) to half of it."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, padding=1)
        self.first_norm = nn.BatchNorm2d(out)
        self.second = nn.Conv2d(out, out, 3, padding=1)
        self.second_norm = nn.BatchNorm2d(out)
        self.around = nn.Conv2d(channels, out, 1)
        self.halve = nn.Conv2d(out, out, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output at half the size."""
        y = functional.leaky_relu(self.first_norm(self.first(x)))
        y = functional.leaky_relu(self.second_norm(self.second(y)))
        return torch.as_tensor(self.halve(y + self.around(x)))


class Up(nn.Module):
    """Doubles both axes, concatenates the skip connection of that size, and mixes the two."""

    def __init__(self, channels: int, skip: int, out: int) -> None:
        super().__init__()
        both = channels + skip
        self.widen = nn.ConvTranspose2d(channels, channels, 2, stride=2)
        self.skip = nn.Conv2d(skip, skip, 3, padding=1) if skip else None
        self.first = nn.Conv2d(both, both // 2, 3, padding=1)
        self.first_norm = nn.BatchNorm2d(both // 2)
        self.second = nn.Conv2d(both // 2, out, 3, padding=1)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        """Return the block's output at twice the size, its last layer linear."""
        x = self.widen(x)
        if self.skip is not None and skip is not None:
            x = torch.cat([x, self.skip(skip)], 1)
        x = functional.leaky_relu(self.first_norm(self.first(x)))
        return torch.as_tensor(self.second(x))


class UnetLstm(nn.Module):
    """Log magnitudes (B, T, F) -> logits of what sounds (B, T, P)."""

    def __init__(self, config: UnetLstmConfig) -> None:
        super().__init__()
        self.config = config
        sizes = config.channels
        self.down = nn.ModuleList(
            Down(before, size) for before, size in zip((1, *sizes), sizes, strict=False)
        )
        self.up = nn.ModuleList(
            Up(sizes[k], sizes[k - 1] if k else 0, sizes[k - 1] if k else 1)
            for k in reversed(range(len(sizes)))
        )
        self.up_norms = nn.ModuleList(nn.BatchNorm2d(size) for size in reversed(sizes[:-1]))
        self.lstm = nn.LSTM(config.n_bins, config.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * config.hidden, N_PITCHES)
        init_bias(self.head, FIRST_PROBABILITY)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits; as in the paper's code each item is first scaled to 0 to 1."""
        n_frames = features.shape[1]
        low, high = features.amin((1, 2), keepdim=True), features.amax((1, 2), keepdim=True)
        x = (features - low) / (high - low).clamp(min=1e-6)
        least = 2 ** len(self.down)
        x = functional.pad(x, (0, 0, 0, -n_frames % least))[:, None]
        maps = []
        for down in self.down:
            x = down(x)
            maps.append(x)
        skips = [*reversed(maps[:-1]), None]
        for k, (up, skip) in enumerate(zip(self.up, skips, strict=True)):
            x = up(x, skip)
            if k < len(self.up_norms):
                x = functional.leaky_relu(self.up_norms[k](x))
        x = torch.sigmoid(x[:, 0, :n_frames])
        return torch.as_tensor(self.head(self.lstm(x)[0]))
