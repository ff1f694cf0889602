"""The accompanist's commands: its inputs, its training, its evaluation."""

import argparse
from itertools import chain
from pathlib import Path

from offline_train.commands.options import Add, at_least, data_folder, number
from offline_train.commands.recipes import add_key, add_recipe_options, train

RUNS = Path("runs/accompanist")
STRIKES = Path("runs/strikes")


def add(command: Add) -> None:
    """Add the options of these commands."""
    sub = command(
        "hear-songs", analyze_songs, "keep the live models' posteriors of rendered songs of POP909"
    )
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--prepared", type=Path, default=Path("runs/prepared/train"))
    sub.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    sub.add_argument("--out", type=Path, default=RUNS)
    sub.add_argument("--limit", type=at_least(0), default=12, help="songs of rung b; 0 is all")
    sub.add_argument("--takes", type=at_least(1), default=1, help="mixes of each prepared song")
    sub.add_argument("--songs", type=at_least(0), default=0, help="training songs to render, more")
    sub = command("train-accompanist", train, "train the accompanist by a recipe, or resume")
    add_recipe_options(sub, "accompanist")
    add_key(sub, "--data", "data", type=Path, help="folder with pop909/ and splits.json")
    add_key(sub, "--heard", "heard", type=Path, help="what hear-songs left")
    add_key(sub, "--minutes", "minutes", type=number(), help="of training; 0 is to the end")
    add_key(sub, "--threads", "threads", type=at_least(1))
    add_key(sub, "--device", "device", help="cpu or cuda")
    sub = command("export-accompanist", export_accompanist, "export planner and player to ONNX")
    sub.add_argument("plan", type=Path, help="the planner's checkpoint")
    sub.add_argument("play", type=Path, help="the player's checkpoint")
    sub.add_argument("--out", type=Path, default=RUNS / "accompanist")
    sub = command("hear-covers", hear_covers, "keep what live hears, far ahead, of covered songs")
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument(
        "--prepared",
        nargs="+",
        type=Path,
        default=[Path("runs/prepared/people-train"), Path("runs/prepared/train")],
        help="folders of shards",
    )
    sub.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    sub.add_argument("--out", type=Path, default=STRIKES)
    sub.add_argument("--limit", type=at_least(0), default=40, help="songs of rung b; 0 is all")
    sub = command("train-strikes", train, "train the strike network by a recipe, or resume")
    add_recipe_options(sub, "strikes")
    add_key(sub, "--heard", "heard", type=Path, help="what hear-covers left")
    add_key(sub, "--minutes", "minutes", type=number(), help="of training; 0 is to the end")
    sub = command("export-strikes", export_strikes, "export the strike network to ONNX")
    sub.add_argument("checkpoint", type=Path)
    sub.add_argument("--out", type=Path, default=STRIKES)
    sub = command("accompany-files", accompany_files, "measure mode accompany on rendered songs")
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    sub.add_argument("--out", type=Path, default=RUNS, help="holds songs laid on their grids")
    sub.add_argument("--split", default="test", choices=("valid", "test"))
    sub.add_argument("--limit", type=at_least(0), default=12, help="songs of rung b; 0 is all")
    sub = command("accompaniment", accompaniment, "measure what the accompanist plays")
    sub.add_argument("model", type=Path, help="a checkpoint, or a folder of exported graphs")
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--heard", type=Path, default=RUNS, help="what hear-songs left")
    sub.add_argument("--split", default="test", choices=("valid", "test"))
    sub.add_argument("--ahead", nargs="+", type=number(), default=[0, 0.25, 0.5, 1.0])
    sub.add_argument("--limit", type=at_least(0), default=0, help="songs; 0 is all")
    sub.add_argument("--seed", type=at_least(0), default=0)
    sub.add_argument("--export", type=Path, help="keep a checkpoint's graphs in this folder")
    sub.add_argument("--arranger", help="an arranger's name or folder, for an offline column")
    sub.add_argument("--cache", type=Path, default=Path("runs/rendered"), help="of its songs")


