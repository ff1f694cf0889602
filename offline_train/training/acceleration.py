"""What makes training quick on a GPU: bfloat16 and ``torch.compile``.

By ``RunSettings.acceleration``: ``auto`` is on a GPU, ``on`` and ``off`` anywhere. What cannot be
compiled, or where there is no compiler, runs as it is, with a line in the log. Recurrent layers
stay in full precision: torch would run them in float16, whose gradients vanish.
"""

import logging
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import Tensor, nn

from offline_train.training.fused_gru import fuse
from offline_train.training.settings import RunSettings

log = logging.getLogger(__name__)

Network = TypeVar("Network", bound=nn.Module)


def is_accelerated(c: RunSettings) -> bool:
    """Return whether a run is to be accelerated."""
    return c.acceleration == "on" or (c.acceleration == "auto" and c.device.startswith("cuda"))


def reduced_precision(c: RunSettings) -> AbstractContextManager[object]:
    """Return where a network is to be called: matrices in bfloat16, where there is that."""
    is_cuda = c.device.startswith("cuda")
    has_bfloat16 = not is_cuda or torch.cuda.is_bf16_supported()
    kind = c.device.partition(":")[0]
    return torch.autocast(kind, torch.bfloat16, enabled=is_accelerated(c) and has_bfloat16)


def quickest_grus(network: Network, c: RunSettings) -> Network:
    """Return a network, its GRUs those that are quickest there: fused on a CPU, else torch's."""
    if not is_accelerated(c):
        return fuse(network)
    for module in network.modules():
        if type(module) is nn.GRU:
            module.__class__ = FullPrecisionGRU
    return network


def compile_modules(c: RunSettings, *modules: nn.Module) -> None:
    """Have modules compiled when they are first called, if the run is accelerated."""
    if not is_accelerated(c):
        return
    torch.set_float32_matmul_precision("high")
    if problem := _problem_of_compiling(c.device):
        log.warning("training without torch.compile, which fails here: %s", problem)
        return
    torch._dynamo.config.suppress_errors = True  # what fails nevertheless runs as it is
    for module in modules:
        module.compile()


def _problem_of_compiling(device: str) -> str:
    """Return in a line why nothing can be compiled for a device; "" where it can."""
    try:
        torch.compile(lambda x: 2 * x + 1)(torch.ones(8, device=device))
    except Exception as error:  # torch raises many kinds, by what is missing
        return str(error).strip().partition("\n")[0]
    return ""


class FullPrecisionGRU(nn.GRU):
    """``nn.GRU`` that autocast leaves alone."""

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Return hidden and the last state, both in the weights' precision."""
        kind = self.all_weights[0][0].dtype
        with torch.autocast(x.device.type, enabled=False):
            out, last = super().forward(x.to(kind), state.to(kind))
        return out, last
