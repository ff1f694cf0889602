"""A recipe's run by closures, on the training loop. New recipes give a ``Task`` instead."""

import math
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import numpy as np
import torch
from torch import nn

from offline_train.training.loop import TrainingLoop
from offline_train.training.settings import SteppedSettings
from offline_train.training.task import Losses, Task

Parts = Losses
RunConfig = SteppedSettings


class _Closures(Task[None]):
    def __init__(
        self, recipe: str, c: SteppedSettings, network: nn.Module, rng: np.random.Generator
    ) -> None:
        self.recipe, self.settings, self.network = recipe, c, network
        self.generators = (rng,)
        self.optimizer = torch.optim.Adam(network.parameters(), c.learning_rate)
        self.loss_of: Callable[[float], Losses] = lambda _: {}
        self.find: Callable[[float], dict[str, Any]] = lambda _: {}
        self.progress = 0.0

    def batches(self, first: int) -> Iterator[None]:
        return repeat(None)

    def loss(self, batch: None, progress: float) -> Losses:
        self.progress = progress
        return self.loss_of(progress)

    def validate(self, step: int) -> dict[str, Any]:
        return self.find(self.progress)

    def state(self) -> dict[str, Any]:
        return {"network": self.settings.plain()["network"]}


class Run:
    """A network, its optimizer (Adam), and how far it has come; resumes from ``last.pt``."""

    def __init__(
        self, recipe: str, c: SteppedSettings, network: nn.Module, rng: np.random.Generator
    ) -> None:
        self.rng, self.c, self.best = rng, c, -math.inf
        self._task = _Closures(recipe, c, network, rng)
        self._loop = TrainingLoop(self._task, c.schedule(), c.out)
        self.last, self.optimizer = self._loop.last, self._task.optimizer

    @property
    def step(self) -> int:
        """The steps that are taken."""
        return self._loop.step

    @property
    def seconds(self) -> float:
        """Of training."""
        return self._loop.seconds

    @property
    def share(self) -> float:
        """The share of the run that is over."""
        return self._loop.progress

    def learn(
        self,
        loss_of: Callable[[float], Losses],
        validate: Callable[[float], dict[str, Any]],
        clip: float = math.inf,
    ) -> None:
        """Take the steps that are left. Raises as ``TrainingLoop.run``."""
        self._task.loss_of, self._task.find = loss_of, validate
        self._loop.schedule = self.c.schedule(clip=clip)
        self._loop.run()
