from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.beat import BeatConfig
from offline_train.recipes.beat import RECIPE, BeatSettings, beat_loss, train
from offline_train.training.checkpoints import read_checkpoint
from tests.offline_train.data.beats.test_crops import write_beat_shard


def run(tmp_path: Path, name: str, steps: int) -> BeatSettings:
    return BeatSettings(
        tmp_path / name,
        steps=steps,
        valid_every=2,
        prepared=tmp_path,
        shares={"a": 1.0},
        valid="a",
        batch=2,
        seconds=0.8,
        network=BeatConfig(width=8, hidden=6),
    )


def test_what_nobody_knows_teaches_nothing() -> None:
    logits = {"beat": torch.zeros(2, 3), "downbeat": torch.zeros(2, 3)}
    known = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    parts = beat_loss(logits, torch.ones(2, 3, 2), known)
    assert parts["beat"].item() == pytest.approx(0.6931, abs=1e-3)
    assert parts["downbeat"].item() == 0.0


def test_a_run_that_goes_on_ends_as_one_that_did_not_stop(tmp_path: Path) -> None:
    write_beat_shard(tmp_path / "a")
    whole = read_checkpoint(train(run(tmp_path, "whole", 4)), RECIPE)
    parts = run(tmp_path, "parts", 4)
    train(replace(parts, minutes=1e-9))
    last = read_checkpoint(train(parts), RECIPE)
    assert last["step"] == whole["step"] == 4
    for name, value in whole["model"].items():
        torch.testing.assert_close(last["model"][name], value)
