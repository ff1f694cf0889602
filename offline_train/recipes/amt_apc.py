"""AMT-APC's recipe, in stages that follow each other: settings, data, network, loop.

1. ``amt``: hFT learns to transcribe what sounds, in windows of 128 frames;
2. ``extend``: its positions grow to 512 frames, and it transcribes a little more;
3. ``apc``: the style gate comes in, and the cover loss.

A stage ends after its steps; its best weights by validation loss stand in ``STAGE.pt`` and begin
the next one. Adam, the rate along a half cosine over each stage; bfloat16 and ``torch.compile`` on
a GPU.
"""

import math
import time
import zlib
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.features import MEL_HFT, Features
from models.hft import Hft, Matrices
from offline_train.recipes.amt_apc_data import Batch, HftCrops, Target, collate
from offline_train.recipes.amt_apc_loss import amt_loss, count_cells, cover_loss, f1_of
from offline_train.recipes.amt_apc_run import (
    NETWORKS,
    RECIPE,
    ApcSettings,
    Stage,
    data_hashes,
    first_network,
    plan,
    stage_to_resume,
)
from offline_train.training.acceleration import compile_modules, reduced_precision
from offline_train.training.loading import load_batches
from offline_train.training.loop import TrainingLoop
from offline_train.training.settings import settings_from
from offline_train.training.task import Losses, Task

__all__ = ["RECIPE", "StageTask", "fixed_batches", "settings", "train"]

settings = partial(settings_from, ApcSettings)
"""Makes settings of a recipe's values; raises ConfigError."""


class StageTask(Task[Batch]):
    """A network in one stage: its crops, its loss, and loss and F1 on crops of validation."""

    recipe = RECIPE

    def __init__(self, c: ApcSettings, stage: Stage, network: Hft) -> None:
        self.c = self.settings = c
        self.stage, self.labels = stage, {"stage": stage.name}
        self.hft = network.to(c.device)
        self.network = self.hft
        compile_modules(c, self.hft)
        self.layer = _features_on(c.device)
        self.optimizer = torch.optim.Adam(self.hft.parameters(), lr=c.learning_rate)
        self.audio_seconds = 0.0
        self._valid: list[Batch] = []
        self.seed = zlib.crc32(f"{c.seed}/{stage.name}".encode())
        self._generator = torch.Generator(c.device).manual_seed(self.seed)
        self.generators = (self._generator,)

    def batches(self, first: int) -> Iterator[Batch]:
        """Yield batches from number ``first`` on. Raises DataError if there are no shards."""
        c, stage = self.c, self.stage
        margin = self.hft.config.margin_frames
        crops = HftCrops(c.train, stage.target, MEL_HFT, stage.n_frames, margin)
        crops.pieces()  # bad shards are reported here, in one line, rather than by a worker
        return load_batches(crops, self.seed, c.batch, first, c.workers, collate)

    def loss(self, batch: Batch, progress: float) -> Losses:
        """Return the loss of a batch."""
        self.audio_seconds += len(batch.samples) * self.stage.n_frames * MEL_HFT.frame_s
        batch = batch.to(self.c.device)
        return {"loss": self._loss(batch, self.stage.target, self._generator)[0]}

    def validate(self, step: int) -> dict[str, Any]:
        """Return loss and F1 over the same crops of the validation shards each time."""
        if not self._valid:
            c, stage = self.c, self.stage
            self._valid = fixed_batches(c, stage.target, stage.n_frames, c.valid)
        return self.measure(self._valid, self.stage.target)

    def score(self, validation: dict[str, Any]) -> float:
        """Return the negative validation loss."""
        return -float(validation["loss"])

    @torch.no_grad()
    def measure(self, batches: list[Batch], target: Target) -> dict[str, float]:
        """Return the mean loss of a target, and F1 over all cells, of the second hierarchy."""
        self.hft.eval()
        generator = torch.Generator(self.c.device).manual_seed(0)
        counts, total = torch.zeros(3, 3, dtype=torch.int64), 0.0
        for batch in batches:
            batch = batch.to(self.c.device)
            loss, second = self._loss(batch, target, generator)
            counts += count_cells(second, batch.targets)
            total += loss.item() / len(batches)
        return {"loss": total, **f1_of(counts)}

    def _loss(
        self, batch: Batch, target: Target, generator: torch.Generator
    ) -> tuple[Tensor, Matrices]:
        with torch.no_grad():
            features = self.layer(batch.samples)
        with reduced_precision(self.c):
            both = self.hft(features, batch.style)
        if target == "cover":
            return cover_loss(both, batch.targets, generator), both[1]
        return amt_loss(both, batch.targets), both[1]

    def state(self) -> dict[str, Any]:
        """Return the network's sizes, the data, and how much audio was seen."""
        return {
            "network": self.hft.config.to_dict(),
            "data": data_hashes(self.c),
            "stage": self.stage.name,
            "audio_hours": self.audio_seconds / 3600,
        }

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Resume from what ``state`` returned."""
        self.audio_seconds = checkpoint["audio_hours"] * 3600

    def upgraded(self, checkpoint: dict[str, Any]) -> dict[str, Any]:
        """Return a checkpoint of an older version as one of this version."""
        return {"best_score": -checkpoint.get("best", math.inf), **checkpoint}


def train(c: ApcSettings) -> Path:
    """Train, or resume, through all stages; return the checkpoint that it leaves.

    That is the last stage's best, or ``last.pt`` if the time was over before.

    Raises
    ------
    DataError, ModelError
        If the shards, or a checkpoint in ``out``, are not what they should be.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once everything is saved.
    """
    torch.set_num_threads(c.threads)
    torch.set_float32_matmul_precision("high")
    stages, first = plan(c), stage_to_resume(c)
    deadline = time.monotonic() + 60 * c.minutes if c.minutes else math.inf
    for k in range(first, len(stages)):
        torch.manual_seed(c.seed + k)
        task = StageTask(c, stages[k], first_network(c, stages, k))
        schedule = stages[k].schedule(c, deadline - time.monotonic())
        best = f"{stages[k].name}.pt"
        loop = TrainingLoop(task, schedule, c.out, best, is_new=k > first)
        loop.run()
        if loop.progress < 1:
            return loop.last
    return loop.best


def fixed_batches(
    c: ApcSettings, target: Target, n_frames: int, folders: tuple[Path, ...], seed: int = 0
) -> list[Batch]:
    """Return ``valid_crops`` crops of folders in batches, the same at each call."""
    margin = NETWORKS[c.network].margin_frames
    crops = HftCrops(folders, target, MEL_HFT, n_frames, margin, is_augmented=False)
    drawn = [crops.draw(np.random.default_rng((seed, k))) for k in range(c.valid_crops)]
    return [collate(drawn[k : k + c.batch]) for k in range(0, len(drawn), c.batch)]


@cache
def _features_on(device: str) -> Features:
    """Return the front end on a device; its Fourier kernels take a second to make."""
    return Features(MEL_HFT).to(device)
