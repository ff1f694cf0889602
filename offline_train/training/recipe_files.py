"""Recipes as TOML files: those that ship, one's own, and single keys given in their place.

A recipe's file holds the settings of one training run; its key ``recipe`` names what is trained.
A run keeps them whole in its checkpoint and resumes with those. Shipped files lie beside the
recipes, ``offline_train/recipes/KIND/NAME.toml``. Not here: the settings themselves (``settings``),
and which module trains what (``commands.recipes``).
"""

import logging
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from engine.core.errors import ConfigError
from engine.core.typed_values import nearest, parse_toml, word
from engine.system.paths import did_you_mean, given_path
from offline_train.training.checkpoints import differences, read_checkpoint
from offline_train.training.settings import RunSettings

log = logging.getLogger(__name__)

Settings = TypeVar("Settings", bound=RunSettings)
Values = dict[str, Any]
"""Settings by key, tables as dicts, as TOML has them."""


class RecipeFile(NamedTuple):
    """A recipe as it is written: ``kind`` is what it trains."""

    name: str
    kind: str
    values: Values


def shipped_recipes() -> dict[str, Path]:
    """Return the files that ship, by ``KIND/NAME``."""
    folder = Path(str(files("offline_train.recipes")))
    return {f"{p.parent.name}/{p.stem}": p for p in sorted(folder.glob("*/*.toml"))}


def read_recipe(name: str, kind: str, kinds: tuple[str, ...]) -> RecipeFile:
    """Return the recipe of a shipped name or of a file.

    Parameters
    ----------
    name
        ``FILE.toml``, ``KIND/NAME``, or a NAME alone: of ``kind``, else the only one of that name.
    kinds
        Those that there are.

    Raises
    ------
    ConfigError
        If there is none such, or the file is not TOML or names no kind.
    """
    path = find_recipe(name, kind)
    try:
        values = parse_toml(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"cannot read the recipe {path} ({error.strerror}){did_you_mean(path)}"
        ) from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    found = values.pop("recipe", kind)
    if found not in kinds:
        raise ConfigError(f"{path}: recipe must be one of {', '.join(kinds)}, not {found!r}")
    return RecipeFile(name, found, values)


def find_recipe(name: str, kind: str) -> Path:
    """Return the file of a recipe. Raises ConfigError if there is none of that name."""
    if name.endswith(".toml"):
        return given_path(name)
    shipped = shipped_recipes()
    matches = [n for n in shipped if n in (name, f"{kind}/{name}")]
    matches = matches or [n for n in shipped if n.partition("/")[2] == name]
    if len(matches) == 1:
        return shipped[matches[0]]
    if matches:
        raise ConfigError(f"{word(name)} is the name of several recipes: {', '.join(matches)}")
    raise ConfigError(
        f"expected a recipe, FILE.toml or a name, got {word(name)}{nearest(name, list(shipped))}"
    )


def parse_override(text: str) -> tuple[str, Any]:
    """Return key and value of ``KEY=VALUE``, the value as TOML has it; a bare word is text.

    >>> parse_override("network.hidden=64")
    ('network.hidden', 64)
    >>> parse_override("device=cuda")
    ('device', 'cuda')

    Raises
    ------
    ConfigError
        If there is no ``=``.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"expected KEY=VALUE, as batch=4 or network.hidden=64, got {word(text)}")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def with_overrides(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> Values:
    """Return values with others in their place, by keys that name tables too: ``network.hidden``.

    >>> with_overrides({"network": {"hidden": 8}}, {"network.hidden": 16, "seed": 2})
    {'network': {'hidden': 16}, 'seed': 2}
    """
    made: Values = {k: dict(v) if isinstance(v, Mapping) else v for k, v in values.items()}
    for name, value in overrides.items():
        table, dot, rest = name.partition(".")
        if not dot:
            made[name] = value
            continue
        inner = made.get(table, {})
        if not isinstance(inner, Mapping):
            raise ConfigError(f"{table} is no table: expected it alone, got {word(name)}")
        made[table] = with_overrides(inner, {rest: value})
    return made


def run_settings(
    recipe: RecipeFile,
    overrides: Mapping[str, Any],
    make: Callable[[Mapping[str, Any]], Settings],
    checkpoint_recipe: str,
) -> Settings:
    """Return the settings to train with: the recipe's, or those of the run that is resumed.

    ``overrides`` win over both. Where the recipe now differs from what the run began with, a line
    of the log says in what.

    Parameters
    ----------
    make
        Makes settings of values; raises ConfigError.
    checkpoint_recipe
        The name by which a checkpoint knows what it is of.

    Raises
    ------
    ConfigError
        A key or value is wrong.
    ModelError
        If the run's folder holds a checkpoint of something else.
    """
    values = {"out": f"runs/{Path(recipe.name).stem}", **recipe.values}
    settings = make(with_overrides(values, overrides))
    last = settings.out / "last.pt"
    if not last.is_file():
        return settings
    kept: Values = read_checkpoint(last, checkpoint_recipe)["train"]
    if kept.keys() != {f.name for f in fields(settings)}:
        return settings  # an older version wrote it, which kept less
    begun = make(with_overrides({**kept, "out": str(settings.out)}, overrides))
    changed = differences(begun.plain(), settings.plain())
    if changed:
        log.warning(
            "%s: resumed with the settings that it began with, %s, which the recipe %s has now;"
            " change what may change by --set, or name another folder with --out",
            last,
            ", ".join(changed),
            recipe.name,
        )
    return begun
