"""The loop that both papers' recipes share: epochs of batches, resumable at any step.

A run's folder holds ``last.pt`` and ``log.jsonl``, one line an epoch: loss, seconds spent training,
and what validation found. Batches of an epoch must depend on its number alone, so that a run that
was stopped goes on where it was. Not here: networks, losses and data.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from offline_train.corpora.text_files import read_text
from offline_train.training.checkpoints import (
    chance,
    check_same_run,
    is_all_there,
    plain,
    read_checkpoint,
    set_chance,
    write_checkpoint,
)
from offline_train.training.interrupts import Stopping
from offline_train.training.running import SAVE_EVERY_S, append_log, falling, take_step

log = logging.getLogger(__name__)

Batch = dict[str, Tensor]
Metrics = dict[str, float]


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How a network learns. ``name`` says in messages and checkpoints what it is."""

    name: str
    out: Path
    epochs: int
    learning_rate: float
    seed: int = 1
    warmup_steps: int = 0
    total_steps: int = 0  # over which a cosine takes the rate to a hundredth; 0 keeps it
    clip: float = 3.0  # of the gradients' norm; 0 for never
    validate_every: int = 1  # epochs

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        rate = self.learning_rate * min(1.0, (step + 1) / max(self.warmup_steps, 1))
        if self.total_steps:
            rate = falling(rate, step / self.total_steps, floor=0.01)
        return rate


@dataclass(slots=True)
class _Progress:
    """Where a run is: whole epochs, steps within the next, and what that has cost so far."""

    epoch: int = 0
    step: int = 0
    n_steps: int = 0
    loss: float = 0.0
    seconds: float = 0.0


def fit(
    network: nn.Module,
    loss_of: Callable[[Batch], Tensor],
    batches: Callable[[int], Iterable[Batch]],
    validate: Callable[[], Metrics],
    c: FitConfig,
) -> list[Metrics]:
    """Train a network, or go on, and leave it trained; return the lines of its log.

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
    c.out.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.Adam(network.parameters(), c.learning_rate)
    path, at = c.out / "last.pt", _Progress()
    if path.is_file():
        at = _load(path, network, optimizer, c)
    with Stopping() as stopping:
        for epoch in range(at.epoch, c.epochs):
            if not at.step:
                torch.manual_seed(c.seed * 1000 + epoch)
            _train_epoch(network, optimizer, loss_of, batches(epoch), at, c, stopping, path)
            line = {"epoch": epoch + 1, "loss": at.loss / max(at.step, 1), "seconds": at.seconds}
            if (epoch + 1) % c.validate_every == 0 or epoch + 1 == c.epochs:
                network.eval()
                with torch.no_grad():
                    line |= validate()
            at = _Progress(epoch + 1, n_steps=at.n_steps)
            append_log(c.out, {name: round(value, 6) for name, value in line.items()})
            _save(path, network, optimizer, at, c)
            log.info("%s: %s", c.name, _short(line))
    network.eval()
    return read_log(c.out)


def _train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_of: Callable[[Batch], Tensor],
    batches: Iterable[Batch],
    at: _Progress,
    c: FitConfig,
    stopping: Stopping,
    path: Path,
) -> None:
    network.train()
    last_save = last = time.monotonic()
    bar = tqdm(desc=f"{c.name}, epoch {at.epoch + 1}", initial=at.step, unit="step", leave=False)
    for batch in islice(batches, at.step, None):
        for group in optimizer.param_groups:
            group["lr"] = c.rate(at.n_steps)
        where = f"{c.out}, step {at.n_steps}"
        value = take_step(network, optimizer, loss_of(batch), where, c.clip or math.inf)
        now = time.monotonic()
        at.loss, at.seconds, last = at.loss + value, at.seconds + now - last, now
        at.step, at.n_steps = at.step + 1, at.n_steps + 1
        bar.update()
        bar.set_postfix(loss=f"{at.loss / at.step:.4f}")
        if stopping.is_asked or now - last_save > SAVE_EVERY_S:
            _save(path, network, optimizer, at, c)
            last_save = last = time.monotonic()
        if stopping.is_asked:
            raise KeyboardInterrupt
    bar.close()


def _save(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, at: _Progress, c: FitConfig
) -> None:
    write_checkpoint(
        path,
        {
            "recipe": c.name,
            "fit": plain(c),
            "model": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "progress": asdict(at),
            "chance": chance(),
        },
    )


def load_run(path: Path, name: str) -> dict[str, Any]:
    """Return a run's checkpoint. Raises ModelError if it is not of the run of that name."""
    return read_checkpoint(path, name)


def _load(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, c: FitConfig
) -> _Progress:
    checkpoint = load_run(path, c.name)
    check_same_run(path, checkpoint["fit"], {"seed": c.seed})
    network.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    at = _Progress(**checkpoint["progress"])
    if is_all_there(path, checkpoint, "chance"):
        set_chance(checkpoint["chance"])
    else:
        torch.manual_seed(c.seed * 1000 + at.epoch)
    return at


def read_log(folder: Path) -> list[Metrics]:
    """Return the lines of a run's log, the last one of each epoch, in order; [] without a log."""
    path = folder / "log.jsonl"
    rows = read_text(path).splitlines() if path.is_file() else []
    by_epoch = {int(line["epoch"]): line for line in map(json.loads, rows)}
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]


def _short(line: Metrics) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in line.items())
