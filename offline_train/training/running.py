"""A run: a network learns, by steps or by the clock, and goes on where it was stopped.

What the recipes share: the budget, the rate that falls with it, the checkpoint ``last.pt``, Ctrl-C
and the log. A recipe gives the loss of its next batch and says what validation finds. A checkpoint
holds the state of chance too, so that a run of steps that was stopped ends, on a CPU, as one that
was not. ``take_step`` and ``append_log`` also serve the loops of another shape. Not here: networks,
losses, data; epochs (``transcription.learning``); stages of AMT-APC (``train_hft``).
"""

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from engine.core.errors import DataError
from offline_train.training.checkpoints import (
    chance,
    check_same_run,
    commit,
    is_all_there,
    plain,
    read_checkpoint,
    set_chance,
    write_checkpoint,
)
from offline_train.training.interrupts import Stopping

log = logging.getLogger(__name__)

SAVE_EVERY_S = 120.0

Parts = dict[str, Tensor]
"""Name -> a part of a loss, a number; the loss is their sum."""


def falling(rate: float, share: float, floor: float = 0.0) -> float:
    """Return the rate along a half cosine, at a share of the way from 0 to 1.

    ``floor`` is what is left of it at the end, as a share.

    >>> falling(1.0, 0.5)
    0.5
    >>> falling(1.0, 1.0, floor=0.25)
    0.25
    """
    return rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What every run has; ``out`` holds ``last.pt`` and ``log.jsonl``.

    A recipe's own settings come on top, ``network`` among them: the sizes of its network. What may
    change when a run goes on: the names in ``FREE``.
    """

    FREE: ClassVar[frozenset[str]] = frozenset(
        {"out", "minutes", "threads", "device", "valid_every"}
    )

    out: Path
    _: KW_ONLY
    steps: int = 20_000
    learning_rate: float = 1e-3
    valid_every: int = 250  # steps
    minutes: float = 0.0  # stop, ready to go on, after so long; 0 goes on to the end
    seed: int = 1
    threads: int = 1
    device: str = "cpu"

    def plain(self) -> dict[str, Any]:
        """Return the settings as JSON has them."""
        return plain(self)


class Run:
    """A network, its optimizer (Adam), and how far it has come; goes on from ``last.pt``.

    A new run begins with the weights of ``network`` and with ``rng``, of every choice of the data:
    use ``run.rng``. Raises ModelError if ``c.out`` holds another run or recipe.
    """

    def __init__(
        self, recipe: str, c: RunConfig, network: nn.Module, rng: np.random.Generator
    ) -> None:
        self.recipe, self.c, self.network, self.rng = recipe, c, network, rng
        self.optimizer = torch.optim.Adam(network.parameters(), c.learning_rate)
        self.step, self.seconds, self.best = 0, 0.0, -math.inf
        self.last = c.out / "last.pt"
        c.out.mkdir(parents=True, exist_ok=True)
        if self.last.is_file():
            self._go_on()

    @property
    def share(self) -> float:
        """The share of the steps or of the minutes that is over, whichever is further; 0 to 1."""
        of_time = self.seconds / (60 * self.c.minutes) if self.c.minutes else 0.0
        return min(max(self.step / self.c.steps, of_time), 1.0)

    def learn(
        self,
        loss_of: Callable[[float], Parts],
        validate: Callable[[float], dict[str, Any]],
        clip: float = math.inf,
    ) -> None:
        """Take the steps that are left, the rate along a half cosine; leave ``last.pt``.

        ``loss_of`` takes the share that is over and returns the loss of the next batch.
        ``validate`` takes it too, returns facts for the log, and may ``save`` the best. ``clip`` is
        the norm that the gradients have at most.

        Raises
        ------
        DataError
            If a loss or gradient is not a number, the weights as they were before the step.
        KeyboardInterrupt
            After Ctrl-C or SIGTERM, once everything is saved.
        """
        c, begun, saved = self.c, time.monotonic() - self.seconds, time.monotonic()
        bar = tqdm(total=c.steps, initial=self.step, unit="step", desc=c.out.name)
        with Stopping() as stopping, bar:
            while (share := self.share) < 1 and not stopping.is_asked:
                for group in self.optimizer.param_groups:
                    group["lr"] = falling(c.learning_rate, share)
                self.network.train()
                parts = loss_of(share)
                loss = torch.stack(list(parts.values())).sum()
                take_step(self.network, self.optimizer, loss, f"{c.out}, step {self.step}", clip)
                self.step += 1
                bar.update()
                self.seconds = time.monotonic() - begun
                if self.step % c.valid_every == 0 or self.share >= 1:
                    values = {name: round(float(part.detach()), 5) for name, part in parts.items()}
                    append_log(c.out, {"step": self.step, **values, **validate(share)})
                    self.seconds = time.monotonic() - begun
                if time.monotonic() - saved > SAVE_EVERY_S:
                    self.save(self.last)
                    saved = time.monotonic()
        self.save(self.last)
        if stopping.is_asked:
            raise KeyboardInterrupt
        if self.step < c.steps:
            log.info("%g minutes are over after %d steps of %d", c.minutes, self.step, c.steps)

    def save(self, path: Path, validation: dict[str, Any] | None = None) -> None:
        """Write a checkpoint, whole or not at all. Raises DataError if it cannot be written."""
        settings = self.c.plain()
        state = {
            "recipe": self.recipe,
            "network": settings["network"],
            "train": settings,
            "commit": commit(),
            "step": self.step,
            "best": self.best,
            "seconds": self.seconds,
            "validation": validation or {},
            "model": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "chance": chance(self.rng),
        }
        write_checkpoint(path, state)

    def _go_on(self) -> None:
        before = read_checkpoint(self.last, self.recipe)
        fixed = {n: value for n, value in self.c.plain().items() if n not in self.c.FREE}
        check_same_run(self.last, before["train"], fixed)
        self.network.load_state_dict(before["model"])
        self.optimizer.load_state_dict(before["optimizer"])
        self.step, self.seconds = before["step"], before["seconds"]
        self.best = before.get("best", -math.inf)
        if is_all_there(self.last, before, "chance"):
            set_chance(before["chance"], self.rng)
        else:  # at least other choices than those at first
            self.rng = np.random.default_rng((self.c.seed, self.step))


def take_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    where: str,
    clip: float = math.inf,
) -> float:
    """Take one step against a loss's gradients, their norm at most ``clip``; return the loss.

    Raises
    ------
    DataError
        If loss or gradients are not numbers; ``where`` says when. The weights are as before.
    """
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
    value, size = loss.item(), float(norm)
    if not (math.isfinite(value) and math.isfinite(size)):
        raise DataError(
            f"{where}: expected a loss and gradients that are numbers, got {value:g} and a norm of"
            f" {size:g}; lower the learning rate, or look at the data"
        )
    optimizer.step()
    return value


def append_log(out: Path, facts: dict[str, Any]) -> None:
    """Add a line to a run's ``log.jsonl``."""
    with (out / "log.jsonl").open("a") as file:
        file.write(json.dumps(facts) + "\n")
