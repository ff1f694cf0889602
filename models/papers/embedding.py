"""Snippets of sound and of score in one space, and a decoder from that space to a score.

"Automatic transcription using embedding latent space" (Dias Neto et al.), after Dorfer et al.,
"Learning Audio-Sheet Music Correspondences" (TISMIR 1, 2018). Two convolutional networks of one
shape, of which only the input differs:

1. blocks of two 3x3 convolutions, each with batch normalisation and ELU, then 2x2 max pooling;
2. a 1x1 convolution to the embedding's dimensions, normalised, linear;
3. the average over the whole map (``head="average"``, as printed). Pitch enters only by what
   the padding of the borders lets through, so ``head="register"`` averages over time alone and
   lets a linear layer read the pitch axis; that is ours.

The paper's future work: the score network becomes a variational encoder, and a decoder writes the
piano roll from the latent space. Likeness is a cosine, so a latent means its direction: the
decoder reads it at the length sqrt(D), where a standard normal of D dimensions has its mass, and
so can decode the sound's embedding as well.

Shapes: B batch, P = 128 pitches, C columns of the roll, F bins and T frames of the sound, D
dimensions of the embedding. Not here: rolls, spectra and the loss
(``offline_train.studies.matching``).
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

ROLL_PITCHES = 128
Head = Literal["average", "register"]


@dataclass(frozen=True, slots=True)
class EmbeddingConfig:
    """Sizes of the networks; the defaults are the paper's Table 1."""

    n_columns: int = 96  # four beats of 24
    n_bins: int = 128
    n_frames: int = 167
    channels: tuple[int, ...] = (24, 48, 96, 96)
    dims: int = 32
    head: Head = "average"
    is_variational: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return {**asdict(self), "channels": list(self.channels)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "EmbeddingConfig":
        """Return the sizes that a checkpoint holds."""
        return cls(**{**values, "channels": tuple(values["channels"])})


class Encoder(nn.Module):
    """An image (B, height, width) -> ``n_out`` numbers (B, n_out)."""

    def __init__(self, height: int, channels: tuple[int, ...], n_out: int, head: Head) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for width in channels:
            for source in (before, width):
                layers += [nn.Conv2d(source, width, 3, padding=1, bias=False)]
                layers += [nn.BatchNorm2d(width), nn.ELU()]
            layers.append(nn.MaxPool2d(2))
            before = width
        layers += [nn.Conv2d(before, n_out, 1, bias=False), nn.BatchNorm2d(n_out)]
        self.body = nn.Sequential(*layers)
        rows = height >> len(channels)
        self.read = nn.Linear(n_out * rows, n_out) if head == "register" else None

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, n_out)."""
        maps: Tensor = self.body(image[:, None])
        if self.read is None:
            return maps.mean((2, 3))
        out: Tensor = self.read(maps.mean(3).flatten(1))
        return out


class RollDecoder(nn.Module):
    """An embedding (B, D) -> logits of a roll (B, P, C): the score network's blocks, mirrored."""

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__()
        widths = config.channels[::-1]
        scale = 2 ** len(widths)
        self.first = (widths[0], ROLL_PITCHES // scale, -(-config.n_columns // scale))
        self.n_columns = config.n_columns
        self.spread = nn.Linear(config.dims, self.first[0] * self.first[1] * self.first[2])
        layers: list[nn.Module] = []
        for before, width in zip(widths, (*widths[1:], widths[-1]), strict=True):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(before, width, 3, padding=1)]
            layers += [nn.BatchNorm2d(width), nn.ELU()]
        self.body = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 3, padding=1))
        last = self.body[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.constant_(last.bias, -4.0)  # as rare as sounding cells are

    def forward(self, embedding: Tensor) -> Tensor:
        """Return logits (B, P, C) of embeddings of any length (see the module)."""
        x = functional.elu(self.spread(on_sphere(embedding)))
        x = x.view(-1, *self.first)
        roll: Tensor = self.body(x)[:, 0, :, : self.n_columns]
        return roll


def on_sphere(embedding: Tensor) -> Tensor:
    """Return embeddings (B, D) of their own direction and the length sqrt(D)."""
    direction: Tensor = functional.normalize(embedding, dim=1)
    return direction * float(embedding.shape[1] ** 0.5)


class JointEmbedding(nn.Module):
    """The two networks, and the decoder if it is variational."""

    def __init__(self, config: EmbeddingConfig) -> None:
        super().__init__()
        self.config = config
        of_score = config.dims * (2 if config.is_variational else 1)
        self.score = Encoder(ROLL_PITCHES, config.channels, of_score, config.head)
        self.sound = Encoder(config.n_bins, config.channels, config.dims, config.head)
        self.decoder = RollDecoder(config) if config.is_variational else None

    def embed_score(self, rolls: Tensor) -> Tensor:
        """Return embeddings (B, D) of rolls (B, P, C): the mean, if it is variational."""
        return self.posterior(rolls)[0]

    def embed_sound(self, spectra: Tensor) -> Tensor:
        """Return embeddings (B, D) of spectra (B, F, T), as ``matching.views`` makes them."""
        out: Tensor = self.sound(spectra)
        return out

    def posterior(self, rolls: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance (B, D) of rolls (B, P, C); without decoder, no variance."""
        out: Tensor = self.score(rolls)
        mean, log_variance = out[:, : self.config.dims], out[:, self.config.dims :]
        if not self.config.is_variational:
            return mean, torch.full_like(mean, -torch.inf)
        return mean, log_variance.clamp(-8, 4)
