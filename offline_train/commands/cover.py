"""The commands of the streaming cover model: train, explore, export, and what belongs to it."""

import argparse
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.core.errors import ConfigError
from offline_train.commands import recipes
from offline_train.commands.options import (
    SMALLEST_RATE,
    Add,
    at_least,
    data_folder,
    number,
)
from offline_train.commands.recipes import add_key, add_recipe_options
from offline_train.corpora import SPLITS
from offline_train.corpora.data_folder import DATA_VARIABLE

if TYPE_CHECKING:
    from offline_train.training.cover.settings import CoverSettings

log = logging.getLogger(__name__)

SIZES = {
    "conv_channels": "channels of the first convolution",
    "channels": "channels of what follows it",
    "partials": "partials gathered for a pitch",
    "refine_hidden": "units of the transcription's second GRU, 0 for none",
    "context": "units of the cover over the whole keyboard",
    "hidden": "units of the cover for each pitch",
}
"""Options of ``train`` that choose the network's size."""


def add(command: Add) -> None:
    """Add the options of these commands."""
    _add_training(command)
    sub = command("export", export, "tune a checkpoint's decoder and export it to ONNX")
    sub.add_argument("--checkpoint", type=Path, default=Path("runs/cover/last.pt"))
    sub.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    sub.add_argument(
        "--data", help="folder with pop909/ and splits.json, to tune on in place of own covers"
    )
    sub.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    sub.add_argument("--out", type=Path, default=Path("models/shipped"))
    sub.add_argument("--name", default="live")
    sub.add_argument(
        "--transcription-residual-weight",
        type=number(0, 1),
        help="of the transcription in the cover; the checkpoint's own",
    )
    sub.add_argument("--credit", default="see docs/models.md", help="data and licences")
    sub.add_argument("--weights", type=Path, help="also write its weights here, to begin with")

    sub = command("restyle", restyle, "give an exported model presets of covers")
    sub.add_argument("model", help="a model's name or path")
    sub.add_argument("--covers", type=Path, required=True, help="shards with covers")
    sub.add_argument("--out", type=Path, help="FILE.onnx to write; without, a path is rewritten")

    sub = command("sketch-window", sketch_window, "export a window network, trained or not")
    sub.add_argument("--out", type=Path, default=Path("runs/window"))
    sub.add_argument(
        "--network", default="window", choices=("window", "small", "paper"), help="or AMT-APC's"
    )
    sub.add_argument("--window-frames", type=at_least(1), default=512)
    sub.add_argument("--checkpoint", type=Path, help="of the recipe window; random without")
    sub.add_argument("--seed", type=at_least(0), default=1)

    sub = command("quantize", quantize, "compare a model with itself in eight bits")
    sub.add_argument("model", nargs="?", default="live", help="a model's name or path")
    sub.add_argument("--out", type=Path, default=Path("runs/int8"))
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    sub.add_argument("--limit", type=at_least(0), default=16, help="songs of the test; 0 is all")

    sub = command("bench", bench, "time a training step with and without fused GRUs")
    sub.add_argument("--steps", type=at_least(1), default=5, help="of each")
    sub.add_argument("--frames", type=at_least(2, 2), default=512, help="frames in a crop")
    sub.add_argument("--batch", type=at_least(1), default=2)
    sub.add_argument("--threads", type=at_least(1), default=1)


def _add_training(command: Add) -> None:
    training = command("train", train, "train by a recipe, the streaming cover model's, or resume")
    exploring = command(
        "explore", explore, "train it in several settings, and draw F1 against latency"
    )
    add_recipe_options(training, "cover")
    add_recipe_options(exploring, "cover", "explore")
    for sub in (training, exploring):
        add_key(sub, "--prepared", "prepared", type=Path, help="holds the folders of shards")
        add_key(sub, "--hours", "hours", type=number(SMALLEST_RATE), help="of each training")
        add_key(sub, "--frames", "n_frames", type=at_least(2, 2), help="in a crop")
        add_key(sub, "--batch", "batch", type=at_least(1), help="crops that a process takes")
        add_key(sub, "--learning-rate", "learning_rate", type=number(SMALLEST_RATE))
        add_key(sub, "--seed", "seed", type=at_least(0))
        add_key(sub, "--threads", "threads", type=at_least(1))
        add_key(sub, "--device", "device", help="cpu or cuda")
        add_key(
            sub, "--start-from", "start_from", type=Path, help="weights to begin with, if they fit"
        )
    frames = "frames the model waits; as the start does, if there is one"
    add_key(training, "--lookahead", "network.lookahead_frames", type=at_least(0), help=frames)
    for name, what in SIZES.items():
        least = at_least(0 if name == "refine_hidden" else 1)
        option = f"--{name.replace('_', '-')}"
        add_key(training, option, f"network.{name}", type=least, help=f"{what}; as the start has")
    add_key(
        training,
        "--part",
        "part",
        choices=("all", "transcriber", "heads", "cover"),
        help="what is trained: all, the transcriber, its heads alone, or the cover part alone",
    )
    recipes.add_cluster_options(training)
    exploring.add_argument("--grid", default="small", choices=("small", "full"))
    exploring.add_argument(
        "--only", nargs="+", default=(), help="names of settings, as lookahead-4"
    )
    exploring.add_argument("--data", help="folder with pop909/ and splits.json")
    exploring.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    exploring.add_argument(
        "--split", default="valid", choices=SPLITS, help="evaluated on its rung b"
    )
    exploring.add_argument(
        "--excerpt", type=number(), default=90.0, help="seconds a song; 0 is all"
    )
    exploring.add_argument("--limit", type=at_least(0), default=16, help="songs; 0 is all")
    exploring.add_argument(
        "--workers", type=at_least(1), default=1, help="songs evaluated at a time"
    )


