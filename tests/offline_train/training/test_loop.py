"""The training loop on a line to be found: it ends, resumes, refuses and fails as it should."""

import json
import math
import os
import signal
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.core.errors import ConfigError, DataError, ModelError
from offline_train.training import loop as loop_module
from offline_train.training.checkpoints import read_checkpoint, write_checkpoint
from offline_train.training.loading import draw_batches
from offline_train.training.loop import TrainingLoop, train_step
from offline_train.training.settings import SteppedSettings
from offline_train.training.task import Losses, Task
from tests.messages import refused


@dataclass(frozen=True, slots=True)
class Sizes:
    inputs: int = 3


@dataclass(frozen=True, slots=True)
class LineSettings(SteppedSettings):
    network: Sizes = field(default_factory=Sizes)
    _: KW_ONLY
    batch: int = 5


class LineTask(Task[Tensor]):
    """Learns the sum of the inputs; ``stop_at`` is the step during which a signal comes."""

    recipe = "line"

    def __init__(self, c: LineSettings, stop_at: int | None = None) -> None:
        torch.manual_seed(c.seed)
        self.settings, self.c = c, c
        self.line = nn.Linear(c.network.inputs, 1)
        self.network = self.line
        self.optimizer = torch.optim.Adam(self.line.parameters(), c.learning_rate)
        self.stop_at, self.n_steps = stop_at, 0

    def batches(self, first: int) -> Iterator[Tensor]:
        self.n_steps = first
        shape = self.c.batch, self.c.network.inputs
        return draw_batches(
            lambda rng: torch.from_numpy(rng.normal(size=shape)).float(), self.c.seed, first
        )

    def loss(self, batch: Tensor, progress: float) -> Losses:
        if self.n_steps == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        self.n_steps += 1
        x = batch + 0.1 * torch.randn_like(batch)
        return {"fit": (self.line(x)[:, 0] - x.sum(1)).square().mean()}

    def validate(self, step: int) -> dict[str, Any]:
        return {"weight": round(float(self.line.weight.sum()), 6)}

    def score(self, validation: dict[str, Any]) -> float:
        return -abs(float(validation["weight"]) - self.c.network.inputs)


def settings(out: Path) -> LineSettings:
    return LineSettings(out, steps=6, learning_rate=0.05, valid_every=2)


def train(c: LineSettings, stop_at: int | None = None) -> TrainingLoop[Tensor]:
    loop = TrainingLoop(LineTask(c, stop_at), c.schedule(), c.out)
    loop.run()
    return loop


def weights(loop: TrainingLoop[Tensor]) -> Tensor:
    return torch.cat([p.detach().flatten() for p in loop.task.network.parameters()])


def lines(c: LineSettings) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (c.out / "log.jsonl").read_text().splitlines()]
    return [{n: v for n, v in line.items() if n not in ("minutes", "seconds")} for line in found]


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = train(settings(tmp_path / "whole"))
    c = settings(tmp_path / "parts")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        train(c, stop_at=2)
    assert signal.getsignal(signal.SIGTERM) == before
    assert read_checkpoint(c.out / "last.pt", "line")["step"] == 3
    resumed = train(c)
    assert resumed.step == 6 and torch.equal(weights(whole), weights(resumed))
    assert lines(c) == lines(whole.task.settings)  # type: ignore[arg-type]
    assert [line["step"] for line in lines(c)] == [2, 4, 6]
    again = train(c)  # nothing is left to do
    assert torch.equal(weights(again), weights(resumed)) and len(lines(c)) == 3


def test_the_best_checkpoint_by_score_is_kept(tmp_path: Path) -> None:
    loop = train(settings(tmp_path))
    best = read_checkpoint(loop.best, "line")
    scores = [-abs(line["validation"]["weight"] - 3) for line in lines(settings(tmp_path))]
    assert best["best_score"] == max(scores) == loop.best_score
    assert best["step"] == 2 * (1 + scores.index(max(scores)))


def test_time_that_is_over_is_validated_and_leaves_a_run_that_resumes(tmp_path: Path) -> None:
    c = settings(tmp_path)
    loop = train(replace(c, minutes=1e-9))
    assert loop.step == 1 and [line["step"] for line in lines(c)] == [1]
    assert train(c).step == 6


def test_a_session_ends_and_the_next_goes_on(tmp_path: Path) -> None:
    c = settings(tmp_path)
    loop = TrainingLoop(LineTask(c), c.schedule(session_s=0.0), c.out)
    loop.run()
    assert loop.step == 1 and loop.progress < 1
    assert torch.equal(weights(train(c)), weights(train(settings(tmp_path / "whole"))))


def test_the_rate_falls_along_a_cosine(tmp_path: Path) -> None:
    loop = train(settings(tmp_path))
    last = 0.5 * (1 + math.cos(math.pi * 5 / 6))
    assert loop.task.optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * last)


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    c = settings(tmp_path)
    train(c)
    train(replace(c, threads=2, minutes=5.0, valid_every=1, learning_rate=1.0))  # these may change
    told = r"last.pt: .* batch 5 instead of 4, network.inputs 3 instead of 2; name another folder"
    with pytest.raises(ModelError, match=told):
        train(replace(c, batch=4, network=Sizes(2)))
    task = LineTask(c)
    task.recipe = "circle"
    with refused(ModelError, "circle", "line"):
        TrainingLoop(task, c.schedule(), c.out)


def test_a_task_for_one_process_refuses_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_module, "world_size", lambda: 2)
    with refused(ConfigError, "line", "2", "torchrun"):
        train(settings(tmp_path))


def test_a_checkpoint_of_an_older_version_resumes(tmp_path: Path, caplog: Any) -> None:
    c = settings(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(c, stop_at=2)
    checkpoint = read_checkpoint(tmp_path / "last.pt", "line")
    state = checkpoint["random_state"]
    older = {n: checkpoint[n] for n in ("recipe", "train", "step", "seconds", "model", "optimizer")}
    older["chance"] = state | {"generators": [np.random.default_rng(1).bit_generator.state]}
    write_checkpoint(tmp_path / "last.pt", older)
    assert train(c).step == 6
    assert "an older version wrote it, without the state of the random" in caplog.text


@pytest.mark.parametrize("spoil", [math.nan, math.inf])
def test_a_loss_that_is_no_number_leaves_the_weights(spoil: float, tmp_path: Path) -> None:
    c = settings(tmp_path)
    task = LineTask(c)
    before = task.line.weight.clone()
    told = "here, step 7: expected a loss and gradients that are numbers, got fit (nan|inf)"
    with pytest.raises(DataError, match=told):
        train_step(task, c.schedule(), torch.full((5, 3), spoil), 7, 0.0, "here, step 7")
    assert torch.equal(task.line.weight, before)


def test_a_full_disk_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    write_checkpoint(path, {"recipe": "line"})

    def full(_: object, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with refused(DataError, "last.pt", "make room"):
        write_checkpoint(path, {"recipe": "line"})
    assert read_checkpoint(path, "line") == {"recipe": "line"}
    assert not list(tmp_path.glob("*.partial"))
