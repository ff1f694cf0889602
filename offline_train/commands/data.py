"""The commands that prepare data: songs, recordings and pairs as shards."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.errors import DataError
from offline_train.commands.options import Add, at_least, data_folder, number
from offline_train.corpora import SPLITS

if TYPE_CHECKING:
    from offline_train.studies.pairs.build import PairsConfig


def add(command: Add) -> None:
    """Add the options of these commands."""
    sub = command("corpus", corpus, "count what a corpus holds, and name what is broken")
    sub.add_argument("name", help="pop909, giantmidi, freedoom, midi, maestro, ...")
    sub.add_argument("folder", type=Path)

    sub = command("prepare", prepare, "render a split of a corpus as shards of dry stems")
    sub.add_argument("--data", help="folder with a folder for each corpus, and splits.json")
    sub.add_argument("--out", type=Path, default=Path("runs/prepared"))
    sub.add_argument("--corpus", default="pop909", help="a corpus's name, its folder's too")
    sub.add_argument("--solo", action="store_true", help="its piano alone")
    sub.add_argument("--split", default="train", choices=SPLITS)
    sub.add_argument("--excerpt", type=number(), default=90.0, help="seconds a song; 0 is all")
    sub.add_argument("--takes", type=at_least(1), default=1, help="renderings of each song")
    sub.add_argument("--limit", type=at_least(0), default=0, help="songs; 0 is all")
    sub.add_argument("--skip", type=at_least(0), default=0, help="songs at the start to leave out")
    sub.add_argument("--seed", type=at_least(0), default=1)
    sub.add_argument("--pieces", type=at_least(1), default=6, help="in a shard")
    sub.add_argument(
        "--sounds",
        default="installed",
        choices=("installed", "people", "recorded", "small"),
        help="the system's; these and people that sing; these and recorded pianos for a piano"
        " alone; or small ones that need no program",
    )
    sub.add_argument("--workers", type=at_least(1), default=os.cpu_count() or 1)
    sub.add_argument("--cluster", help="render on Ray: an address, or local")

    sub = command("recordings", recordings, "fetch free recordings and label them")
    sub.add_argument("--folder", type=Path, default=Path("runs/recordings"))
    sub.add_argument("--out", type=Path, default=Path("runs/prepared"))
    sub.add_argument("--split", default="train", choices=("train", "heldout"))
    sub.add_argument("--excerpt", type=number(), default=150.0, help="seconds; 0 is all")
    sub.add_argument("--limit", type=at_least(0), default=0, help="songs; 0 is all")

    sub = command("pairs", pairs, "build aligned pairs from recordings of songs and covers")
    add_pairs_options(sub)
    sub.add_argument("--out", type=Path, default=Path("runs/pairs"))
    sub.add_argument("--workers", type=at_least(1), default=1)

    sub = command("mix-statistics", mix_statistics, "compare mixes of training with records")
    sub.add_argument("--recordings", type=Path, help="a folder of records with singers")
    sub.add_argument("--prepared", type=Path, nargs="*", default=(), help="folders of shards")
    sub.add_argument("--limit", type=at_least(1), default=24, help="pieces of a folder of shards")


def add_pairs_options(sub: argparse.ArgumentParser, transcriber: str = "basic-pitch") -> None:
    """Add what each command has that aligns a user's songs and covers."""
    layout = "with NAME.* and NAME.mid or NAME-cover.*, SONG/song.* and SONG/cover*.*, or pairs.csv"
    sub.add_argument("folder", type=Path, help=layout)
    sub.add_argument("--transcriber", default=transcriber, help="basic-pitch or a model of ours")
    sub.add_argument("--style", default="balanced", help="of a model of ours")
    sub.add_argument(
        "--accept", nargs="+", default=(), help="pairs to take though they are rejected, by name"
    )


def corpus(args: argparse.Namespace) -> None:
    """Count what a corpus holds."""
    from offline_train.corpora import open_corpus, report, summarise

    print(report(summarise(open_corpus(args.name, args.folder))))


def prepare(args: argparse.Namespace) -> None:
    """Render a split of a corpus."""
    from offline_train.data import prepare as rendering

    folder = f"solo-{args.split}" if args.solo else args.split
    if args.corpus != "pop909":
        folder = f"{args.corpus}-{folder}"
    if args.sounds in ("people", "recorded"):
        folder = f"{args.sounds}-{folder}"
    config = rendering.PrepareConfig(
        data_folder(args),
        args.out / folder,
        split=args.split,
        corpus=args.corpus,
        solo=args.solo,
        excerpt_s=args.excerpt,
        takes=args.takes,
        pieces=args.pieces,
        seed=args.seed,
        sounds=args.sounds,
        workers=args.workers,
        limit=args.limit,
        skip=args.skip,
    )
    if args.cluster:
        from offline_train.recipes.cluster import Cluster, render_on_cluster

        address = None if args.cluster == "local" else args.cluster
        pieces = render_on_cluster(config, Cluster(args.workers, address=address))
    else:
        pieces = rendering.prepare(config)
    print(f"{pieces} pieces in {config.out}")


def recordings(args: argparse.Namespace) -> None:
    """Fetch and label recordings."""
    from offline_train.data.packages import fetch
    from offline_train.data.recordings import write_recordings

    fetch(args.folder)
    out = args.out / ("recordings" if args.split == "train" else f"recordings-{args.split}")
    written = write_recordings(
        args.folder, out, args.split, limit_s=args.excerpt, n_songs=args.limit
    )
    print(f"{out}: {written}")


def pairs(args: argparse.Namespace) -> None:
    """Align songs and covers."""
    make_pairs(args, args.out, args.workers)


def make_pairs(args: argparse.Namespace, out: Path, workers: int = 1) -> None:
    """Align songs and covers, and say what became of each. Raises DataError if none is kept."""
    from offline_train.studies.pairs.build import PairsConfig

    config = PairsConfig(
        args.folder,
        out,
        transcriber=args.transcriber,
        style=args.style,
        workers=workers,
        accept=tuple(args.accept),
    )
    report_pairs(config)


def report_pairs(config: "PairsConfig") -> None:
    """Do what ``make_pairs`` does, by a config."""
    from offline_train.studies.pairs.build import build

    results, apart = build(config)
    out = config.out
    for result in results:
        print(result.line())
    kept = sum(result.shard is not None for result in results)
    print(f"{out}: {kept} of {len(results)} pairs kept")
    if apart:
        print(f"{out}: {', '.join(apart)} kept apart in valid, the rest is in train")
    elif kept:
        print(f"{out}: one song alone; training needs another, to check with")
    print(out / "report.md")
    if not kept:
        raise DataError(f"{out}: no pair was accepted, nothing to train on; see the report")


def mix_statistics(args: argparse.Namespace) -> None:
    """Print what records and mixes of training are like, side by side."""
    from offline_train.studies.records import mix_statistics as study
    from offline_train.studies.records.separation import Separator

    mixes = {str(folder): study.trained_on(folder, args.limit) for folder in args.prepared}
    if args.recordings is not None:
        mixes = {str(args.recordings): study.recorded(args.recordings), **mixes}
    print(study.compare(mixes, Separator()))
