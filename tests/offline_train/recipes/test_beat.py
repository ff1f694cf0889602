from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.core.errors import ConfigError
from models.beat import BeatConfig
from offline_train.recipes.beat import RECIPE, BeatRun, beat_loss, read_recipe, train
from offline_train.training.checkpoints import read_checkpoint
from tests.offline_train.data.test_beats import write_beat_shard

ROOT = Path(__file__).parents[3]


def run(tmp_path: Path, name: str, steps: int) -> BeatRun:
    return BeatRun(
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


@pytest.mark.parametrize("path", sorted((ROOT / "recipes" / "beat").glob("*.toml")))
def test_the_recipes_that_come_with_it_are_read(path: Path, tmp_path: Path) -> None:
    assert read_recipe(path, out=tmp_path).shares


@pytest.mark.parametrize("text", ["stepz = 1", "steps = ", "[network]\nunits = 3"])
def test_a_recipe_that_is_none_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="mine.toml: expected settings of the beat recipe"):
        read_recipe(path, out=tmp_path)


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
