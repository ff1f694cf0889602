"""The papers' experiments, and the commands that came of them."""

import argparse
import os
from pathlib import Path

from offline_train.commands.options import Add, at_least, data_folder, number
from offline_train.studies.experiments import EXPERIMENTS, SIZES


def add(command: Add) -> None:
    """Add the options of these commands."""
    sub = command("transfer", transfer, "teach the transcriber your instrument, and show the gain")
    sub.add_argument("folder", type=Path, help="recordings, NAME.mid beside NAME.wav")
    sub.add_argument("--start", type=Path, default=Path("models/weights/transcriber.pt"))
    sub.add_argument("--out", type=Path, default=Path("runs/transfer"))
    sub.add_argument("--name", default="mine", help="of the model that comes of it")
    sub.add_argument("--steps", type=at_least(1), default=300)
    sub.add_argument("--seed", type=at_least(0), default=1)
    sub.add_argument("--threads", type=at_least(1), default=os.cpu_count() or 1)
    sub = command("experiment", experiment, "run a paper's experiment, or go on")
    sub.add_argument("name", choices=tuple(EXPERIMENTS))
    sub.add_argument("--size", default="small", choices=SIZES)
    sub.add_argument("--data", help="folder with a folder for each corpus, and splits.json")
    sub.add_argument("--prepared", type=Path, help="shards of bands that are there already")
    sub.add_argument("--out", type=Path, help="runs/NAME-SIZE by default")
    sub.add_argument(
        "--minutes", type=number(), default=0.0, help="of each training, where the clock ends it"
    )
    sub.add_argument("--rows", nargs="+", default=(), help="train these rows of the table alone")
    sub.add_argument("--seed", type=at_least(0), default=1)
    sub.add_argument("--threads", type=at_least(1), default=os.cpu_count() or 1)
    sub.add_argument("--device", default="cpu", help="cpu or cuda")

    sub = command("match", match, "find the passages of MIDI files nearest to a song")
    sub.add_argument("song", type=Path)
    sub.add_argument("--corpus", type=Path, required=True, help="a folder of MIDI files")
    sub.add_argument("--model", type=Path, default=Path("models/weights/match.pt"))
    sub.add_argument(
        "--keys", type=at_least(0), default=1, choices=(1, 12), help="12: in every key"
    )
    sub.add_argument("--limit", type=at_least(0), default=10, help="matches to print")
    sub.add_argument("--cache", type=Path, default=Path("runs/matching"), help="keeps the index")
    sub.add_argument("--out", type=Path, help="also write the passages here, as MIDI")


def transfer(args: argparse.Namespace) -> None:
    """Teach the transcriber a user's instrument."""
    from offline_train.studies.transcription.adapt import AdaptConfig, adapt

    config = AdaptConfig(
        args.folder,
        args.out,
        args.start,
        name=args.name,
        steps=args.steps,
        seed=args.seed,
        threads=args.threads,
    )
    print(adapt(config).report())


def experiment(args: argparse.Namespace) -> None:
    """Run a paper's experiment, or go on with it."""
    from offline_train.studies.experiments import ExperimentConfig, run_experiment

    out = args.out or Path("runs") / f"{args.name}-{args.size}"
    config = ExperimentConfig(
        data_folder(args),
        out,
        args.size,
        seed=args.seed,
        threads=args.threads,
        device=args.device,
        prepared=args.prepared,
        minutes=args.minutes,
        rows=tuple(args.rows),
    )
    print(run_experiment(args.name, config))


def match(args: argparse.Namespace) -> None:
    """Find the passages of a corpus that are nearest to a song."""
    from offline_train.studies.matching import match as matching

    found = matching.match(
        matching.MatchConfig(
            args.model, args.song, args.corpus, args.cache, args.keys, n_matches=args.limit
        )
    )
    for line in found:
        print(line.line())
    if args.out:
        matching.save_matches(found, args.corpus, args.out)
