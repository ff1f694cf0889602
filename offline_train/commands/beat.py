"""The commands of the beat network: its pieces, its training, its file, its figures."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from offline_train.commands.options import Add, at_least, data_folder, number
from offline_train.commands.recipes import add_key, add_recipe_options, train
from offline_train.corpora import SPLITS

if TYPE_CHECKING:
    from offline_train.data.sources import Split


def add(command: Add) -> None:
    """Add the options of these commands."""
    sub = command("prepare-beats", prepare_beats, "render songs at many tempos, with their beats")
    sub.add_argument("--data", help="folder with a folder for each corpus, and splits.json")
    sub.add_argument("--out", type=Path, default=Path("runs/prepared"))
    sub.add_argument("--corpus", default="pop909", choices=("pop909", "freedoom"))
    sub.add_argument("--split", default="train", choices=SPLITS)
    sub.add_argument("--excerpt", type=number(5), default=80.0, help="seconds a song")
    sub.add_argument("--takes", type=at_least(1), default=1, help="renderings of each song")
    sub.add_argument("--mixes", type=at_least(1), default=3, help="masters of each rendering")
    sub.add_argument("--limit", type=at_least(0), default=0, help="songs; 0 is all")
    sub.add_argument("--seed", type=at_least(0), default=1)
    sub.add_argument("--workers", type=at_least(0), default=1)
    source = sub.add_mutually_exclusive_group()
    source.add_argument("--stems", type=Path, help="mix shards of prepare anew, render nothing")
    source.add_argument("--recordings", type=Path, help="fetch music into this folder, find beats")

    sub = command("train-beat", train, "train the beat network by a recipe, or resume")
    add_recipe_options(sub, "beat")
    add_key(sub, "--prepared", "prepared", type=Path, help="holds the folders of shards")
    add_key(sub, "--minutes", "minutes", type=number(), help="of training; 0 is to the end")

    sub = command("export-beat", export_beat, "export a checkpoint of the beat network to ONNX")
    sub.add_argument("checkpoint", type=Path)
    sub.add_argument("--out", type=Path, default=Path("runs/beat"))

    sub = command("train-bar", train, "train the bar network by a recipe, or resume")
    add_recipe_options(sub, "bar")
    add_key(sub, "--heard", "heard", type=Path, help="what hear-songs left")

    sub = command("export-bar", export_bar, "export a checkpoint of the bar network to ONNX")
    sub.add_argument("checkpoint", type=Path)
    sub.add_argument("--out", type=Path, default=Path("runs/bar"))

    sub = command("evaluate-beat", evaluate_beat, "evaluate beats as they are predicted")
    sub.add_argument("model", type=Path, nargs="?", help="a beat.onnx; the one that ships")
    sub.add_argument("--bars", type=Path, help="a bar.onnx; the one that ships")
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    sub.add_argument("--rung", default="b", choices=("a", "b", "c", "e"))
    sub.add_argument("--split", default="test", choices=SPLITS)
    sub.add_argument("--recordings", type=Path, help="a folder of sound files, in place of POP909")
    sub.add_argument("--excerpt", type=number(), default=90.0, help="seconds a song; 0 is all")
    sub.add_argument("--limit", type=at_least(0), default=0, help="songs; 0 is all")
    sub.add_argument(
        "--ahead", type=number(), default=100.0, help="ms from the prediction of a beat to the beat"
    )
    sub.add_argument("--songs", action="store_true", help="also print every song's figures")


def prepare_beats(args: argparse.Namespace) -> None:
    """Make the pieces that the beat network learns from."""
    from models.features import LOG_STFT_16K
    from offline_train.data.beats import pieces as beat_pieces

    if args.stems:
        out = args.out / f"beats-remix-{args.split}"
        n_pieces = beat_pieces.remix(args.stems, out, LOG_STFT_16K, args.mixes, args.workers)
    elif args.recordings:
        from offline_train.data.beats.recordings import make_recorded_pieces
        from offline_train.data.packages import fetch

        fetch(args.recordings)
        out = args.out / f"beats-recordings-{args.split}"
        split: Split = "train" if args.split == "train" else "heldout"
        n_pieces = make_recorded_pieces(
            args.recordings, out, LOG_STFT_16K, split, args.excerpt, args.limit, args.workers
        )
    else:
        corpus = "" if args.corpus == "pop909" else f"{args.corpus}-"
        out = args.out / f"beats-{corpus}{args.split}"
        n_pieces = beat_pieces.make_pieces(
            beat_pieces.BeatPiecesConfig(
                data_folder(args),
                out,
                LOG_STFT_16K,
                split=args.split,
                corpus=args.corpus,
                excerpt_s=args.excerpt,
                takes=args.takes,
                mixes=args.mixes,
                seed=args.seed,
                workers=args.workers,
                limit=args.limit,
            )
        )
    print(f"{n_pieces} pieces in {out}")


def export_beat(args: argparse.Namespace) -> None:
    """Export a checkpoint."""
    from offline_train.exporting.export_beat import export_beat as export

    print(export(args.checkpoint, args.out))


def export_bar(args: argparse.Namespace) -> None:
    """Export a checkpoint of the bar network."""
    from offline_train.exporting.export_bar import export_bar as export

    print(export(args.checkpoint, args.out))


def evaluate_beat(args: argparse.Namespace) -> None:
    """Evaluate beats as they are predicted."""
    from engine.beat.activations import load_beat_model
    from engine.beat.bars import BarTracker, load_bar_model
    from engine.beat.tracker import BeatTracker
    from engine.signal.stereo import middle_of
    from offline_train.evaluation import EvaluateConfig, beats
    from offline_train.evaluation.measures.beats import beat_table

    bars = BarTracker(load_bar_model(args.bars))
    tracker = BeatTracker(load_beat_model(args.model), bars=bars)
    listener = beats.Listener(tracker)
    if args.recordings:
        songs = beats.recorded_songs(args.recordings, args.excerpt, args.limit)
    else:
        config = EvaluateConfig(
            data_folder(args),
            args.cache,
            split=args.split,
            rung=args.rung,
            excerpt_s=args.excerpt,
            limit=args.limit,
        )
        songs = beats.pop909_songs(config)
    scores, costs = [], []
    for song in songs:
        score = beats.score_beats(song, listener.track(song.sound, args.ahead / 1000))
        scores.append(score)
        features = beats.features_of(
            middle_of(song.sound[: beats.TIMED_SAMPLES]), tracker.model.spec.features
        )
        costs.append(beats.real_time_factor(tracker, features))
        if args.songs:
            print(score.line())
    if scores:
        print(beat_table(scores))
        print(f"real-time factor, one core  {sorted(costs)[len(costs) // 2]:.4f}")
    else:
        print("no song whose beats are known")
