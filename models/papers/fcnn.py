"""Paper 3's fully convolutional network: a spectrogram as an image, to a piano roll.

"Neural Music Transcription with Spatiotemporal Vision Models" (Sharma and Xiao, 2022), section 2.2:
a U-Net over the log mel spectrogram whose blocks are residual, with a convolution over time at its
end. The CRNN (``models.papers.crnn``) has the same backbone and a GRU instead. The paper gives
321,544 and 384,552 parameters and no sizes; ours were chosen to give nearly as many, 321,537 and
384,561.

Two things differ on purpose. The U-Net halves the axis of frequency alone, and its convolutions
over time are not padded, so that each row of the roll depends on a fixed number of frames around
it: streaming then equals offline. And where the paper's code has its
normalisation commented out and tanh under the name of ReLU, here are both as the paper has them.

Shapes: B batch, n frames, m = margin frames, F = 229 mel bins, C channels, D features, P = 88.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.spec import N_PITCHES

MARGIN_FRAMES = 11  # of the backbone, to either side


@dataclass(frozen=True, slots=True)
class VisionConfig:
    """Sizes of both networks; ``channels`` from the finest scale of frequency to the coarsest."""

    n_bins: int = 229
    channels: tuple[int, int, int] = (16, 32, 80)
    out_channels: int = 10
    width: int = 89
    hidden: int = 120  # of the CRNN's GRU
    feature_mean: float = -5.0
    feature_scale: float = 4.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self) | {"channels": list(self.channels)}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "VisionConfig":
        """Return the configuration that ``to_dict`` made plain."""
        return cls(**(plain | {"channels": tuple(plain["channels"])}))


def within(x: Tensor, like: Tensor) -> Tensor:
    """Return the middle frames of x (B, C, n + 2 k, F), as many as ``like`` has."""
    edge = (x.shape[2] - like.shape[2]) // 2
    return x[:, :, edge : x.shape[2] - edge]


class Residual(nn.Module):
    """Two convolutions and a way around them; (B, C, n + 4, F) to (B, C', n, F)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, padding=(0, 1))
        self.first_norm = nn.BatchNorm2d(out)
        self.second = nn.Conv2d(out, out, 3, padding=(0, 1))
        self.second_norm = nn.BatchNorm2d(out)
        self.around = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, four frames shorter."""
        y = torch.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        return torch.relu(y + self.around(within(x, y)))


class Backbone(nn.Module):
    """Features (B, n + 2 m, F) -> (B, n, D): the U-Net, its last image flattened."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        fine, middle, coarse = config.channels
        sizes = [config.n_bins]
        while len(sizes) < 4:
            sizes.append((sizes[-1] + 1) // 2)
        self.stem = nn.Conv2d(1, fine, (3, 5), (1, 2), (0, 2))
        self.stem_norm = nn.BatchNorm2d(fine)
        self.at_fine = Residual(fine, fine)
        self.to_middle = nn.Conv2d(fine, middle, (1, 3), (1, 2), (0, 1))
        self.at_middle = Residual(middle, middle)
        self.to_coarse = nn.Conv2d(middle, coarse, (1, 3), (1, 2), (0, 1))
        self.at_coarse = Residual(coarse, coarse)
        self.up_to_middle = _widen(coarse, middle, sizes[3], sizes[2])
        self.back_at_middle = Residual(2 * middle, middle)
        self.up_to_fine = _widen(middle, fine, sizes[2], sizes[1])
        self.back_at_fine = Residual(2 * fine, fine)
        self.thin = nn.Conv2d(fine, config.out_channels, 1)
        self.gather = nn.Linear(config.out_channels * sizes[1], config.width)

    def forward(self, features: Tensor) -> Tensor:
        """Return what the heads read, (B, n, D)."""
        x = (features - self.config.feature_mean) / self.config.feature_scale
        fine = self.at_fine(torch.relu(self.stem_norm(self.stem(x[:, None]))))
        middle = self.at_middle(torch.relu(self.to_middle(fine)))
        coarse = self.at_coarse(torch.relu(self.to_coarse(middle)))
        x = torch.relu(self.up_to_middle(coarse))
        x = self.back_at_middle(torch.cat([x, within(middle, x)], 1))
        x = torch.relu(self.up_to_fine(x))
        x = self.back_at_fine(torch.cat([x, within(fine, x)], 1))
        x = torch.relu(self.thin(x)).transpose(1, 2).flatten(2)
        return torch.relu(self.gather(x))


def _widen(channels: int, out: int, size: int, wanted: int) -> nn.ConvTranspose2d:
    """Return the convolution that takes ``size`` bins to ``wanted``, twice as many or one less."""
    return nn.ConvTranspose2d(
        channels, out, (1, 3), (1, 2), (0, 1), output_padding=(0, wanted - 2 * size + 1)
    )


class Fcnn(nn.Module):
    """The backbone and a convolution over three frames; ``roll`` is all there is."""

    margin_frames = MARGIN_FRAMES + 1

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.head = nn.Conv1d(config.width, N_PITCHES, 3)

    def init_hidden(self, batch: int) -> Tensor:
        """Return an empty state (1, B, 0): this network has none."""
        return torch.zeros(1, batch, 0)

    def roll(self, features: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (B, n, P) of features (B, n + 2 m, F), and ``hidden`` as it was."""
        logits = self.head(self.backbone(features).transpose(1, 2)).transpose(1, 2)
        return logits, hidden
