"""Batches by their number, so that a run that resumes at batch n gets the same batch n.

A batch depends on the seed and its number alone, so the state of a loader is one number. Not here:
what is drawn (``offline_train.data``).
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from engine.system.workers import ignore_interrupts

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)


class Sampler(Protocol[Item_co]):
    """Something that examples can be drawn from."""

    def draw(self, rng: np.random.Generator) -> Item_co:
        """Return one more example, by the choices of ``rng``."""


class NumberedExamples(IterableDataset[Item]):
    """Endless examples of a sampler, each by its number and the seed alone.

    So they are the same for any number of a loader's processes. ``batch`` is the loader's,
    ``first`` the number of the batch to begin with.
    """

    def __init__(self, sampler: Sampler[Item], seed: int, batch: int, first: int = 0) -> None:
        self.sampler, self.seed, self.batch, self.first = sampler, seed, batch, first

    def __iter__(self) -> Iterator[Item]:
        info = get_worker_info()
        own, every = (info.id, info.num_workers) if info else (0, 1)
        for number in count(self.first + own, every):  # a loader takes a batch of each in turn
            for k in range(self.batch):
                rng = np.random.default_rng((self.seed, number * self.batch + k))
                yield self.sampler.draw(rng)


def load_batches(
    sampler: Sampler[Any],
    seed: int,
    batch: int,
    first: int = 0,
    workers: int = 1,
    collate: Callable[[list[Any]], Any] | None = None,
) -> Iterator[Any]:
    """Yield batches of examples without end, from number ``first`` on.

    ``workers`` processes make them ahead; 0 makes them here.
    """
    loader = DataLoader(
        NumberedExamples(sampler, seed, batch, first),
        batch_size=batch,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        collate_fn=collate,
        worker_init_fn=ignore_interrupts,
        generator=torch.Generator(),  # the loader's own: it draws when it begins
    )
    return iter(loader)


def draw_batches(
    draw: Callable[[np.random.Generator], Item], seed: int, first: int = 0
) -> Iterator[Item]:
    """Yield whole batches without end, from number ``first`` on, each by its number and seed."""
    for number in count(first):
        yield draw(np.random.default_rng((seed, number)))
