"""The commands of a user's own covers: a model of them, and the proof on made-up pianists."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.core.errors import DataError
from engine.system.command import say
from offline_train.commands import data, recipes
from offline_train.commands.options import SMALLEST_RATE, Add, at_least, data_folder, number
from offline_train.commands.recipes import PREFIX, add_key, add_recipe_options

if TYPE_CHECKING:
    from offline_train.training.cover.settings import CoverSettings


TRANSCRIBER = "transcribe"
"""Of recorded covers: made for pianos, it hears how hard a key was struck."""


def add(command: Add) -> None:
    """Add the options of these commands."""
    sub = command("own-covers", own_covers, "make a model that plays as your own covers do")
    data.add_pairs_options(sub, TRANSCRIBER)
    sub.add_argument("--name", default="own", help="of the model: OUT/NAME.onnx")
    _add_training(sub)

    sub = command("prove-own-covers", prove_own_covers, "do so for three made-up pianists")
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--songs", type=at_least(4), default=14, help="that each pianist covers")
    sub.add_argument("--excerpt", type=number(20), default=45.0, help="seconds a song")
    sub.add_argument("--limit", type=at_least(1), default=8, help="test songs to measure on")
    sub.add_argument("--against", default="live", help="the model that they begin with, exported")
    _add_training(sub)


def _add_training(sub: argparse.ArgumentParser) -> None:
    add_recipe_options(sub, "cover", "own")
    add_key(sub, "--hours", "hours", type=number(SMALLEST_RATE), help="of training")
    add_key(sub, "--batch", "batch", type=at_least(1), help="crops that a process takes")
    add_key(sub, "--threads", "threads", type=at_least(1))
    add_key(sub, "--device", "device", help="cpu or cuda")
    add_key(sub, "--start-from", "start_from", type=Path, help="weights to begin with")
    recipes.add_cluster_options(sub)


def own_covers(args: argparse.Namespace) -> None:
    """Align a folder of songs and covers, go on training with them, export the model."""
    out = _out(args)
    data.make_pairs(args, out)
    model = _model(args, out, args.name)
    say(f"{model}\nplay with it: livecover --model {model} --rhythm free")


def _out(args: argparse.Namespace) -> Path:
    """Return the folder of everything that is written."""
    given = recipes.overrides_of(args).get("out")
    return Path(given or recipes.read(args).values.get("out", "runs/own"))


def _model(args: argparse.Namespace, out: Path, name: str) -> Path:
    from offline_train.studies.own_covers.fine_tune import describe, make_model, trainer

    say(f"{out}: {describe(out / 'train')}")
    given = argparse.Namespace(**{**vars(args), f"{PREFIX}out": out, f"{PREFIX}prepared": out})
    kind, found = recipes.settings_of(given)
    if kind is not recipes.KINDS["cover"]:
        raise DataError(f"expected a recipe of the cover model, {args.recipe} trains another")
    settings = cast("CoverSettings", found)
    cluster = recipes.cluster_of(args, settings.device) if args.cluster else None
    model = make_model(settings, name, trainer(cluster))
    say(f"trained {settings.hours:g} h in all; the same command with more --hours goes on")
    return model


def prove_own_covers(args: argparse.Namespace) -> None:
    """Make models of three pianists. Raises DataError where one has not its pianist's manner."""
    from offline_train.evaluation import EvaluateConfig
    from offline_train.studies.own_covers.pianists import PIANISTS
    from offline_train.studies.own_covers.proof import prove, write_folder
    from offline_train.studies.pairs.build import PairsConfig

    folder, out = data_folder(args), _out(args)
    models = {}
    for name in PIANISTS:
        songs = write_folder(folder, out, name, args.songs, args.excerpt)
        data.report_pairs(PairsConfig(songs, out / name, TRANSCRIBER))
        models[name] = _model(args, out / name, name)
    test = EvaluateConfig(
        folder, out / "rendered", excerpt_s=args.excerpt, limit=args.limit, workers=1
    )
    proof = prove(models, args.against, test)
    say(proof.table())
    if not proof.holds():
        near = ", ".join(f"{name} is nearest to {proof.nearest(name)}" for name in models)
        raise DataError(f"expected each model to have its pianist's manner: {near}")