def analyze_songs(args: argparse.Namespace) -> None:
    """Keep the live models' posteriors of shards, for training, and of rung b, for evaluation."""
    from offline_train.data.accompaniment.posterior_noise import PosteriorNoise
    from offline_train.evaluation.hearing.step_posteriors import (
        keep_posteriors,
        noise_pairs,
        of_rung,
        of_shards,
        of_songs,
    )
    from offline_train.evaluation.songs.rungs import EvaluateConfig

    data = data_folder(args)
    takes = range(1, args.takes + 1)
    for take in takes:
        keep_posteriors(of_shards(args.prepared, take), data, args.out / "heard" / "train")
    kept = args.out / "heard" / "train"
    pairs = chain.from_iterable(noise_pairs(args.prepared, kept, take) for take in takes)
    PosteriorNoise.fit(pairs).save(args.out / "noise-live.npz")
    if args.songs:
        keep_posteriors(of_songs(data, kept, args.songs), data, kept)
    for split in ("valid", "test"):
        config = EvaluateConfig(data, args.cache, split, "b", limit=args.limit)
        keep_posteriors(of_rung(config), data, args.out / "heard" / f"b-{split}")


def export_accompanist(args: argparse.Namespace) -> None:
    """Export the planner of one checkpoint with the player of another."""
    from offline_train.exporting.accompanist import export_accompanist as export
    from offline_train.exporting.accompanist import join_networks

    network, trained = join_networks(args.plan, args.play)
    print(export(network, args.out, trained))


def hear_covers(args: argparse.Namespace) -> None:
    """Keep what ``live`` hears of shards, for training, and of rung b, for validation."""
    from offline_train.evaluation.hearing.heard_covers import keep_heard, of_folder, of_rung
    from offline_train.evaluation.songs.rungs import EvaluateConfig

    for folder in args.prepared:
        keep_heard(of_folder(folder), args.out / "train")
    config = EvaluateConfig(data_folder(args), args.cache, "valid", "b", limit=args.limit)
    keep_heard(of_rung(config), args.out / "valid")


def export_strikes(args: argparse.Namespace) -> None:
    """Export a checkpoint of the strike network."""
    from offline_train.exporting.export_strikes import export_strikes as export

    print(export(args.checkpoint, args.out))


def accompany_files(args: argparse.Namespace) -> None:
    """Print what the program plays to songs as files, on the beat that it finds."""
    from offline_train.data.accompaniment.songs import prepare_songs
    from offline_train.evaluation.accompanying.accompanied_files import score_files, table
    from offline_train.evaluation.hearing.step_posteriors import of_rung
    from offline_train.evaluation.songs.rungs import EvaluateConfig

    data = data_folder(args)
    config = EvaluateConfig(data, args.cache, args.split, "b", limit=args.limit)
    songs = prepare_songs(data, args.split, args.out / f"songs-{args.split}")
    print(table(score_files(songs, of_rung(config))))


def accompaniment(args: argparse.Namespace) -> None:
    """Print the table of figures by how far ahead it must write."""
    import tempfile

    from engine.accompany.model import AccompanistModel
    from engine.accompany.sampling import SamplingSettings
    from engine.whole_song.arranger import Arranger
    from offline_train.data.accompaniment.songs import prepare_songs
    from offline_train.evaluation.accompanying.accompaniment import measure, table
    from offline_train.evaluation.accompanying.accompaniment_players import (
        Accompanying,
        Player,
        Trivial,
        heard_share,
    )
    from offline_train.evaluation.accompanying.arranged_songs import Arranging
    from offline_train.evaluation.hearing.step_posteriors import load_posteriors
    from offline_train.evaluation.songs.rungs import EvaluateConfig
    from offline_train.exporting.accompanist import export_accompanist
    from offline_train.recipes.accompanist import load_network

    heard = args.heard / "heard" / f"b-{args.split}"
    real = load_posteriors(heard)
    every = prepare_songs(data_folder(args), args.split, args.heard / f"songs-{args.split}")
    songs = [song for song in every if song.song_id in real][: args.limit or None]
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.model
        if not folder.is_dir():
            exported = args.export or Path(temporary)
            folder = export_accompanist(load_network(args.model), exported, {})
        model, settings = AccompanistModel(folder), SamplingSettings()
        scores = {}
        for ahead in args.ahead:
            shares = {song.song_id: heard_share(song.step_s, ahead) for song in songs}
            real = load_posteriors(heard, shares)
            players: dict[str, Player] = {
                "": Accompanying(model, settings),
                "trivial, ": Trivial(model, settings),
            }
            for name, player in players.items():
                title = f"{name}{1000 * ahead:g} ms"
                scores[title] = measure(songs, real, player, ahead, args.seed)
    if args.arranger:
        config = EvaluateConfig(data_folder(args), args.cache, args.split, "b")
        player = Arranging(Arranger(args.arranger), config)
        scores["arranger, offline"] = measure(songs, real, player, 0.0)
    print(f"{len(songs)} songs of {args.split}\n")
    print(table(scores, measure(songs, real, None, 0.0)))
