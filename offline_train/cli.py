"""``livecover-train``: prepare, train, export, evaluate, and what belongs to it."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from engine.errors import LiveCoverError
from offline_train import commands
from offline_train.corpora import SPLITS
from offline_train.experiments import EXPERIMENTS, SIZES


def at_least(least: int, multiple: int = 1) -> Callable[[str], int]:
    """Return what reads a whole number from ``least`` on, and says so of anything else."""
    kind = "a whole number" if multiple == 1 else f"a multiple of {multiple}"

    def read(text: str) -> int:
        if not text.lstrip("-").isdecimal() or int(text) < least or int(text) % multiple:
            raise argparse.ArgumentTypeError(f"expected {kind} from {least} on, not {text}")
        return int(text)

    return read


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="livecover-train", description=__doc__)
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning"))
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        defaults = argparse.ArgumentDefaultsHelpFormatter
        sub = subparsers.add_parser(name, help=text, description=text, formatter_class=defaults)
        sub.set_defaults(run=run)
        return sub

    corpus = command(
        "corpus", commands.corpus, "count what a corpus holds, and name what is broken"
    )
    corpus.add_argument("name", help="pop909, giantmidi, freedoom, midi, maestro, ...")
    corpus.add_argument("folder", type=Path)

    prepare = command(
        "prepare", commands.prepare, "render a split of a corpus as shards of dry stems"
    )
    prepare.add_argument("--data", help="folder with a folder for each corpus, and splits.json")
    prepare.add_argument("--out", type=Path, default=Path("runs/prepared"))
    prepare.add_argument("--corpus", default="pop909", help="a corpus's name, its folder's too")
    prepare.add_argument("--solo", action="store_true", help="its piano alone")
    prepare.add_argument("--split", default="train", choices=SPLITS)
    prepare.add_argument("--excerpt", type=float, default=90.0, help="seconds a song; 0 is all")
    prepare.add_argument("--takes", type=at_least(1), default=1, help="renderings of each song")
    prepare.add_argument("--limit", type=at_least(0), default=0, help="songs; 0 is all")
    prepare.add_argument("--seed", type=at_least(0), default=1)
    prepare.add_argument("--workers", type=at_least(1), default=os.cpu_count() or 1)
    prepare.add_argument("--cluster", help="render on Ray: an address, or local")

    recordings = command("recordings", commands.recordings, "fetch free recordings and label them")
    recordings.add_argument("--folder", type=Path, default=Path("runs/recordings"))
    recordings.add_argument("--out", type=Path, default=Path("runs/prepared"))
    recordings.add_argument("--split", default="train", choices=("train", "heldout"))
    recordings.add_argument("--excerpt", type=float, default=150.0, help="seconds; 0 is all")
    recordings.add_argument("--limit", type=at_least(0), default=0, help="songs; 0 is all")

    pairs = command(
        "pairs", commands.pairs, "build aligned pairs from recordings of songs and covers"
    )
    pairs.add_argument("folder", type=Path, help="with SONG/song.* and SONG/cover*.*, or pairs.csv")
    pairs.add_argument("--out", type=Path, default=Path("runs/pairs"))
    pairs.add_argument("--transcriber", default="basic-pitch", help="or a model of ours")
    pairs.add_argument("--style", default="balanced", help="of a model of ours")
    pairs.add_argument("--workers", type=at_least(1), default=1)

    _add_cover_training(command)

    export = command("export", commands.export, "tune a checkpoint's decoder and export it to ONNX")
    export.add_argument("--checkpoint", type=Path, default=Path("runs/cover/last.pt"))
    export.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    export.add_argument("--data", help="folder with pop909/ and splits.json")
    export.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    export.add_argument("--out", type=Path, default=Path("models/shipped"))
    export.add_argument("--name", default="live")
    export.add_argument(
        "--heard-share", type=float, help="of what is heard in the cover; the checkpoint's own"
    )
    export.add_argument("--credit", default="see docs/models.md", help="data and licences")

    restyle = command("restyle", commands.restyle, "give an exported model presets of covers")
    restyle.add_argument("model", type=Path, help="NAME.onnx, which is rewritten")
    restyle.add_argument("--covers", type=Path, required=True, help="shards with covers")

    _add_apc(command)
    _add_papers(command)

    sketch = command("sketch-window", commands.sketch_window, "export a window network, untrained")
    sketch.add_argument("--out", type=Path, default=Path("runs/window"))
    sketch.add_argument(
        "--network", default="window", choices=("window", "small", "paper"), help="or AMT-APC's"
    )
    sketch.add_argument("--window-frames", type=at_least(1), default=512)
    sketch.add_argument("--seed", type=at_least(0), default=1)

    quantize = command("quantize", commands.quantize, "compare a model with itself in eight bits")
    quantize.add_argument("model", nargs="?", default="live", help="a model's name or path")
    quantize.add_argument("--out", type=Path, default=Path("runs/int8"))
    quantize.add_argument("--data", help="folder with pop909/ and splits.json")
    quantize.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    quantize.add_argument(
        "--limit", type=at_least(0), default=16, help="songs of the test; 0 is all"
    )

    bench = command("bench", commands.bench, "time a training step with and without fused GRUs")
    bench.add_argument("--steps", type=at_least(1), default=5, help="of each")
    bench.add_argument("--frames", type=at_least(2, 2), default=512, help="frames in a crop")
    bench.add_argument("--batch", type=at_least(1), default=2)
    bench.add_argument("--threads", type=at_least(1), default=1)

    evaluate = command(
        "evaluate", commands.evaluate, "cover songs and measure the covers, rung by rung"
    )
    evaluate.add_argument("model", nargs="?", default="live", help="a model's name or path")
    evaluate.add_argument("--data", help="folder with pop909/, giantmidi/ and splits.json")
    evaluate.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    evaluate.add_argument(
        "--rung",
        nargs="+",
        default=["b"],
        choices=("a", "b", "c", "d", "piano", "folder"),
        help="a: heard sounds, b: unheard, c: and sung and mastered, d: recordings, piano: solo "
        "piano, folder: any sound files, NAME.mid beside one being its human cover",
    )
    evaluate.add_argument("--recordings", type=Path, help="folder of rungs d and folder")
    evaluate.add_argument("--split", default="test", choices=SPLITS)
    evaluate.add_argument("--style", default="balanced")
    evaluate.add_argument("--excerpt", type=float, default=90.0, help="seconds a song; 0 is all")
    evaluate.add_argument("--limit", type=at_least(0), default=0, help="songs; 0 is all")
    evaluate.add_argument("--workers", type=at_least(1), default=1)
    evaluate.add_argument("--against", help="an earlier model, for a column of its own")
    evaluate.add_argument(
        "--baselines", nargs="*", default=["human", "basic-pitch"], help="human, basic-pitch"
    )
    evaluate.add_argument("--without-qmax", action="store_true", help="leave out what is slow")
    evaluate.add_argument("--without-whole-file", action="store_true", help="the live path alone")
    evaluate.add_argument("--arranger", type=Path, help="an arranger's folder, for a column")
    evaluate.add_argument("--embedding", type=Path, help="a checkpoint of the joint embedding")
    evaluate.add_argument("--json", type=Path, help="also write every song's figures here")
    evaluate.add_argument("--out", type=Path, help="also write a page with pictures here")
    evaluate.add_argument(
        "--pictures", type=at_least(0), default=4, help="songs drawn for each rung"
    )
    evaluate.add_argument(
        "--styles", type=Path, help="only measure the styles, and draw them into this PNG"
    )
    _add_playable(command)
    return parser


def _add_playable(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command that measures whether covers can be played."""
    playable = command(
        "playable", commands.playable, "measure parts, hands, pedal and faults of a model's covers"
    )
    playable.add_argument("model", nargs="?", default="live", help="a model's name or path")
    playable.add_argument("--data", help="folder with pop909/ and splits.json")
    playable.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    playable.add_argument("--rung", nargs="+", default=["b"], choices=("a", "b", "c"))
    playable.add_argument("--split", default="test", choices=SPLITS)
    playable.add_argument("--style", default="balanced")
    playable.add_argument("--span", type=at_least(7), default=14, help="semitones of a hand")
    playable.add_argument("--excerpt", type=float, default=90.0, help="seconds a song; 0 is all")
    playable.add_argument("--limit", type=at_least(0), default=0, help="songs; 0 is all")


