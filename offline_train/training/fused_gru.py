"""A GRU with its gates fused, for training on a CPU: the same numbers, faster.

There ``torch.nn.GRU`` runs some thirty small kernels for each step of time, forward and back; this
one runs two, a product and one from ``gru.c``, which the system's C compiler makes when it is first
wanted. Without a compiler training goes on with torch's own.

Shapes: S steps, N rows, C inputs, H hidden.
"""

import ctypes
import functools
import logging
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)

log = logging.getLogger(__name__)

SOURCE = Path(__file__).with_name("gru.c")
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fPIC", "-c")


@functools.cache
def kernels() -> ctypes.CDLL:
    """Return the compiled kernels. Raises OSError if there is no compiler, or it fails."""
    with tempfile.TemporaryDirectory() as folder:
        compiled, library = Path(folder) / "gru.o", Path(folder) / "gru.so"
        # Linked apart: with -ffast-math the linker adds code that, once loaded, has the processor
        # take tiny numbers for 0 everywhere in this thread.
        _cc(*FLAGS, str(SOURCE), "-o", str(compiled))
        _cc("-shared", str(compiled), "-o", str(library), "-lm")
        return ctypes.CDLL(str(library))


def _cc(*arguments: str) -> None:
    command = [os.environ.get("CC", "cc"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


def _run(kernel: Any, rows: int, size: int, *tensors: Tensor) -> None:
    """Call a kernel on contiguous float32 tensors."""
    pointers = (ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors)
    kernel(ctypes.c_long(rows), ctypes.c_long(size), *pointers)


class Sequence(torch.autograd.Function):
    """x (S, N, C), state (N, H) and ``nn.GRU``'s four parameters -> hidden (S, N, H)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, state: Tensor, *parameters: Tensor) -> Tensor:
        """Return the hidden states, and keep what the way back needs."""
        w_ih, w_hh, b_ih, b_hh = parameters
        steps, rows, _ = x.shape
        size = w_hh.shape[1]
        gates = torch.addmm(b_ih, x.flatten(0, 1), w_ih.t()).view(steps, rows, 3 * size)
        hidden = x.new_empty(steps + 1, rows, size)
        hidden[0] = state
        candidate = x.new_empty(steps, rows, size)
        from_hidden, w = x.new_empty(rows, 3 * size), w_hh.t().contiguous()
        for g, h, c, following in zip(gates, hidden, candidate, hidden[1:], strict=False):
            torch.mm(h, w, out=from_hidden)
            _run(kernels().forward, rows, size, g, from_hidden, b_hh, h, c, following)
        ctx.save_for_backward(x, gates, hidden, candidate, w_ih, w_hh)
        return hidden[1:]

    @staticmethod
    def backward(ctx: Any, *d_outs: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of x, state and the four parameters."""
        x, gates, hidden, candidate, w_ih, w_hh = ctx.saved_tensors
        d_out = d_outs[0].contiguous()
        steps, rows, size = d_out.shape
        d_from_hidden, d_gates = torch.empty_like(gates), torch.empty_like(gates)
        d_hidden = torch.zeros_like(hidden[0])
        per_step = (d_out, gates, hidden[:-1], candidate, d_from_hidden, d_gates)
        for step in range(steps - 1, -1, -1):
            now = [tensor[step] for tensor in per_step]
            _run(kernels().backward, rows, size, *now, d_hidden)
            d_hidden.addmm_(now[4], w_hh)
        d_from_hidden, d_gates = d_from_hidden.flatten(0, 1), d_gates.flatten(0, 1)
        return (
            (d_gates @ w_ih).view_as(x),
            d_hidden,
            d_gates.t() @ x.flatten(0, 1),
            d_from_hidden.t() @ hidden[:-1].flatten(0, 1),
            d_gates.sum(0),
            d_from_hidden.sum(0),
        )


class FusedGRU(nn.GRU):
    """``nn.GRU`` of one layer, batch first; no gradient goes through the last state it returns."""

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Return hidden (N, S, H) of x (N, S, C), and the last state (1, N, H)."""
        if not torch.is_grad_enabled():
            out, last = super().forward(x, state)
            return out, last
        parameters = (self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0)
        along_time = x.transpose(0, 1).contiguous()
        hidden: Tensor = Sequence.apply(along_time, state[0], *parameters)  # type: ignore[no-untyped-call]
        return hidden.transpose(0, 1), hidden[-1:].detach()


def fuse(network: Network) -> Network:
    """Return a network, its GRUs fused if it lies on a CPU that can compile them."""
    if any(parameter.device.type != "cpu" for parameter in network.parameters()):
        return network
    try:
        kernels()
    except OSError as error:
        log.warning("training with torch's own GRU, which is slower: %s", error)
        return network
    for module in network.modules():
        if type(module) is nn.GRU:
            module.__class__ = FusedGRU
    return network
