"""The commands that measure covers."""

import argparse
import logging
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from offline_train.commands.options import Add, at_least, data_folder, number
from offline_train.corpora import SPLITS

if TYPE_CHECKING:
    from engine.core.settings import EngineSettings
    from offline_train import evaluation
    from offline_train.evaluation.systems import Path_

log = logging.getLogger(__name__)


def add(command: Add) -> None:
    """Add the options of these commands."""
    _add_evaluate(command)
    _add_latency_curve(command)
    _add_playable(command)
    _add_rolls(command)
    sub = command(
        "human-figures", human_figures, "print how like a pianist POP909's humans play, as a table"
    )
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--split", default="test", choices=SPLITS)
    sub.add_argument("--excerpt", type=number(), default=90.0, help="seconds a song; 0 is all")
    sub.add_argument("--limit", type=at_least(0), default=0, help="songs; 0 is all")
    sub = command(
        "perfect-hearing", perfect_hearing, "measure how near to a human's cover one could come"
    )
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--out", type=Path, default=Path("runs/perfect-hearing"))
    sub.add_argument("--steps", type=at_least(1), default=1500, help="of training")
    sub.add_argument(
        "--one-lead", action="store_true", help="do not tell the tune from interludes of a lead"
    )
    sub.add_argument("--seed", type=at_least(0), default=1)


def _add_evaluate(command: Add) -> None:
    sub = command("evaluate", evaluate, "cover songs and measure the covers, rung by rung")
    sub.add_argument("model", nargs="?", default="live", help="a model's name or path")
    sub.add_argument("--data", help="folder with pop909/, giantmidi/ and splits.json")
    sub.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    sub.add_argument(
        "--rung",
        nargs="+",
        default=["b"],
        choices=("a", "b", "c", "e", "d", "piano", "folder", "sung"),
        help="a: sounds of training, b: held-out sounds, c: and sung and mastered, e: another "
        "band and synthesizer, d: recordings, piano: solo piano, folder: any sound files, "
        "NAME.mid beside one being its human cover, "
        "sung: sound files with NAME.txt, UltraStar's, beside each",
    )
    sub.add_argument("--recordings", type=Path, help="folder of rungs d, folder and sung")
    sub.add_argument("--sung", type=Path, help="folder of rung sung, where it is another")
    sub.add_argument("--split", default="test", choices=SPLITS)
    sub.add_argument("--style", default="balanced")
    sub.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="settings of the program, of how it plays, as play.hands=true decoder.density=0.5",
    )
    sub.add_argument("--excerpt", type=number(), default=90.0, help="seconds a song; 0 is all")
    sub.add_argument("--limit", type=at_least(0), default=0, help="songs; 0 is all")
    sub.add_argument("--workers", type=at_least(1), default=1)
    sub.add_argument("--against", help="an earlier model, for a column of its own")
    sub.add_argument(
        "--baselines", nargs="*", default=["human", "basic-pitch"], help="human, basic-pitch"
    )
    sub.add_argument("--without-qmax", action="store_true", help="leave out what is slow")
    sub.add_argument(
        "--stereo",
        action="store_true",
        help="bands of rungs a, b, c and e in stereo, everyone's place drawn, the lead's too",
    )
    alone = sub.add_mutually_exclusive_group()
    alone.add_argument("--without-whole-file", action="store_true", help="the live path alone")
    alone.add_argument("--without-streamed", action="store_true", help="whole files alone")
    sub.add_argument("--arranger", type=Path, help="an arranger's folder, for a column")
    sub.add_argument("--embedding", type=Path, help="a checkpoint of the joint embedding")
    sub.add_argument("--json", type=Path, help="also write every song's figures here")
    sub.add_argument("--out", type=Path, help="also write a page with pictures here")
    sub.add_argument("--pictures", type=at_least(0), default=4, help="songs drawn for each rung")
    sub.add_argument(
        "--styles", type=Path, help="only measure the styles, and draw them into this PNG"
    )