def _add_cover_training(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands that train the streaming cover model."""
    train = command(
        "train", commands.train, "train the streaming cover model, or go on training it"
    )
    explore = command(
        "explore", commands.explore, "train it in several settings, and draw F1 against latency"
    )
    for sub, out, hours in ((train, "runs/cover", 3.0), (explore, "runs/explore", 1.0)):
        sub.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
        sub.add_argument("--out", type=Path, default=Path(out))
        sub.add_argument("--hours", type=float, default=hours, help="of each training")
        sub.add_argument("--frames", type=at_least(2, 2), default=512, help="frames in a crop")
        sub.add_argument(
            "--batch", type=at_least(1), default=2, help="crops that a worker takes at a time"
        )
        sub.add_argument("--learning-rate", type=float, default=2e-3)
        sub.add_argument("--seed", type=at_least(0), default=1)
        sub.add_argument("--threads", type=at_least(1), default=1)
        sub.add_argument("--device", default="cpu", help="cpu or cuda")
    train.add_argument("--lookahead", type=at_least(0), default=3, help="frames the model waits")
    train.add_argument("--start-from", type=Path, help="a checkpoint whose weights to begin with")
    train.add_argument("--workers", type=at_least(1), default=2, help="workers of a cluster")
    train.add_argument("--cluster", help="train on Ray: an address, or local")
    explore.add_argument(
        "--start-from",
        type=Path,
        default=Path("models/start.pt"),
        help="a checkpoint whose weights to begin with, where they fit",
    )
    explore.add_argument("--grid", default="small", choices=("small", "full"))
    explore.add_argument("--only", nargs="+", default=(), help="names of settings, as lookahead-4")
    explore.add_argument("--data", help="folder with pop909/ and splits.json")
    explore.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    explore.add_argument("--split", default="valid", choices=SPLITS, help="judged on its rung b")
    explore.add_argument("--excerpt", type=float, default=90.0, help="seconds a song; 0 is all")
    explore.add_argument("--limit", type=at_least(0), default=16, help="songs; 0 is all")
    explore.add_argument("--workers", type=at_least(1), default=1, help="songs judged at a time")


def _add_apc(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands of AMT-APC."""
    train = command("train-apc", commands.train_apc, "train AMT-APC, stage by stage, or go on")
    ablation = command("ablation", commands.ablation, "AMT-APC's table of what each part gives")
    ablation.add_argument("--test", type=Path, nargs="+", required=True, help="shards to judge on")
    for sub, out in ((train, "runs/apc"), (ablation, "runs/ablation")):
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
        sub.add_argument("--learning-rate", type=float, default=1e-4)
        sub.add_argument("--minutes", type=float, default=0.0, help="stop after; 0: at the end")
        sub.add_argument("--seed", type=at_least(0), default=1)
        sub.add_argument(
            "--workers", type=at_least(1), default=1, help="processes that mix and master"
        )
        sub.add_argument("--threads", type=at_least(1), default=1)
        sub.add_argument("--device", default="cpu", help="cpu or cuda")
        sub.add_argument("--begin-with", type=Path, help="a checkpoint to begin with")
    export = command("export-apc", commands.export_apc, "export a checkpoint of AMT-APC to ONNX")
    export.add_argument("checkpoint", type=Path)
    export.add_argument("--covers", type=Path, nargs="*", default=[], help="shards for the styles")
    export.add_argument("--out", type=Path, default=Path("runs/apc"))
    export.add_argument("--name", default="studio")


def _add_papers(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the experiments of the papers, and what of them a user takes up."""
    transfer = command(
        "transfer", commands.transfer, "teach the transcriber your instrument, and show the gain"
    )
    transfer.add_argument("folder", type=Path, help="recordings, NAME.mid beside NAME.wav")
    transfer.add_argument("--start", type=Path, default=Path("models/start.pt"))
    transfer.add_argument("--out", type=Path, default=Path("runs/transfer"))
    transfer.add_argument("--name", default="mine", help="of the model that comes of it")
    transfer.add_argument("--steps", type=at_least(1), default=300)
    transfer.add_argument("--seed", type=at_least(0), default=1)
    transfer.add_argument("--threads", type=at_least(1), default=os.cpu_count() or 1)
    experiment = command("experiment", commands.experiment, "run a paper's experiment, or go on")
    experiment.add_argument("name", choices=tuple(EXPERIMENTS))
    experiment.add_argument("--size", default="small", choices=SIZES)
    experiment.add_argument("--data", help="folder with a folder for each corpus, and splits.json")
    experiment.add_argument("--prepared", type=Path, help="shards of bands that are there already")
    experiment.add_argument("--out", type=Path, help="runs/NAME-SIZE unless told")
    experiment.add_argument(
        "--minutes", type=float, default=0.0, help="of each training, where the clock ends it"
    )
    experiment.add_argument(
        "--rows", nargs="+", default=(), help="train these rows of the table alone"
    )
    experiment.add_argument("--seed", type=at_least(0), default=1)
    experiment.add_argument("--threads", type=at_least(1), default=os.cpu_count() or 1)
    experiment.add_argument("--device", default="cpu", help="cpu or cuda")

    match = command("match", commands.match, "find the passages of MIDI files nearest to a song")
    match.add_argument("song", type=Path)
    match.add_argument("--corpus", type=Path, required=True, help="a folder of MIDI files")
    match.add_argument("--model", type=Path, default=Path("runs/embedding-full/cover/best.pt"))
    match.add_argument(
        "--keys", type=at_least(0), default=1, choices=(1, 12), help="12: in every key"
    )
    match.add_argument("--limit", type=at_least(0), default=10, help="matches to print")
    match.add_argument("--cache", type=Path, default=Path("runs/matching"), help="keeps the index")
    match.add_argument("--out", type=Path, help="also write the passages here, as MIDI")


def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, or 2 after one line on bad input."""
    args = build_parser().parse_args(argv)
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch then takes its memory in large pages
    logging.basicConfig(level=args.log_level.upper(), format="%(levelname)s %(message)s")
    try:
        args.run(args)
    except LiveCoverError as error:
        print(f"livecover-train: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a folder that cannot be written, a full disk
        if error.filename is None:
            raise
        problem = f"{error.filename}: {error.strerror}; is it there, and may it be written?"
        print(f"livecover-train: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("livecover-train: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
