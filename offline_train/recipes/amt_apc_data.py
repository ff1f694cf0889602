"""What hFT hears in training: random crops of shards, mixed and mastered anew, with its targets.

The stems, mixes and mastering are those of ``dataset``; the targets those of hFT
(``apc_loss``). A crop of T frames has 32 more frames of sound to either side.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from engine.core.errors import DataError
from models.spec import FeatureSpec
from offline_train.data.shards import StoredPiece, read_shards
from offline_train.data.style import style_vector
from offline_train.recipes.amt_apc_loss import Targets, targets_of
from offline_train.synthesis.mixing import audible, draw_gains, master, mix

Array = NDArray[np.float32]

Task = Literal["transcribe", "cover"]
COLUMN = {"transcribe": "score", "cover": "notes"}
WARM_UP_S = 0.4  # heard by room and compressor before a crop begins
MAX_BEND = 2  # semitones, which a tape's speed makes of it: tempo changes by the same ratio
RELOAD_AFTER = 2000  # crops; shards that appear later join in


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


class HftCrops(IterableDataset[Batch]):
    """Endless crops of the pieces of some folders that have what the task asks for.

    Parameters
    ----------
    folders
        Of shards, as ``livecover-train prepare`` makes them.
    task
        ``transcribe`` asks for the notes of every stem that can be heard, ``cover`` for the human's
        piano cover, in its own style.
    spec
        Of the features, for sample rate, hop and window.
    n_frames, margin_frames
        T, and the frames of sound beside it.
    seed
        Of every choice.
    is_augmented
        Without it pieces are mixed and mastered, but not bent.

    Raises
    ------
    DataError
        When iterated, if no piece has what the task asks for.
    """

    def __init__(
        self,
        folders: tuple[Path, ...],
        task: Task,
        spec: FeatureSpec,
        n_frames: int,
        margin_frames: int,
        seed: int,
        is_augmented: bool = True,
    ) -> None:
        self.folders, self.task, self.spec = folders, task, spec
        self.n_frames, self.margin_frames = n_frames, margin_frames
        self.seed, self.is_augmented = seed, is_augmented
        self._n_drawn = 0
        self._pieces: list[StoredPiece] = []

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng((self.seed, 0))
        while True:
            yield self.draw(rng)

    def draw(self, rng: np.random.Generator) -> Batch:
        """Return one more crop, by the choices of ``rng``."""
        if self._n_drawn % RELOAD_AFTER == 0:
            self._pieces = self.pieces()
        self._n_drawn += 1
        return self.crop(self._pieces[rng.integers(len(self._pieces))], rng)

    def pieces(self) -> list[StoredPiece]:
        """Return the pieces that the task can be learned from."""
        key = COLUMN[self.task]
        found = [
            piece
            for folder in self.folders
            for piece in read_shards(folder)
            if key in piece and len(piece.array(key))
        ]
        if not found:
            where = ", ".join(str(folder) for folder in self.folders)
            raise DataError(
                f"{where}: expected pieces with {key}, to learn to {self.task} from; run"
                " livecover-train prepare"
            )
        return found

    def crop(self, piece: StoredPiece, rng: np.random.Generator) -> Batch:
        """Return one crop of a piece, without a batch axis."""
        spec = self.spec
        stems = piece.array("stems")
        ratio = 1.0
        if self.is_augmented:
            ratio = 2 ** ((rng.integers(-MAX_BEND, MAX_BEND + 1) + rng.uniform(-0.3, 0.3)) / 12)
        bend = round(12 * np.log2(ratio))
        length = crop_samples(spec, self.n_frames, self.margin_frames)
        span = round(length * ratio)
        start = int(rng.integers(0, max(len(stems) - span, 1)))
        gains = draw_gains(piece.facts.get("roles", ["recording"] * stems.shape[1]), rng)
        before = min(start, int(WARM_UP_S * spec.sample_rate))
        dry = mix(stems[start - before : start + span], gains)
        sound = master(dry, rng, spec.sample_rate)[before:]
        if ratio != 1.0:
            sound = soxr.resample(sound, spec.sample_rate * ratio, spec.sample_rate, "LQ")
        samples = np.zeros(length, np.float32)
        samples[: min(length, len(sound))] = sound[:length]

        notes = np.array(piece.array(COLUMN[self.task]))
        style = style_vector(notes) if self.task == "cover" else np.zeros(24, np.float32)
        if self.task == "transcribe":
            notes = notes[audible(gains)[notes[:, 4].astype(int)]]
        centre = spec.win_length / 2 + self.margin_frames * spec.hop_length  # of frame 0
        notes[:, :2] = (notes[:, :2] - start / spec.sample_rate) / ratio - centre / spec.sample_rate
        notes[:, 2] += bend
        targets = targets_of(notes, self.n_frames, spec.frame_s)
        return Batch(torch.from_numpy(samples), torch.from_numpy(style), targets)


def collate(crops: list[Batch]) -> Batch:
    """Return crops as one batch."""
    targets = zip(*(crop.targets for crop in crops), strict=True)
    return Batch(
        torch.stack([crop.samples for crop in crops]),
        torch.stack([crop.style for crop in crops]),
        Targets(*(torch.stack(column) for column in targets)),
    )
