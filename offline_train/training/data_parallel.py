"""Data parallel training: a step of several workers equals one worker's on the whole batch.

Each of W workers runs the network on its share of the batch, B / W examples. Three things then
differ from one worker with all of it, and each is made equal here, not only nearly so:

- batch normalisation takes its mean and variance over all workers (``global_batch_norm``; torch's
  ``SyncBatchNorm`` does the same on GPUs, and is used there);
- a loss with a ratio in it, such as a mean over the notes of a batch, is no mean of the workers'
  losses. So the loss sees the outputs and labels of all workers (``whole_batch``), its own with
  their gradient: any loss may be used as it is;
- gradients are averaged over workers (``average_gradients``), so the loss is multiplied by W
  (``scaled``): the sum of the workers' parts is the gradient of the whole.

Equal holds up to the order of sums in floating point, and without dropout, whose masks are drawn
by each worker. Needs a process group (torchrun, or Ray: see ``cluster``); without one every
function leaves what it is given as it is. Not here: data and recipes.
"""

import os
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.autograd.function import FunctionCtx
from torch.nn.modules.batchnorm import _BatchNorm

from engine.core.errors import ConfigError

Module = TypeVar("Module", bound=nn.Module)


def world_size() -> int:
    """Return the number of workers; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return this worker's number, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


def join(device: str) -> None:
    """Join the group of workers that the environment names, if it names one and none is joined.

    ``torchrun`` and Ray name one: gloo on a CPU, NCCL on GPUs.
    """
    if not dist.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        if device == "cuda":  # of several on a machine, each process has one
            own = int(os.environ.get("LOCAL_RANK", "0"))
            torch.cuda.set_device(own % torch.cuda.device_count())


def agree(value: float) -> float:
    """Return the first worker's value, on every worker."""
    if world_size() == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    if dist.get_backend() == "nccl":
        shared = shared.cuda()
    dist.broadcast(shared, 0)
    return shared.item()


def share_weights(network: nn.Module) -> None:
    """Give every worker the first one's weights and buffers."""
    if world_size() > 1:
        for tensor in (*network.parameters(), *network.buffers()):
            dist.broadcast(tensor.data, 0)


def average_gradients(network: nn.Module) -> None:
    """Replace each gradient by its mean over the workers."""
    if world_size() == 1:
        return
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    flat = torch.cat([grad.flatten() for grad in grads])
    dist.all_reduce(flat)
    flat /= world_size()
    for grad, mean in zip(grads, torch.split(flat, [g.numel() for g in grads]), strict=True):
        grad.copy_(mean.view_as(grad))


def share_of(batch: int) -> int:
    """Return how many of a batch's examples each worker takes.

    Raises
    ------
    ConfigError
        If the batch cannot be dealt out evenly.
    """
    if batch % world_size():
        raise ConfigError(
            f"expected a batch that {world_size()} workers can share evenly, got {batch}; "
            f"take a multiple of {world_size()}"
        )
    return batch // world_size()


def own_share(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return this worker's examples of a whole batch; worker k takes the k-th part."""
    size = share_of(len(next(iter(batch.values()))))
    start = rank() * size
    return {name: value[start : start + size] for name, value in batch.items()}


def whole_batch(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors (B / W, ...) of all workers as (B, ...); gradients flow to one's own part."""
    if world_size() == 1:
        return values
    whole = {}
    for name, value in values.items():
        parts = [torch.empty_like(value) for _ in range(world_size())]
        dist.all_gather(parts, value.detach().contiguous())
        parts[rank()] = value
        whole[name] = torch.cat(parts)
    return whole


def scaled(loss: Tensor) -> Tensor:
    """Return a loss over the whole batch, times W: to call ``backward`` on, not to report."""
    return loss * world_size()


def global_batch_norm(network: Module) -> Module:
    """Return the network with every BatchNorm normalising over all workers.

    Weights and the keys of ``state_dict`` stay as they are, so a checkpoint loads into a network
    that was not converted.
    """
    if world_size() == 1:
        return network
    if next(network.parameters()).is_cuda:
        converted: Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return converted
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm):
                setattr(parent, name, GlobalBatchNorm.like(child))
    return network


class _SumOverWorkers(torch.autograd.Function):
    """y = the sum of x over workers; backwards the sum of the gradients."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total


def _sum_over_workers(x: Tensor) -> Tensor:
    total: Tensor = _SumOverWorkers.apply(x)  # type: ignore[no-untyped-call]
    return total


class GlobalBatchNorm(_BatchNorm):
    """BatchNorm over all workers, on any device: (B, C, ...) in and out.

    Mean and variance are two sums over workers, so that no large squares cancel. Source: Ioffe
    and Szegedy, 2015, with the batch spread over workers as in torch's SyncBatchNorm.
    """

    @classmethod
    def like(cls, norm: _BatchNorm) -> "GlobalBatchNorm":
        """Return one with the weights and statistics of another, shared, not copied."""
        new = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        new._parameters, new._buffers = norm._parameters, norm._buffers
        return new.train(norm.training)

    def _check_input_dim(self, input: Tensor) -> None:
        """Take any number of dimensions."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the input normalised by the statistics of the batches of all workers."""
        if not self.training or world_size() == 1:
            return super().forward(input)
        axes = [0, *range(2, input.dim())]
        shape = [1, -1] + [1] * (input.dim() - 2)
        count = _sum_over_workers(input.new_tensor(input.numel() / input.shape[1]))
        mean = _sum_over_workers(input.sum(axes)) / count
        centred = input - mean.view(shape)
        variance = _sum_over_workers(centred.square().sum(axes)) / count
        self._follow(mean.detach(), (variance * count / (count - 1)).detach())
        out = centred * torch.rsqrt(variance + self.eps).view(shape)
        return out * self.weight.view(shape) + self.bias.view(shape) if self.affine else out

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Let the running statistics follow a batch's mean and unbiased variance."""
        if not self.track_running_stats:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        rate = self.momentum
        if rate is None:  # a cumulative average
            rate = 1.0 / float(self.num_batches_tracked)
        running: tuple[tuple[Any, Tensor], ...] = (
            (self.running_mean, mean),
            (self.running_var, variance),
        )
        for kept, new in running:
            kept.lerp_(new.to(kept.dtype), rate)
