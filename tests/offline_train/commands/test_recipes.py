"""``--recipe``, ``--set`` and ``livecover-train recipes``."""

from pathlib import Path
from typing import Any

import pytest

from offline_train.cli import main
from offline_train.commands.recipes import KINDS
from offline_train.training.recipe_files import read_recipe, shipped_recipes

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_can_be_trained_with(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # what some begin with lies there
    recipe = read_recipe(name, "", tuple(KINDS))
    assert name.startswith((f"{recipe.kind}/", "gpu/"))
    settings = KINDS[recipe.kind].load().settings(recipe.values)
    assert settings.plain()["out"] == recipe.values["out"]


def test_recipes_are_listed_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(shipped_recipes())
    assert all(len(line) <= 100 for line in lines)
    assert main(["recipes", "cover/small"]) == 0
    assert 'recipe = "cover"' in capsys.readouterr().out


def test_options_and_set_win_over_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("offline_train.recipes.amt_apc.train", asked.append)
    out = ["--out", str(tmp_path)]
    assert main(["train-apc", "--recipe", "full", "--batch", "3", "--set", "seed=7", *out]) == 0
    assert main(["train", "--recipe", "ablation", *out]) == 0
    full, ablation = asked
    assert (full.network, full.batch, full.seed, full.device) == ("paper", 3, 7, "cuda")
    assert (ablation.network, ablation.out) == ("small", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "bacth=3"], "unknown key bacth; did you mean batch?"),
        (["--set", "n_frames=3"], "n_frames must be a multiple of 2"),
        (["--recipe", "nowhere"], "expected a recipe, FILE.toml or a name, got nowhere"),
        (["--recipe", "ablation", "--hours", "1"], "unknown key hours"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_two(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and words in said
