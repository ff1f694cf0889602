"""The commands of recipes: train by one, list those that ship."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from offline_train.commands.options import Add, at_least

if TYPE_CHECKING:
    from offline_train.recipes.cluster import Cluster
    from offline_train.training.recipe_files import RecipeFile
    from offline_train.training.settings import RunSettings


@dataclass(frozen=True, slots=True)
class Kind:
    """Something to train: its ``module`` has ``RECIPE``, ``settings`` and ``train``."""

    module: str

    def load(self) -> Any:
        """Return the module, imported now: it needs torch."""
        return import_module(self.module)


KINDS = {
    "cover": Kind("offline_train.recipes.cover"),
    "window": Kind("offline_train.recipes.window"),
    "amt_apc": Kind("offline_train.recipes.amt_apc"),
    "beat": Kind("offline_train.recipes.beat"),
    "bar": Kind("offline_train.recipes.bar"),
    "strikes": Kind("offline_train.recipes.strikes"),
    "accompanist": Kind("offline_train.recipes.accompanist"),
    "embedding": Kind("offline_train.studies.matching.recipe"),
    "arranger": Kind("offline_train.studies.arranging.recipe"),
}
"""What can be trained, by the name that a recipe's file gives it."""

PREFIX = "set."
"""Of the destination of an option that stands for a key of the recipe."""


def add(command: Add) -> None:
    """Add the options of these commands."""
    sub = command("recipes", recipes, "list the recipes that ship, or print one")
    sub.add_argument("name", nargs="?", help="the one to print, to begin a file of your own with")


def add_recipe_options(sub: argparse.ArgumentParser, kind: str, default: str = "small") -> None:
    """Add what each command has that trains by a recipe."""
    sub.add_argument(
        "--recipe",
        default=f"{kind}/{default}",
        help="FILE.toml, or the name of one that ships (livecover-train recipes)",
    )
    sub.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="keys in place of the recipe's, as network.hidden=64",
    )
    sub.set_defaults(kind=kind)
    add_key(sub, "--out", "out", type=Path, help="the run's folder")


def add_key(sub: argparse.ArgumentParser, option: str, key: str, **more: Any) -> None:
    """Add an option that stands for a key of the recipe; not given, the recipe's counts."""
    sub.add_argument(option, dest=PREFIX + key, default=argparse.SUPPRESS, **more)


def overrides_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the command line gives in place of the recipe's keys."""
    from offline_train.training.recipe_files import parse_override

    given = {k.removeprefix(PREFIX): v for k, v in vars(args).items() if k.startswith(PREFIX)}
    return given | dict(map(parse_override, args.set))


def add_cluster_options(sub: argparse.ArgumentParser) -> None:
    """Add where a training runs that can be shared out."""
    sub.add_argument("--workers", type=at_least(1), default=2, help="workers of a cluster")
    sub.add_argument("--cluster", help="train on Ray: an address, or local")


def cluster_of(args: argparse.Namespace, device: str) -> "Cluster":
    """Return the cluster that was asked for."""
    from offline_train.recipes.cluster import Cluster

    address = None if args.cluster == "local" else args.cluster
    return Cluster(args.workers, device.startswith("cuda"), address)


def read(args: argparse.Namespace) -> "RecipeFile":
    """Return the recipe that was asked for."""
    from offline_train.training.recipe_files import read_recipe

    return read_recipe(args.recipe, args.kind, tuple(KINDS))


def settings_of(args: argparse.Namespace) -> tuple[Kind, "RunSettings"]:
    """Return what is to be trained, and the settings; those of the run if it is resumed."""
    from offline_train.training.recipe_files import run_settings

    recipe = read(args)
    kind = KINDS[recipe.kind]
    module = kind.load()
    return kind, run_settings(recipe, overrides_of(args), module.settings, module.RECIPE)


def new_settings(args: argparse.Namespace, **more: Any) -> "RunSettings":
    """Return the settings of a recipe of the command's kind, whatever run there is."""
    from offline_train.training.recipe_files import with_overrides

    recipe = read(args)
    make = KINDS[args.kind].load().settings
    values: Mapping[str, Any] = recipe.values | more
    return cast("RunSettings", make(with_overrides(values, overrides_of(args))))


def train(args: argparse.Namespace) -> None:
    """Train by a recipe."""
    kind, settings = settings_of(args)
    print(kind.load().train(settings))


def recipes(args: argparse.Namespace) -> None:
    """List the recipes that ship, or print one."""
    from offline_train.training.recipe_files import find_recipe, shipped_recipes

    if args.name:
        print(find_recipe(args.name, "").read_text(encoding="utf-8"), end="")
        return
    for name, path in shipped_recipes().items():
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        print(f"{name:24} {first.removeprefix('# ')}")
