"""bfloat16 and compiling: as asked, on a CPU too; what cannot be compiled runs as it is."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from offline_train.training import acceleration
from offline_train.training.acceleration import (
    FullPrecisionGRU,
    compile_modules,
    is_accelerated,
    quickest_grus,
    reduced_precision,
)
from offline_train.training.settings import RunSettings


def settings(**more: Any) -> RunSettings:
    return RunSettings(Path("out"), **more)


def test_a_gpu_is_accelerated_unless_it_is_not_asked_for() -> None:
    assert is_accelerated(settings(device="cuda"))
    assert not is_accelerated(settings(device="cuda", acceleration="off"))
    assert not is_accelerated(settings())
    assert is_accelerated(settings(acceleration="on"))


def test_matrices_are_bfloat16_and_recurrence_is_not() -> None:
    c = settings(acceleration="on")
    network = nn.ModuleList([nn.Linear(4, 8), nn.GRU(8, 8, batch_first=True)])
    quickest_grus(network, c)
    linear, gru = network
    assert isinstance(gru, FullPrecisionGRU)
    with reduced_precision(c):
        x = linear(torch.randn(2, 5, 4))
        out, last = gru(x, torch.zeros(1, 2, 8))
    assert x.dtype == torch.bfloat16 and out.dtype == last.dtype == torch.float32
    out.sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())
    with reduced_precision(settings()):
        assert linear(torch.randn(1, 4)).dtype == torch.float32


def test_without_a_compiler_it_trains_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> object:
        raise RuntimeError("no compiler\nat all")

    compiled: list[str] = []
    module = SimpleNamespace(compile=lambda: compiled.append("module"))
    monkeypatch.setattr(torch, "compile", lambda _: fail)
    caplog.set_level(logging.WARNING)
    compile_modules(settings(acceleration="on"), module)  # type: ignore[arg-type]
    assert compiled == [] and "without torch.compile, which fails here: no compiler" in caplog.text
    monkeypatch.setattr(acceleration, "_problem_of_compiling", lambda _: "")
    compile_modules(settings(), module)  # type: ignore[arg-type]
    assert compiled == []
    compile_modules(settings(acceleration="on"), module)  # type: ignore[arg-type]
    assert compiled == ["module"]
