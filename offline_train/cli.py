"""``livecover-train``: prepare, train, export, evaluate, and what belongs to it."""

import argparse
import logging
import os
import sys
from pathlib import Path

from engine.errors import DataError, LiveCoverError
from offline_train.corpora import SPLITS

log = logging.getLogger(__name__)

DATA_VARIABLE = "LIVECOVER_DATA"


def _data(args: argparse.Namespace) -> Path:
    """Return the data folder. Raises DataError saying what belongs there."""
    text = args.data or os.environ.get(DATA_VARIABLE)
    if not text or not Path(text).is_dir():
        raise DataError(
            f"expected a data folder (--data FOLDER or {DATA_VARIABLE}), got {text or 'none'}; it "
            "holds pop909/ (https://github.com/music-x-lab/POP909-Dataset, MIT) and splits.json"
        )
    return Path(text)


def _corpus(args: argparse.Namespace) -> None:
    from offline_train.corpora import open_corpus, report, summarise

    print(report(summarise(open_corpus(args.name, args.folder))))


def _prepare(args: argparse.Namespace) -> None:
    from offline_train.prepare import PrepareConfig, prepare

    folder = f"solo-{args.split}" if args.solo else args.split
    if args.corpus != "pop909":
        folder = f"{args.corpus}-{folder}"
    config = PrepareConfig(
        _data(args),
        args.out / folder,
        split=args.split,
        corpus=args.corpus,
        solo=args.solo,
        excerpt_s=args.excerpt,
        takes=args.takes,
        seed=args.seed,
        workers=args.workers,
        limit=args.limit,
    )
    if args.cluster:
        from offline_train.cluster import Cluster, render_on_cluster

        address = None if args.cluster == "local" else args.cluster
        pieces = render_on_cluster(config, Cluster(args.workers, address=address))
    else:
        pieces = prepare(config)
    print(f"{pieces} pieces in {config.out}")


def _recordings(args: argparse.Namespace) -> None:
    from offline_train.recordings import fetch, write_recordings

    fetch(args.folder)
    out = args.out / ("recordings" if args.split == "train" else f"recordings-{args.split}")
    written = write_recordings(
        args.folder, out, args.split, limit_s=args.excerpt, n_songs=args.limit
    )
    print(f"{out}: {written}")


def _pairs(args: argparse.Namespace) -> None:
    from offline_train.pairs.build import PairsConfig, build

    results = build(
        PairsConfig(
            args.folder,
            args.out,
            transcriber=args.transcriber,
            style=args.style,
            workers=args.workers,
        )
    )
    for result in results:
        print(result.line())
    print(args.out / "report.md")


def _train(args: argparse.Namespace) -> None:
    from models.streaming import StreamingConfig
    from offline_train.train_cover import SHARES, TrainConfig, train

    shares = {str(args.prepared / name): share for name, share in SHARES.items()}
    config = TrainConfig(
        {folder: share for folder, share in shares.items() if Path(folder).is_dir()},
        args.prepared / "valid",
        args.out,
        hours=args.hours,
        n_frames=args.frames,
        batch=args.batch,
        learning_rate=args.learning_rate,
        seed=args.seed,
        threads=args.threads,
        device=args.device,
        start_from=args.start_from,
    )
    network = StreamingConfig(lookahead_frames=args.lookahead)
    if args.cluster:
        from offline_train.cluster import Cluster, train_on_cluster

        address = None if args.cluster == "local" else args.cluster
        print(train_on_cluster(config, network, Cluster(args.workers, address=address)))
    else:
        print(train(config, network))


def _export(args: argparse.Namespace) -> None:
    from offline_train.release import release

    for path in release(
        args.checkpoint, args.prepared, _data(args), args.cache, args.out, args.name, args.credit
    ):
        print(path)


def _sketch_window(args: argparse.Namespace) -> None:
    import torch

    from models.features import LOG_STFT_16K
    from models.spec import ModelSpec
    from models.window import LOCAL_MARGIN_FRAMES, OUTPUTS, WindowConfig, WindowCover
    from offline_train.export import export_frontend, export_window

    torch.manual_seed(args.seed)
    spec = ModelSpec(
        name="window",
        kind="window",
        features=LOG_STFT_16K,
        version="0",
        lookahead_frames=32,
        outputs=OUTPUTS,
        window_frames=args.window_frames,
        step_frames=8,
        local_margin_frames=LOCAL_MARGIN_FRAMES,
        styles={"balanced": [0.0] * 24},
        trained={"data": "none: random weights, to measure the engine with"},
    )
    export_frontend(spec.features, args.out)
    network = WindowCover(WindowConfig(window_frames=args.window_frames))
    print(export_window(network, spec, args.out / "window.onnx"))


def _evaluate(args: argparse.Namespace) -> None:
    from offline_train.evaluation import EvaluateConfig, evaluate
    from offline_train.evaluation.report import report, save_json, save_page
    from offline_train.evaluation.style_figure import draw_styles, measure_styles, style_table

    needs_data = bool({"a", "b", "c", "piano"} & set(args.rung))
    configs = {
        rung: EvaluateConfig(
            _data(args) if needs_data else Path(),
            args.cache,
            split=args.split,
            rung=rung,
            excerpt_s=args.excerpt,
            limit=args.limit,
            workers=args.workers,
            recordings=args.recordings,
        )
        for rung in args.rung
    }
    if args.styles:
        rows, covers = measure_styles(args.model, configs[args.rung[0]])
        draw_styles(args.styles, rows, covers)
        print(style_table(rows))
        return
    results = [
        evaluate(
            args.model,
            config,
            args.style,
            against=args.against,
            baselines=args.baselines,
            with_whole_file=not args.without_whole_file,
            with_qmax=not args.without_qmax,
        )
        for config in configs.values()
    ]
    if args.json:
        save_json(results, args.json)
    if args.out:
        log.info("%s", save_page(results, configs, args.out, args.pictures))
    print(report(results))


