"""What each command of ``livecover-train`` does with its options; the parser is in ``cli``."""

import argparse
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DataError

if TYPE_CHECKING:
    from offline_train.hft_run import ApcConfig
    from offline_train.learner import TrainConfig

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


def corpus(args: argparse.Namespace) -> None:
    """Count what a corpus holds."""
    from offline_train.corpora import open_corpus, report, summarise

    print(report(summarise(open_corpus(args.name, args.folder))))


def prepare(args: argparse.Namespace) -> None:
    """Render a split of a corpus."""
    from offline_train import prepare as rendering

    folder = f"solo-{args.split}" if args.solo else args.split
    if args.corpus != "pop909":
        folder = f"{args.corpus}-{folder}"
    config = rendering.PrepareConfig(
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
        pieces = rendering.prepare(config)
    print(f"{pieces} pieces in {config.out}")


def recordings(args: argparse.Namespace) -> None:
    """Fetch and label recordings."""
    from offline_train.recordings import fetch, write_recordings

    fetch(args.folder)
    out = args.out / ("recordings" if args.split == "train" else f"recordings-{args.split}")
    written = write_recordings(
        args.folder, out, args.split, limit_s=args.excerpt, n_songs=args.limit
    )
    print(f"{out}: {written}")


def pairs(args: argparse.Namespace) -> None:
    """Align recordings of songs and covers."""
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


def train(args: argparse.Namespace) -> None:
    """Train the streaming cover model."""
    from models.streaming import StreamingConfig
    from offline_train.train_cover import train

    config = _train_config(args)
    network = StreamingConfig(lookahead_frames=args.lookahead)
    if args.cluster:
        from offline_train.cluster import Cluster, train_on_cluster

        address = None if args.cluster == "local" else args.cluster
        print(
            train_on_cluster(
                config, network, Cluster(args.workers, args.device.startswith("cuda"), address)
            )
        )
    else:
        print(train(config, network))


def _train_config(args: argparse.Namespace) -> "TrainConfig":
    from offline_train.learner import TrainConfig
    from offline_train.train_cover import SHARES

    shares = {str(args.prepared / name): share for name, share in SHARES.items()}
    return TrainConfig(
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


def explore(args: argparse.Namespace) -> None:
    """Train and judge the streaming cover model in several settings."""
    from offline_train import explore as study
    from offline_train import explore_report
    from offline_train.evaluation import EvaluateConfig

    songs = EvaluateConfig(
        _data(args),
        args.cache,
        split=args.split,
        excerpt_s=args.excerpt,
        limit=args.limit,
        workers=args.workers,
    )
    config = study.ExploreConfig(
        _train_config(args), args.prepared, songs, args.out, args.grid, tuple(args.only)
    )
    results = study.explore(config)
    log.info("%s", explore_report.save(results, config))
    print(explore_report.table(results))


def export(args: argparse.Namespace) -> None:
    """Tune and export a checkpoint."""
    from offline_train.release import release

    for path in release(
        args.checkpoint,
        args.prepared,
        _data(args),
        args.cache,
        args.out,
        args.name,
        args.credit,
        args.heard_share,
    ):
        print(path)


def sketch_window(args: argparse.Namespace) -> None:
    """Export an untrained window network."""
    from offline_train.sketch import sketch_window

    print(sketch_window(args.network, args.out, args.window_frames, args.seed))


def quantize(args: argparse.Namespace) -> None:
    """Compare a model with itself in eight bits."""
    from engine.model_files import model_path
    from offline_train.evaluation import EvaluateConfig
    from offline_train.quantize import compare

    songs = EvaluateConfig(_data(args), args.cache, limit=args.limit)
    heard = EvaluateConfig(_data(args), args.cache, "valid", "a", excerpt_s=60.0, limit=4)
    print(compare(model_path(args.model), args.out, songs, heard))


def bench(args: argparse.Namespace) -> None:
    """Time a step of training."""
    from offline_train.bench import bench_step

    print(bench_step(args.steps, args.frames, args.batch, args.threads))


def evaluate(args: argparse.Namespace) -> None:
    """Measure covers, rung by rung."""
    from offline_train import evaluation
    from offline_train.evaluation.report import report, save_json, save_page
    from offline_train.evaluation.style_figure import draw_styles, measure_styles, style_table

    needs_data = bool({"a", "b", "c", "piano"} & set(args.rung))
    configs = {
        rung: evaluation.EvaluateConfig(
            _data(args) if needs_data else Path(),
            args.cache,
            split=args.split,
            rung=rung,
            excerpt_s=args.excerpt,
            limit=args.limit,
            workers=args.workers,
            recordings=args.recordings,
            embedding=args.embedding,
        )
        for rung in args.rung
    }
    if args.styles:
        rows, covers = measure_styles(args.model, configs[args.rung[0]])
        draw_styles(args.styles, rows, covers)
        print(style_table(rows))
        return
    results = [
        evaluation.evaluate(
            args.model,
            config,
            args.style,
            against=args.against,
            arrangers={"arranger": args.arranger} if args.arranger else None,
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


def playable(args: argparse.Namespace) -> None:
    """Measure whether covers can be played."""
    from engine.offline import load_pipeline
    from offline_train.evaluation import EvaluateConfig
    from offline_train.evaluation.playable import measure
    from offline_train.evaluation.playable_report import report

    shipped = load_pipeline(args.model).spec.decoding.melody_threshold
    for rung in args.rung:
        config = EvaluateConfig(
            _data(args), args.cache, args.split, rung, args.excerpt, limit=args.limit
        )
        score = measure(args.model, config, args.style, args.span)
        print(report(score, f"{args.model}, rung ({rung}), style {args.style}", shipped), "\n")


def _apc_config(args: argparse.Namespace) -> "ApcConfig":
    from offline_train.hft_run import ApcConfig

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
    )


def restyle(args: argparse.Namespace) -> None:
    """Give an exported model new presets."""
    from offline_train import release

    print(release.restyle(args.model, args.covers))


def train_apc(args: argparse.Namespace) -> None:
    """Train AMT-APC, or go on."""
    from offline_train import train_hft

    print(train_hft.train(_apc_config(args)))


def export_apc(args: argparse.Namespace) -> None:
    """Export a checkpoint of AMT-APC."""
    from offline_train.export_hft import export_hft

    print(export_hft(args.checkpoint, args.out, args.name, tuple(args.covers)))


def ablation(args: argparse.Namespace) -> None:
    """Train and judge AMT-APC with a part left out."""
    from offline_train import ablation as study

    print(study.table(study.ablation(_apc_config(args), tuple(args.test))))


def experiment(args: argparse.Namespace) -> None:
    """Run a paper's experiment, or go on with it."""
    from offline_train.experiments import ExperimentConfig, run_experiment

    out = args.out or Path("runs") / f"{args.name}-{args.size}"
    config = ExperimentConfig(
        _data(args),
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
    from offline_train.matching import match as matching

    found = matching.match(
        matching.MatchConfig(
            args.model, args.song, args.corpus, args.cache, args.keys, n_matches=args.limit
        )
    )
    for line in found:
        print(line.line())
    if args.out:
        matching.save_matches(found, args.corpus, args.out)


def transfer(args: argparse.Namespace) -> None:
    """Teach the transcriber a user's instrument."""
    from offline_train.transcription.adapt import AdaptConfig, adapt

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
