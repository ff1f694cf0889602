"""The commands of AMT-APC."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from offline_train.commands.options import SMALLEST_RATE, Add, at_least, data_folder, number

if TYPE_CHECKING:
    from offline_train.recipes.amt_apc_run import ApcConfig


def add(command: Add) -> None:
    """Add the options of these commands."""
    training = command("train-apc", train_apc, "train AMT-APC, stage by stage, or go on")
    stages = ("amt", "extend", "apc")
    training.add_argument(
        "--stages", nargs="+", default=stages, choices=stages, help="those to go through"
    )
    ablating = command("ablation", ablation, "AMT-APC's table of what each part gives")
    ablating.add_argument("--test", type=Path, nargs="+", required=True, help="shards to judge on")
    for sub, out in ((training, "runs/apc"), (ablating, "runs/ablation")):
        sub.add_argument("--shards", type=Path, nargs="+", default=[Path("runs/prepared/train")])
        sub.add_argument("--valid", type=Path, nargs="+", default=[Path("runs/prepared/valid")])
        sub.add_argument("--out", type=Path, default=Path(out))
        sub.add_argument("--network", default="small", choices=("small", "paper"))
        sub.add_argument("--amt-steps", type=at_least(1), default=20_000)
        sub.add_argument("--extend-steps", type=at_least(1), default=2_000)
        sub.add_argument("--apc-steps", type=at_least(1), default=10_000)
        sub.add_argument(
            "--frames", type=at_least(1), default=512, help="frames of the cover's window"
        )
        sub.add_argument("--without-style", action="store_true")
        sub.add_argument("--batch", type=at_least(1), default=8)
        sub.add_argument("--learning-rate", type=number(SMALLEST_RATE), default=1e-4)
        sub.add_argument("--minutes", type=number(), default=0.0, help="stop after; 0: at the end")
        sub.add_argument("--seed", type=at_least(0), default=1)
        sub.add_argument(
            "--workers", type=at_least(1), default=1, help="processes that mix and master"
        )
        sub.add_argument("--threads", type=at_least(1), default=1)
        sub.add_argument("--device", default="cpu", help="cpu or cuda")
        sub.add_argument("--begin-with", type=Path, help="a checkpoint to begin with")
        sub.add_argument(
            "--random-places", action="store_true", help="begin as the papers', to compare"
        )
    sub = command("export-apc", export_apc, "export a checkpoint of AMT-APC to ONNX")
    sub.add_argument("checkpoint", type=Path)
    sub.add_argument("--covers", type=Path, nargs="*", default=[], help="shards for the styles")
    sub.add_argument("--out", type=Path, default=Path("runs/apc"))
    sub.add_argument("--name", default="studio")
    sub.add_argument("--tuned", action="store_true", help="thresholds from validation songs")
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--cache", type=Path, default=Path("runs/rendered"))


def train_apc(args: argparse.Namespace) -> None:
    """Train AMT-APC, or go on."""
    from offline_train.recipes import amt_apc as train_hft

    print(train_hft.train(replace(_apc_config(args), stages=tuple(args.stages))))


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
    """Train and judge AMT-APC with a part left out."""
    from offline_train.studies.exploration import ablation as study

    print(study.table(study.ablation(_apc_config(args), tuple(args.test))))


def _apc_config(args: argparse.Namespace) -> "ApcConfig":
    from offline_train.recipes.amt_apc_run import ApcConfig

    return ApcConfig(
        tuple(args.shards),
        tuple(args.valid),
        args.out,
        network=args.network,
        amt_steps=args.amt_steps,
        extend_steps=args.extend_steps,
        apc_steps=args.apc_steps,
        n_frames=args.frames,
        has_style=not args.without_style,
        batch=args.batch,
        learning_rate=args.learning_rate,
        minutes=args.minutes,
        seed=args.seed,
        workers=args.workers,
        threads=args.threads,
        device=args.device,
        begin_with=args.begin_with,
        has_random_places=args.random_places,
    )
