"""Recipes from files: found, checked, overridden, kept by a run and read again when it resumes."""

from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import ConfigError
from offline_train.training.checkpoints import write_checkpoint
from offline_train.training.recipe_files import (
    RecipeFile,
    parse_override,
    read_recipe,
    run_settings,
    shipped_recipes,
    with_overrides,
)
from offline_train.training.settings import SteppedSettings, settings_from
from tests.messages import refused

KINDS = ("cover", "window", "amt_apc", "embedding", "arranger", "accompanist", "beat", "bar")


@dataclass(frozen=True, slots=True)
class Sizes:
    hidden: int = 8
    layers: int = 2


@dataclass(frozen=True, slots=True)
class LineSettings(SteppedSettings):
    network: Sizes = field(default_factory=Sizes)
    _: KW_ONLY
    batch: int = 5
    begin_with: Path | None = None


make = partial(settings_from, LineSettings)


def recipe(**values: Any) -> RecipeFile:
    return RecipeFile("line/small", "line", values)


def test_a_file_names_what_it_trains(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('recipe = "arranger"\nbatch = 3\n')
    assert read_recipe(str(path), "cover", KINDS) == (str(path), "arranger", {"batch": 3})
    path.write_text('recipe = "choir"\n')
    with refused(ConfigError, "mine.toml", "recipe", "cover", "'choir'"):
        read_recipe(str(path), "cover", KINDS)
    path.write_text("batch = \n")
    with pytest.raises(ConfigError, match=r"mine\.toml: expected TOML"):
        read_recipe(str(path), "cover", KINDS)
    with refused(ConfigError, "mime.toml", "mine.toml"):
        read_recipe(str(tmp_path / "mime.toml"), "cover", KINDS)


def test_a_shipped_recipe_has_a_name(tmp_path: Path) -> None:
    for name in ("cover/live", "live"):
        assert read_recipe(name, "amt_apc", KINDS).kind == "cover"
    assert read_recipe("small", "amt_apc", KINDS).kind == "amt_apc"  # the command's own first
    with refused(ConfigError, "small", "cover/small"):
        read_recipe("small", "", KINDS)
    with refused(ConfigError, "FILE.toml", "cover/smal"):
        read_recipe("cover/smal", "cover", KINDS)


def test_every_recipe_ships_small_and_full() -> None:
    shipped = shipped_recipes()
    assert {name.partition("/")[0] for name in shipped} >= set(KINDS)
    for kind in {name.partition("/")[0] for name in shipped} - {"gpu"}:  # of several kinds
        assert f"{kind}/small" in shipped and f"{kind}/full" in shipped
    made = {"cover/live", "cover/transcribe", "arranger/arranger"}
    assert made | {"embedding/match"} < shipped.keys()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"bacth": 3}, "unknown key bacth; did you mean batch?"),
        ({"network": {"hiden": 3}}, "unknown key network.hiden; did you mean network.hidden?"),
        ({"network": 3}, "network must be a table, not 3"),
        ({"network": {"hidden": 1.5}}, "network.hidden must be a whole number, not 1.5"),
        ({"batch": "two"}, "batch must be a whole number, not 'two'"),
        ({"steps": 0}, "steps must be a whole number from 1"),
        ({"learning_rate": 0.0}, "learning_rate must be a number from 1e-09"),
    ],
)
def test_a_wrong_key_or_value_is_told(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        make({"out": "x", **values})
    assert words in str(error.value)


def test_a_key_without_default_is_asked_for() -> None:
    with refused(ConfigError, "out"):
        make({})


def test_single_keys_win_over_the_file() -> None:
    given = dict(map(parse_override, ("network.hidden=64", "device=cuda", "begin_with=a/b.pt")))
    c = make(with_overrides({"out": "x", "network": {"layers": 3}, "batch": 2}, given))
    assert c.network == Sizes(64, 3)
    assert (c.batch, c.device, c.begin_with) == (2, "cuda", Path("a/b.pt"))
    with pytest.raises(ConfigError, match="expected KEY=VALUE, .* got batch"):
        parse_override("batch")
    with refused(ConfigError, "batch", "batch.size"):
        with_overrides({"batch": 3}, {"batch.size": 4})


def test_a_run_resumes_with_the_settings_that_it_began_with(tmp_path: Path, caplog: Any) -> None:
    begun = run_settings(recipe(batch=2), {"out": str(tmp_path)}, make, "line")
    write_checkpoint(tmp_path / "last.pt", {"recipe": "line", "train": begun.plain()})
    assert run_settings(recipe(batch=2), {"out": str(tmp_path)}, make, "line") == begun
    assert not caplog.records
    resumed = run_settings(
        recipe(batch=4, network={"hidden": 16}),
        {"out": str(tmp_path), "minutes": 3.0},
        make,
        "line",
    )
    assert (resumed.batch, resumed.network.hidden, resumed.minutes) == (2, 8, 3.0)
    (line,) = (record.getMessage() for record in caplog.records)
    assert "batch 2 instead of 4, network.hidden 8 instead of 16, which the recipe" in line


def test_a_run_of_an_older_version_takes_the_recipes_settings(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "last.pt", {"recipe": "line", "train": {"batch": 2}})
    assert run_settings(recipe(batch=4), {"out": str(tmp_path)}, make, "line").batch == 4
