"""What a recipe gives the training loop (``loop``): a task."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from offline_train.training.checkpoints import Generator
from offline_train.training.settings import RunSettings

Batch = TypeVar("Batch")
Losses = dict[str, Tensor]
"""Name -> a term of the loss, a scalar; the loss is their sum."""


class Task(ABC, Generic[Batch]):
    """What a recipe trains. ``network`` and ``optimizer`` are on their device.

    ``generators`` are those that a recipe draws from, beside Python's, numpy's and torch's own.
    ``labels`` stand in every line of the log. ``is_parallel`` says whether ``loss`` is that of the
    batches of all processes.
    """

    recipe: str
    settings: RunSettings
    network: nn.Module
    optimizer: torch.optim.Optimizer
    generators: tuple[Generator, ...] = ()
    labels: Mapping[str, Any] = MappingProxyType({})
    is_parallel: bool = False

    @abstractmethod
    def batches(self, first: int) -> Iterator[Batch]:
        """Yield batches without end from number ``first`` on, which alone decides each."""

    @abstractmethod
    def loss(self, batch: Batch, progress: float) -> Losses:
        """Return the terms of the loss; ``progress`` is the share of the run that is over."""

    def train_mode(self) -> None:
        """Set the network's modules to training; a recipe may leave some as they are."""
        self.network.train()

    def after_step(self) -> None:
        """Follow the weights, which have changed."""

    def validate(self, step: int) -> dict[str, Any]:
        """Return figures of the network, which is in evaluation mode, without gradients."""
        return {}

    def score(self, validation: dict[str, Any]) -> float | None:
        """Return by what the best checkpoint is chosen, the higher the better; None keeps none."""
        return None

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds of the task beside weights and optimizer."""
        return {}

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Resume from what ``state`` returned."""

    def upgraded(self, checkpoint: dict[str, Any]) -> dict[str, Any]:
        """Return a checkpoint of an older version as one of this version."""
        return checkpoint