def train(args: argparse.Namespace) -> None:
    """Train by a recipe, here or on a cluster."""
    if not args.cluster:
        recipes.train(args)
        return
    from offline_train.recipes.cluster import train_on_cluster

    kind, settings = recipes.settings_of(args)
    if kind is not recipes.KINDS["cover"]:
        raise ConfigError("a cluster trains the streaming cover model; leave --cluster out")
    cluster = recipes.cluster_of(args, settings.device)
    print(train_on_cluster(cast("CoverSettings", settings), cluster))


def explore(args: argparse.Namespace) -> None:
    """Train and evaluate the streaming cover model in several settings."""
    from offline_train.evaluation import EvaluateConfig
    from offline_train.studies.exploration import explore as study
    from offline_train.studies.exploration import report as explore_report

    songs = EvaluateConfig(
        data_folder(args),
        args.cache,
        split=args.split,
        excerpt_s=args.excerpt,
        limit=args.limit,
        workers=args.workers,
    )
    settings = cast("CoverSettings", recipes.new_settings(args))
    config = study.ExploreConfig(settings, songs, settings.out, args.grid, tuple(args.only))
    results = study.explore(config)
    log.info("%s", explore_report.save(results, config))
    print(explore_report.table(results))


def export(args: argparse.Namespace) -> None:
    """Tune and export a checkpoint."""
    from offline_train.exporting.release import ReleaseConfig, release
    from offline_train.training.cover.task import load_checkpoint, write_start

    config = ReleaseConfig(
        args.checkpoint,
        args.prepared,
        _tuning_data(args),
        args.cache,
        args.out,
        args.name,
        args.credit,
        args.transcription_residual_weight,
    )
    for path in release(config):
        print(path)
    if args.weights:
        print(write_start(load_checkpoint(args.checkpoint), args.weights))


def _tuning_data(args: argparse.Namespace) -> Path | None:
    """Return POP909's folder where it was asked for, or is there and one's own covers are not."""
    from offline_train.exporting.thresholds import own_covers

    is_elsewhere = own_covers(args.prepared / "valid") or not os.environ.get(DATA_VARIABLE)
    return None if is_elsewhere and not args.data else data_folder(args)


def restyle(args: argparse.Namespace) -> None:
    """Give an exported model new presets."""
    from engine.model.model_files import model_path
    from offline_train.exporting import release

    path = model_path(args.model)
    if args.out is None and str(path) != str(Path(args.model)):
        raise ConfigError(f"expected --out FILE.onnx: the shipped {args.model} stays as it is")
    print(release.restyle(path, args.covers, args.out))


def sketch_window(args: argparse.Namespace) -> None:
    """Export a window network."""
    from offline_train.exporting.sketch import sketch_window

    print(sketch_window(args.network, args.out, args.window_frames, args.seed, args.checkpoint))


def quantize(args: argparse.Namespace) -> None:
    """Compare a model with itself in eight bits."""
    from engine.model.model_files import model_path
    from offline_train.evaluation import EvaluateConfig
    from offline_train.exporting.quantize import compare

    songs = EvaluateConfig(data_folder(args), args.cache, limit=args.limit)
    calibration = EvaluateConfig(
        data_folder(args), args.cache, "valid", "a", excerpt_s=60.0, limit=4
    )
    print(compare(model_path(args.model), args.out, songs, calibration))


def bench(args: argparse.Namespace) -> None:
    """Time a step of training."""
    from offline_train.recipes.speed import bench_step

    print(bench_step(args.steps, args.frames, args.batch, args.threads))
