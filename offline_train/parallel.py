"""Training on several processes at once, or on one: the same recipe runs on both.

A process started by ``torchrun`` or by Ray joins its group (gloo on CPU, NCCL on GPUs). Gradients
are averaged over the group before each step, so n workers with batches of b take the step of one
worker with a batch of n b, batch normalisation apart, which each worker does for itself.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True, slots=True)
class Workers:
    """The place of this process among those that train together."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and reports."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the workers."""
        if self.size == 1:
            return
        grads = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in grads])
        distributed.all_reduce(flat)
        flat /= self.size
        offset = 0
        for grad in grads:
            grad.copy_(flat[offset : offset + grad.numel()].view_as(grad))
            offset += grad.numel()

    def agree(self, value: float) -> float:
        """Return the first worker's value, on every worker."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        distributed.broadcast(shared, 0)
        return shared.item()

    def share_weights(self, network: nn.Module) -> None:
        """Give every worker the first one's weights and buffers."""
        if self.size > 1:
            tensors: list[Tensor] = [*network.parameters(), *network.buffers()]
            for tensor in tensors:
                distributed.broadcast(tensor.data, 0)


def join(device: str) -> Workers:
    """Return this process's place; join the group that the environment names, if it names one."""
    if not distributed.is_initialized():
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return Workers()
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Workers(distributed.get_rank(), distributed.get_world_size())
