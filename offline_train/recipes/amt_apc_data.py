"""Crops with the targets of hFT (``amt_apc_loss``); ``data.sampler`` makes the crops.

A crop of T frames has 32 more frames of sound to either side.
"""

from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.spec import FeatureSpec
from offline_train.data.sampler import PieceSampler, draw_crop
from offline_train.data.shards import StoredPiece
from offline_train.data.style import style_vector
from offline_train.recipes.amt_apc_loss import Targets, targets_of
from offline_train.synthesis.mixing import audible

Array = NDArray[np.float32]

Target = Literal["transcribe", "cover"]
COLUMN = {"transcribe": "score", "cover": "notes"}
MAX_BEND = 2  # semitones, which a tape's speed makes of it: tempo changes by the same ratio


class Batch(NamedTuple):
    """Sound (B, n), style (B, 24) and targets (B, T, P)."""

    samples: Tensor
    style: Tensor
    targets: Targets

    def to(self, device: str) -> "Batch":
        """Return the batch on a device."""
        targets = Targets(*(t.to(device, non_blocking=True) for t in self.targets))
        return Batch(self.samples.to(device), self.style.to(device), targets)


def crop_samples(spec: FeatureSpec, n_frames: int, margin_frames: int) -> int:
    """Return the samples that n_frames with their margins are computed from."""
    return spec.win_length + (n_frames + 2 * margin_frames - 1) * spec.hop_length


class HftCrops:
    """Random crops of the pieces of some folders that have what the task asks for.

    Parameters
    ----------
    folders
        Of shards, as ``livecover-train prepare`` makes them.
    task
        ``transcribe`` asks for the notes of every audible stem, ``cover`` for the human's
        piano cover, in its own style.
    spec
        Of the features, for sample rate, hop and window.
    n_frames, margin_frames
        T, and the frames of sound beside it.
    is_augmented
        Without it pieces are mixed and mastered, but not bent.

    Raises
    ------
    DataError
        When drawn from, if no piece has what the task asks for.
    """

    def __init__(
        self,
        folders: tuple[Path, ...],
        task: Target,
        spec: FeatureSpec,
        n_frames: int,
        margin_frames: int,
        is_augmented: bool = True,
    ) -> None:
        self.task, self.spec = task, spec
        self.n_frames, self.margin_frames = n_frames, margin_frames
        self.is_augmented = is_augmented
        key = COLUMN[task]
        self.sampler = PieceSampler(
            dict.fromkeys(folders), partial(_has_notes, key), f"pieces with {key}, to {task} from"
        )

    def draw(self, rng: np.random.Generator) -> Batch:
        """Return one more crop, by the choices of ``rng``."""
        return self.crop(self.sampler.draw(rng), rng)

    def pieces(self) -> list[StoredPiece]:
        """Return the pieces that the task can be learned from. Raises DataError if none can."""
        return self.sampler.pieces()

    def crop(self, piece: StoredPiece, rng: np.random.Generator) -> Batch:
        """Return one crop of a piece, without a batch axis."""
        spec = self.spec
        ratio = 1.0
        if self.is_augmented:
            ratio = 2 ** ((rng.integers(-MAX_BEND, MAX_BEND + 1) + rng.uniform(-0.3, 0.3)) / 12)
        bend = round(12 * np.log2(ratio))
        length = crop_samples(spec, self.n_frames, self.margin_frames)
        crop = draw_crop(piece, length, spec.sample_rate, rng, ratio)
        notes = np.array(piece.array(COLUMN[self.task]))
        style = style_vector(notes) if self.task == "cover" else np.zeros(24, np.float32)
        if self.task == "transcribe":
            notes = notes[audible(crop.gains)[notes[:, 4].astype(int)]]
        centre = spec.win_length / 2 + self.margin_frames * spec.hop_length  # of frame 0
        notes[:, :2] = (
            notes[:, :2] - crop.start / spec.sample_rate
        ) / ratio - centre / spec.sample_rate
        notes[:, 2] += bend
        targets = targets_of(notes, self.n_frames, spec.frame_s)
        return Batch(torch.from_numpy(crop.samples), torch.from_numpy(style), targets)


def _has_notes(key: str, piece: StoredPiece) -> bool:
    return key in piece and len(piece.array(key)) > 0


def collate(crops: list[Batch]) -> Batch:
    """Return crops as one batch."""
    targets = zip(*(crop.targets for crop in crops), strict=True)
    return Batch(
        torch.stack([crop.samples for crop in crops]),
        torch.stack([crop.style for crop in crops]),
        Targets(*(torch.stack(column) for column in targets)),
    )