def _add_latency_curve(command: Add) -> None:
    sub = command(
        "latency-curve", latency_curve, "measure covers by the latency that they are given"
    )
    sub.add_argument("model", nargs="?", default="live", help="a model's name or path")
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    sub.add_argument("--sung", type=Path, help="folder of rung sung, which is left out without it")
    sub.add_argument(
        "--latencies",
        nargs="+",
        type=number(),
        default=[0.183, 0.25, 0.4, 0.7, 1.0, 2.0, 4.0],
        metavar="SECONDS",
    )
    sub.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    sub.add_argument("--limit", type=at_least(0), default=16, help="songs of rung b; 0 is all")
    sub.add_argument("--out", type=Path, help="also draw them into this PNG")


def _add_playable(command: Add) -> None:
    sub = command(
        "playable", playable, "measure parts, hands, pedal and faults of a model's covers"
    )
    sub.add_argument("model", nargs="?", default="live", help="a model's name or path")
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    sub.add_argument("--rung", nargs="+", default=["b"], choices=("a", "b", "c", "e"))
    sub.add_argument("--split", default="test", choices=SPLITS)
    sub.add_argument("--style", default="balanced")
    sub.add_argument("--span", type=at_least(7), default=14, help="semitones of a hand")
    sub.add_argument("--excerpt", type=number(), default=90.0, help="seconds a song; 0 is all")
    sub.add_argument("--limit", type=at_least(0), default=0, help="songs; 0 is all")


def _add_rolls(command: Add) -> None:
    sub = command(
        "rolls", rolls, "draw songs as a human and the program play them, free, on the beat, along"
    )
    sub.add_argument("out", type=Path, help="a PNG")
    sub.add_argument("--model", default="live", help="a model's name or path")
    sub.add_argument("--data", help="folder with pop909/ and splits.json")
    sub.add_argument("--cache", type=Path, default=Path("runs/rendered"))
    sub.add_argument("--rung", default="b", choices=("a", "b", "c", "e"))
    sub.add_argument("--split", default="test", choices=SPLITS)
    sub.add_argument("--excerpt", type=number(), default=90.0, help="seconds a song; 0 is all")
    sub.add_argument("--limit", type=at_least(1), default=6, help="songs")
    sub.add_argument("--seconds", type=number(), default=12.0, help="of each that are drawn")


def _embed(checkpoint: Path | None) -> "evaluation.Embed | None":
    """Return how a song comes into the joint embedding of a checkpoint."""
    if checkpoint is None:
        return None
    from offline_train.studies.matching.embedding_distance import (
        embedded_song,  # needs librosa, an extra
    )

    return partial(embedded_song, checkpoint)


def playing_settings(overrides: Mapping[str, object], style: str) -> "EngineSettings":
    """Return how the program plays, by ``section.key``, in a style. Raises ConfigError."""
    from engine.core.settings import EngineSettings
    from livecover.settings.sections import Settings, with_values

    own = with_values(Settings(), {"model.style": style, **overrides})
    return EngineSettings(**{f.name: getattr(own, f.name) for f in fields(EngineSettings)})


