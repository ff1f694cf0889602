"""Training by epochs, as both papers do: the network, its loss and its batches on the common loop.

A run's folder holds ``last.pt`` and ``log.jsonl``, a line at the end of each epoch: loss, seconds
of training, and what validation found. Batches of an epoch must depend on its number alone. Not
here: the loop (``training.loop``), networks, losses and data.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import KW_ONLY, dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from offline_train.corpora.text_files import read_text
from offline_train.training.checkpoints import read_checkpoint
from offline_train.training.loop import TrainingLoop
from offline_train.training.schedule import Schedule
from offline_train.training.settings import RunSettings
from offline_train.training.task import Losses, Task

Batch = dict[str, Tensor]
Metrics = dict[str, float]


@dataclass(frozen=True, slots=True)
class FitConfig(RunSettings):
    """How a network is trained. ``name`` stands in messages and checkpoints."""

    _: KW_ONLY
    name: str
    epochs: int
    epoch_steps: int  # batches in an epoch
    warmup_steps: int = 0
    has_decay: bool = False  # a cosine takes the rate to a hundredth; else it stays
    clip: float = 3.0  # of the gradients' norm; 0 for never
    validate_every: int = 1  # epochs

    def fixed(self) -> dict[str, Any]:
        """Return the settings that must stay as they are when a run resumes."""
        return {"seed": self.seed}

    def schedule(self) -> Schedule:
        """Return the schedule of all epochs."""
        return Schedule(
            self.learning_rate,
            steps=self.epochs * self.epoch_steps,
            warmup_steps=self.warmup_steps,
            floor=0.01 if self.has_decay else 1.0,
            clip=self.clip or math.inf,
            valid_every=self.epoch_steps,
        )


class EpochTask(Task[Batch]):
    """A network trained on the batches of epochs."""

    def __init__(
        self,
        network: nn.Module,
        loss_of: Callable[[Batch], Tensor],
        batches: Callable[[int], Iterable[Batch]],
        validate: Callable[[], Metrics],
        c: FitConfig,
    ) -> None:
        self.recipe, self.settings, self.c = c.name, c, c
        self.network = network
        self.loss_of, self.epoch, self.metrics = loss_of, batches, validate
        self.optimizer = torch.optim.Adam(network.parameters(), c.learning_rate)

    def batches(self, first: int) -> Iterator[Batch]:
        """Yield the batches of one epoch after the other, from number ``first`` on."""
        begun, skipped = divmod(first, self.c.epoch_steps)
        for epoch in count(begun):
            if not skipped:
                torch.manual_seed(self.c.seed * 1000 + epoch)
            yield from islice(self.epoch(epoch), skipped, self.c.epoch_steps)
            skipped = 0

    def loss(self, batch: Batch, progress: float) -> Losses:
        """Return the loss of a batch."""
        return {"loss": self.loss_of(batch)}

    def validate(self, step: int) -> dict[str, Any]:
        """Return the epoch, and the metrics where it is due."""
        epoch = step // self.c.epoch_steps
        is_due = epoch % self.c.validate_every == 0 or epoch == self.c.epochs
        metrics = self.metrics() if is_due else {}
        return {"epoch": epoch, **{name: round(value, 6) for name, value in metrics.items()}}

    def upgraded(self, checkpoint: dict[str, Any]) -> dict[str, Any]:
        """Return a checkpoint of an older version as one of this version."""
        if "fit" not in checkpoint:
            return checkpoint
        step, seconds = (checkpoint["progress"][name] for name in ("n_steps", "seconds"))
        return {**checkpoint, "train": checkpoint["fit"], "step": step, "seconds": seconds}


def fit(
    network: nn.Module,
    loss_of: Callable[[Batch], Tensor],
    batches: Callable[[int], Iterable[Batch]],
    validate: Callable[[], Metrics],
    c: FitConfig,
) -> list[Metrics]:
    """Train a network, or resume, and leave it trained; return the lines of its log.

    Parameters
    ----------
    network
        Begins with the weights that it comes with, unless the run has already begun.
    loss_of
        The loss of a batch, by this network.
    batches
        Those of an epoch, the first being 0; the same at each call.
    validate
        Called with the network in evaluation mode, at the end of epochs.

    Raises
    ------
    DataError
        If a loss is not a number, the weights as they were before it.
    ModelError
        If the folder holds another run.
    KeyboardInterrupt
        At Ctrl-C, after the checkpoint is written.
    """
    TrainingLoop(EpochTask(network, loss_of, batches, validate, c), c.schedule(), c.out).run()
    network.eval()
    return read_log(c.out)


def load_run(path: Path, name: str) -> dict[str, Any]:
    """Return a run's checkpoint. Raises ModelError if it is not of the run of that name."""
    return read_checkpoint(path, name)


def read_log(folder: Path) -> list[Metrics]:
    """Return the lines of a run's log, the last one of each epoch, in order; [] without a log."""
    path = folder / "log.jsonl"
    rows = read_text(path).splitlines() if path.is_file() else []
    lines = [line | line.pop("validation", {}) for line in map(json.loads, rows)]
    by_epoch = {int(line["epoch"]): line for line in lines if "epoch" in line}
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]
