"""The commands of AMT-APC."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, cast

from offline_train.commands.options import SMALLEST_RATE, Add, at_least, data_folder, number
from offline_train.commands.recipes import add_key, add_recipe_options, new_settings, train

if TYPE_CHECKING:
    from offline_train.recipes.amt_apc_run import ApcSettings


def add(command: Add) -> None:
    """Add the options of these commands."""
    training = command("train-apc", train, "train AMT-APC by a recipe, stage by stage, or resume")
    add_recipe_options(training, "amt_apc")
    stages = ("amt", "extend", "apc")
    add_key(training, "--stages", "stages", nargs="+", choices=stages, help="those to go through")
    ablating = command("ablation", ablation, "AMT-APC's table of what each part gives")
    ablating.add_argument(
        "--test", type=Path, nargs="+", required=True, help="shards to evaluate on"
    )
    add_recipe_options(ablating, "amt_apc", "ablation")
    for sub in (training, ablating):
        add_key(sub, "--shards", "train", type=Path, nargs="+", help="folders to learn from")
        add_key(sub, "--valid", "valid", type=Path, nargs="+", help="folders to validate on")
        add_key(sub, "--network", "network", choices=("small", "paper"))
        for stage in stages:
            add_key(sub, f"--{stage}-steps", f"{stage}_steps", type=at_least(1))
        add_key(sub, "--frames", "n_frames", type=at_least(1), help="of the cover's window")
        add_key(sub, "--without-style", "has_style", action="store_false")
        add_key(sub, "--batch", "batch", type=at_least(1))
        add_key(sub, "--learning-rate", "learning_rate", type=number(SMALLEST_RATE))
        add_key(sub, "--minutes", "minutes", type=number(), help="stop after; 0: at the end")
        add_key(sub, "--seed", "seed", type=at_least(0))
        add_key(sub, "--workers", "workers", type=at_least(1), help="that mix and master")
        add_key(sub, "--threads", "threads", type=at_least(1))
        add_key(sub, "--device", "device", help="cpu or cuda")
        add_key(sub, "--begin-with", "begin_with", type=Path, help="a checkpoint to begin with")
        add_key(
            sub, "--random-places", "has_random_places", action="store_true",
            help="begin as the papers', to compare",
        )  # fmt: skip
    sub = command("export-apc", export_apc, "export a checkpoint of AMT-APC to ONNX")
    sub.add_argument("checkpoint", type=Path)
    sub.add_argument("--covers", type=Path, nargs="*", default=[], help="shards for the styles")
    sub.add_argument("--out", type=Path, default=Path("runs/apc"))
    sub.add_argument("--name", default="apc")
    sub.add_argument("--tuned", action="store_true", help="thresholds from validation songs")
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--cache", type=Path, default=Path("runs/rendered"))


def export_apc(args: argparse.Namespace) -> None:
    """Export a checkpoint of AMT-APC."""
    from offline_train.evaluation import EvaluateConfig
    from offline_train.exporting.export_hft import TUNING_SONGS, export_hft

    songs = None
    if args.tuned:
        songs = EvaluateConfig(
            data_folder(args), args.cache, "valid", "a", excerpt_s=60.0, limit=TUNING_SONGS
        )
    print(export_hft(args.checkpoint, args.out, args.name, tuple(args.covers), songs))


def ablation(args: argparse.Namespace) -> None:
    """Train and evaluate AMT-APC with a part left out."""
    from offline_train.studies.exploration import ablation as study

    settings = cast("ApcSettings", new_settings(args))
    print(study.table(study.ablation(settings, tuple(args.test))))
