"""A run of a line to be found: it stops, goes on, refuses and ends as it should."""

import json
import math
import os
import signal
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.core.errors import DataError, ModelError
from offline_train.training.checkpoints import read_checkpoint, write_checkpoint
from offline_train.training.running import Parts, Run, RunConfig, take_step


@dataclass(frozen=True, slots=True)
class Sizes:
    inputs: int = 3


@dataclass(frozen=True, slots=True)
class LineConfig(RunConfig):
    network: Sizes = field(default_factory=Sizes)
    _: KW_ONLY
    batch: int = 5


def config(out: Path) -> LineConfig:
    return LineConfig(out, steps=6, learning_rate=0.05, valid_every=2)


def train(c: LineConfig, stop_at: int | None = None) -> tuple[nn.Linear, Run]:
    """Learn the sum of the inputs; ``stop_at`` is the step during which a signal comes."""
    torch.manual_seed(c.seed)
    line = nn.Linear(c.network.inputs, 1)
    run = Run("line", c, line, np.random.default_rng(c.seed))

    def loss_of(_share: float) -> Parts:
        if run.step == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        x = torch.from_numpy(run.rng.normal(size=(c.batch, c.network.inputs))).float()
        x = x + 0.1 * torch.randn_like(x)
        return {"fit": (line(x)[:, 0] - x.sum(1)).square().mean(), "size": line.weight.sum() * 0}

    def validate(share: float) -> dict[str, Any]:
        return {"share": round(share, 3)}

    if run.share < 1:
        run.learn(loss_of, validate)
    return line, run


def lines(c: LineConfig) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (c.out / "log.jsonl").read_text().splitlines()]


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole, _ = train(config(tmp_path / "whole"))
    c = config(tmp_path / "parts")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        train(c, stop_at=2)
    assert signal.getsignal(signal.SIGTERM) == before
    assert read_checkpoint(c.out / "last.pt", "line")["step"] == 3
    resumed, run = train(c)
    assert run.step == 6
    assert torch.equal(whole.weight, resumed.weight) and torch.equal(whole.bias, resumed.bias)
    assert lines(c) == lines(config(tmp_path / "whole"))
    assert [line["step"] for line in lines(c)] == [2, 4, 6]
    again, _ = train(c)  # nothing is left to do
    assert torch.equal(again.weight, resumed.weight) and len(lines(c)) == 3


def test_time_over_is_judged_and_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    c = config(tmp_path)
    _, run = train(replace(c, minutes=1e-9))
    assert run.step == 1 and [line["step"] for line in lines(c)] == [1]
    assert train(c)[1].step == 6


def test_the_rate_falls_to_nothing(tmp_path: Path) -> None:
    _, run = train(config(tmp_path))
    last = 0.5 * (1 + math.cos(math.pi * 5 / 6))
    assert run.optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * last)


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    c = config(tmp_path)
    train(c)
    train(replace(c, threads=2, minutes=5.0, valid_every=1))  # these may change
    told = r"last.pt: .* batch 5 instead of 4, network.inputs 3 instead of 2; name another folder"
    with pytest.raises(ModelError, match=told):
        train(replace(c, batch=4, network=Sizes(2)))
    with pytest.raises(ModelError, match="expected a checkpoint of circle, came one of line"):
        Run("circle", c, nn.Linear(3, 1), np.random.default_rng(1))


def test_a_checkpoint_without_the_state_of_chance_goes_on(tmp_path: Path) -> None:
    c = config(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(c, stop_at=2)
    checkpoint = read_checkpoint(tmp_path / "last.pt", "line")
    for name in ("chance", "best", "commit"):
        del checkpoint[name]
    write_checkpoint(tmp_path / "last.pt", checkpoint)
    assert train(c)[1].step == 6


def test_the_state_of_chance_of_an_older_version_counts(tmp_path: Path) -> None:
    whole, _ = train(config(tmp_path / "whole"))
    c = config(tmp_path / "parts")
    with pytest.raises(KeyboardInterrupt):
        train(c, stop_at=2)
    checkpoint = read_checkpoint(c.out / "last.pt", "line")
    state = checkpoint["chance"]
    checkpoint["chance"] = {"data": state["generators"][0], "torch": state["torch"]}
    write_checkpoint(c.out / "last.pt", checkpoint)
    assert torch.equal(whole.weight, train(c)[0].weight)


@pytest.mark.parametrize("spoil", [math.nan, math.inf])
def test_a_loss_that_is_no_number_leaves_the_weights(spoil: float) -> None:
    line = nn.Linear(3, 1)
    before = line.weight.clone()
    optimizer = torch.optim.Adam(line.parameters())
    told = "here, step 7: expected a loss and gradients that are numbers, got"
    with pytest.raises(DataError, match=told):
        take_step(line, optimizer, line(torch.ones(3)).sum() * spoil, "here, step 7")
    assert torch.equal(line.weight, before)


def test_a_full_disk_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    write_checkpoint(path, {"recipe": "line"})

    def full(_: object, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(DataError, match=r"last\.pt: could not .* the one before is whole"):
        write_checkpoint(path, {"recipe": "line"})
    assert read_checkpoint(path, "line") == {"recipe": "line"}
    assert not list(tmp_path.glob("*.partial"))