def evaluate(args: argparse.Namespace) -> None:
    """Measure covers, rung by rung."""
    from offline_train import evaluation
    from offline_train.evaluation.report import report, save_json, save_page
    from offline_train.evaluation.style_figure import draw_styles, measure_styles, style_table
    from offline_train.training.recipe_files import parse_override

    needs_data = bool({"a", "b", "c", "e", "piano"} & set(args.rung))
    configs = {
        rung: evaluation.EvaluateConfig(
            data_folder(args) if needs_data else Path(),
            args.cache,
            split=args.split,
            rung=rung,
            excerpt_s=args.excerpt,
            limit=args.limit,
            workers=args.workers,
            recordings=args.sung or args.recordings if rung == "sung" else args.recordings,
            embed=_embed(args.embedding),
            is_stereo=args.stereo,
        )
        for rung in args.rung
    }
    if args.styles:
        rows, covers = measure_styles(args.model, configs[args.rung[0]])
        draw_styles(args.styles, rows, covers)
        print(style_table(rows))
        return
    settings = playing_settings(dict(map(parse_override, args.set)), args.style)
    paths: list[Path_] = [] if args.without_streamed else ["streamed"]
    paths += [] if args.without_whole_file else ["whole file"]
    results = [
        evaluation.evaluate(
            args.model,
            config,
            settings,
            against=args.against,
            arrangers={"arranger": args.arranger} if args.arranger else None,
            baselines=args.baselines,
            paths=paths,
            with_qmax=not args.without_qmax,
        )
        for config in configs.values()
    ]
    if args.json:
        save_json(results, args.json)
    if args.out:
        log.info("%s", save_page(results, configs, args.out, args.pictures))
    print(report(results))


def latency_curve(args: argparse.Namespace) -> None:
    """Measure covers by the latency that they are given."""
    from offline_train import evaluation
    from offline_train.evaluation.latency_curve import (
        draw_latencies,
        latency_table,
        measure_latencies,
    )
    from offline_train.training.recipe_files import parse_override

    configs = {
        "b": evaluation.EvaluateConfig(
            data_folder(args), args.cache, rung="b", excerpt_s=90.0, limit=args.limit
        )
    }
    if args.sung:
        configs["sung"] = evaluation.EvaluateConfig(
            Path(), args.cache, rung="sung", excerpt_s=90.0, recordings=args.sung
        )
    settings = playing_settings(dict(map(parse_override, args.set)), "balanced")
    points = measure_latencies(args.model, configs, settings, [*args.latencies, None])
    if args.out:
        draw_latencies(args.out, points)
    print(latency_table(points))


def playable(args: argparse.Namespace) -> None:
    """Measure whether covers can be played."""
    from engine.model.pipeline import load_pipeline
    from offline_train.evaluation import EvaluateConfig
    from offline_train.evaluation.playable import measure
    from offline_train.evaluation.playable_report import report

    shipped = load_pipeline(args.model).spec.decoding.melody_threshold
    for rung in args.rung:
        config = EvaluateConfig(
            data_folder(args), args.cache, args.split, rung, args.excerpt, limit=args.limit
        )
        score = measure(args.model, config, args.style, args.span)
        print(report(score, f"{args.model}, rung ({rung}), style {args.style}", shipped), "\n")


def rolls(args: argparse.Namespace) -> None:
    """Draw songs as a human and the program play them."""
    from offline_train.evaluation import EvaluateConfig
    from offline_train.evaluation.rolls import draw_songs, play_songs

    config = EvaluateConfig(
        data_folder(args), args.cache, args.split, args.rung, args.excerpt, limit=args.limit
    )
    draw_songs(args.out, play_songs(args.model, config, args.seconds), args.seconds)


def human_figures(args: argparse.Namespace) -> None:
    """Print the figures that stand for humans where a rung has none."""
    from offline_train.evaluation import EvaluateConfig
    from offline_train.evaluation.human_covers import measure_humans

    config = EvaluateConfig(
        data_folder(args), Path(), args.split, excerpt_s=args.excerpt, limit=args.limit
    )
    for name, spread in measure_humans(config).items():
        print(f'    "{name}": Spread({spread.mean:.4g}, {spread.deviation:.4g}),')


def perfect_hearing(args: argparse.Namespace) -> None:
    """Measure how near to a human's cover one comes who hears everything."""
    from offline_train.studies.bounds.perfect_hearing import BoundConfig, find_bounds

    config = BoundConfig(
        data_folder(args), args.out, args.steps, seed=args.seed, one_lead=args.one_lead
    )
    print("\n\n".join(bound.table() for bound in find_bounds(config)))