def build_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(prog="livecover-train", description=__doc__)
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        defaults = argparse.ArgumentDefaultsHelpFormatter
        sub = commands.add_parser(name, help=text, description=text, formatter_class=defaults)
        sub.set_defaults(run=run)
        return sub

    corpus = command("corpus", _corpus, "count what a corpus holds, and name what is broken")
    corpus.add_argument("name", help="pop909, giantmidi, freedoom, midi, maestro, ...")
    corpus.add_argument("folder", type=Path)

    prepare = command("prepare", _prepare, "render a split of a corpus as shards of dry stems")
    prepare.add_argument("--data", help="folder with a folder for each corpus, and splits.json")
    prepare.add_argument("--out", type=Path, default=Path("runs/prepared"))
    prepare.add_argument("--corpus", default="pop909", help="a corpus's name, its folder's too")
    prepare.add_argument("--solo", action="store_true", help="its piano alone")
    prepare.add_argument("--split", default="train", choices=SPLITS)
    prepare.add_argument("--excerpt", type=float, default=90.0, help="seconds a song; 0 is all")
    prepare.add_argument("--takes", type=int, default=1, help="renderings of each song")
    prepare.add_argument("--limit", type=int, default=0, help="songs; 0 is all")
    prepare.add_argument("--seed", type=int, default=1)
    prepare.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    prepare.add_argument("--cluster", help="render on Ray: an address, or local")

    recordings = command("recordings", _recordings, "fetch free recordings and label them")
    recordings.add_argument("--folder", type=Path, default=Path("runs/recordings"))
    recordings.add_argument("--out", type=Path, default=Path("runs/prepared"))
    recordings.add_argument("--split", default="train", choices=("train", "heldout"))
    recordings.add_argument("--excerpt", type=float, default=150.0, help="seconds; 0 is all")
    recordings.add_argument("--limit", type=int, default=0, help="songs; 0 is all")

    pairs = command("pairs", _pairs, "build aligned pairs from recordings of songs and covers")
    pairs.add_argument("folder", type=Path, help="with SONG/song.* and SONG/cover*.*, or pairs.csv")
    pairs.add_argument("--out", type=Path, default=Path("runs/pairs"))
    pairs.add_argument("--transcriber", default="basic-pitch", help="or a model of ours")
    pairs.add_argument("--style", default="balanced", help="of a model of ours")
    pairs.add_argument("--workers", type=int, default=1)

    train = command("train", _train, "train the streaming cover model, or go on training it")
    train.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    train.add_argument("--out", type=Path, default=Path("runs/cover"))
    train.add_argument("--hours", type=float, default=3.0)
    train.add_argument("--frames", type=int, default=512, help="frames in a crop")
    train.add_argument("--batch", type=int, default=2, help="crops that a worker takes at a time")
    train.add_argument("--learning-rate", type=float, default=2e-3)
    train.add_argument("--lookahead", type=int, default=3, help="frames the model waits")
    train.add_argument("--seed", type=int, default=1)
    train.add_argument("--threads", type=int, default=1)
    train.add_argument("--device", default="cpu", help="cpu or cuda")
    train.add_argument("--start-from", type=Path, help="a checkpoint whose weights to begin with")
    train.add_argument("--workers", type=int, default=2, help="workers of a cluster")
    train.add_argument("--cluster", help="train on Ray: an address, or local")

    export = command("export", _export, "tune a checkpoint's decoder and export it to ONNX")
    export.add_argument("--checkpoint", type=Path, default=Path("runs/cover/last.pt"))
    export.add_argument("--prepared", type=Path, default=Path("runs/prepared"))
    export.add_argument("--data", help="folder with pop909/ and splits.json")
    export.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    export.add_argument("--out", type=Path, default=Path("models/shipped"))
    export.add_argument("--name", default="live")
    export.add_argument("--credit", default="see docs/models.md", help="data and licences")

    sketch = command("sketch-window", _sketch_window, "export a window network, untrained")
    sketch.add_argument("--out", type=Path, default=Path("runs/window"))
    sketch.add_argument("--window-frames", type=int, default=512)
    sketch.add_argument("--seed", type=int, default=1)

    evaluate = command("evaluate", _evaluate, "cover songs and measure the covers, rung by rung")
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
    evaluate.add_argument("--limit", type=int, default=0, help="songs; 0 is all")
    evaluate.add_argument("--workers", type=int, default=1)
    evaluate.add_argument("--against", help="an earlier model, for a column of its own")
    evaluate.add_argument(
        "--baselines", nargs="*", default=["human", "basic-pitch"], help="human, basic-pitch"
    )
    evaluate.add_argument("--without-qmax", action="store_true", help="leave out what is slow")
    evaluate.add_argument("--without-whole-file", action="store_true", help="the live path alone")
    evaluate.add_argument("--json", type=Path, help="also write every song's figures here")
    evaluate.add_argument("--out", type=Path, help="also write a page with pictures here")
    evaluate.add_argument("--pictures", type=int, default=4, help="songs drawn for each rung")
    evaluate.add_argument(
        "--styles", type=Path, help="only measure the styles, and draw them into this PNG"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, or 2 after one line on bad input."""
    args = build_parser().parse_args(argv)
    logging.basicConfig(level=args.log_level.upper(), format="%(levelname)s %(message)s")
    try:
        args.run(args)
    except LiveCoverError as error:
        print(f"livecover-train: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("livecover-train: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
