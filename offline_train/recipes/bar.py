"""The recipe of the bar network: settings, data, network, loss, loop.

It learns from what ``livecover-train hear-songs`` left. Not here: what it is worth
(``evaluation.beats``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.bar import RIGHT, BarConfig, BarNetwork
from offline_train.data.accompaniment.bars import HALF, BarCrops, beats_of
from offline_train.evaluation.hearing.step_posteriors import load_heard_songs
from offline_train.training.loading import load_batches
from offline_train.training.loop import TrainingLoop
from offline_train.training.settings import SteppedSettings, settings_from
from offline_train.training.task import Losses, Task

RECIPE = "bar"
CLIP = 1.0


@dataclass(frozen=True, slots=True)
class BarSettings(SteppedSettings):
    """One run; ``heard`` is the folder that ``livecover-train hear-songs`` left."""

    MAY_CHANGE: ClassVar[frozenset[str]] = SteppedSettings.MAY_CHANGE | {"heard"}

    _: KW_ONLY
    heard: Path = Path("runs/accompanist")
    batch: int = 16
    n_beats: int = 64  # of a crop
    weight_decay: float = 1e-4
    network: BarConfig = field(default_factory=BarConfig)


settings = partial(settings_from, BarSettings)
"""Makes settings of a recipe's values; raises ConfigError."""


class BarBatch(NamedTuple):
    """Crops (``BarCrop``) as tensors with a first axis of B."""

    beats: Tensor
    is_downbeat: Tensor
    level: Tensor
    is_known: Tensor
    counts: Tensor


def bar_losses(logits: tuple[Tensor, Tensor], crop: BarBatch) -> Losses:
    """Return the cross-entropies of downbeats (B, T) and levels (B, T, 3), of what is known."""
    downbeat = functional.binary_cross_entropy_with_logits(
        logits[0], crop.is_downbeat, crop.is_known, reduction="sum"
    )
    level = functional.cross_entropy(logits[1].transpose(1, 2), crop.level, reduction="none")
    return {
        "downbeat": downbeat / crop.is_known.sum().clamp_min(1.0),
        "level": (level * crop.counts).sum() / crop.counts.sum().clamp_min(1.0),
    }


class BarTask(Task[Sequence[Tensor]]):
    """The bar network, crops of songs with posteriors, and the loss on songs of validation."""

    recipe = RECIPE

    def __init__(self, c: BarSettings) -> None:
        self.settings, self.c = c, c
        self.bars = self.network = BarNetwork(c.network).to(c.device)
        self.optimizer = torch.optim.AdamW(
            self.bars.parameters(), c.learning_rate, weight_decay=c.weight_decay
        )
        self._valid = list(self._valid_songs())

    def _valid_songs(self) -> Iterator[tuple[Tensor, Tensor, int]]:
        """Yield beats (1, T, 201), which are downbeats (1, T), and their level."""
        for song in load_heard_songs(self.c.heard / "heard" / "b-valid"):
            for level in (HALF, RIGHT):
                beats, is_downbeat = beats_of(song, level)
                down = torch.from_numpy(is_downbeat[None].astype(np.float32))
                yield torch.from_numpy(beats[None]), down, level

    def batches(self, first: int) -> Iterator[Sequence[Tensor]]:
        """Yield batches from number ``first`` on."""
        c = self.c
        crops = BarCrops(load_heard_songs(c.heard / "heard" / "train"), c.n_beats)
        return load_batches(crops, c.seed, c.batch, first)

    def _logits(self, beats: Tensor) -> tuple[Tensor, Tensor]:
        state = self.bars.init_state(len(beats)).to(self.c.device)
        downbeat, level, _ = self.bars(beats, state)
        return downbeat, level

    def loss(self, batch: Sequence[Tensor], progress: float) -> Losses:
        """Return the cross-entropies."""
        crops = BarBatch(*(values.to(self.c.device) for values in batch))
        return bar_losses(self._logits(crops.beats), crops)

    def validate(self, step: int) -> dict[str, Any]:
        """Return the shares of right downbeats, and of beats whose level is right."""
        downbeats, levels = [], []
        for beats, is_downbeat, level in self._valid:
            downbeat, of_level = self._logits(beats.to(self.c.device))
            levels.append(float((of_level.argmax(-1) == level).float().mean()))
            if level == RIGHT:
                right = (downbeat.cpu() > 0) == (is_downbeat > 0)
                downbeats.append(float(right.float().mean()))
        means = {"downbeats": downbeats, "levels": levels}
        return {name: round(float(np.mean(own)), 4) for name, own in means.items() if own}

    def state(self) -> dict[str, Any]:
        """Return the network's sizes."""
        return {"network": self.c.network.to_dict()}


def train(c: BarSettings) -> Path:
    """Train, or resume; return the checkpoint it leaves.

    Raises
    ------
    DataError, ModelError
        If something to learn from is missing, or ``out`` holds another run.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once everything is saved.
    """
    torch.set_num_threads(c.threads)
    torch.manual_seed(c.seed)
    loop = TrainingLoop(BarTask(c), c.schedule(clip=CLIP), c.out)
    loop.run()
    return loop.last


def network_of(checkpoint: dict[str, Any]) -> BarNetwork:
    """Return the network of a checkpoint, ready to run."""
    network = BarNetwork(BarConfig(**checkpoint["network"]))
    network.load_state_dict(checkpoint["model"])
    return network.eval()
