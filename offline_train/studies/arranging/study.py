"""The experiment of "Audio-to-symbolic arrangement", as one command.

Renders POP909 as bands, runs the product's models, trains the arranger and its ablations,
each with the same number of steps, exports them, and evaluates them beside the
cover model, the human and basic-pitch. Every part is kept, so the command goes on where it stopped.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.core.errors import DataError
from models.arrangement import ArrangementConfig
from offline_train.data.prepare import PrepareConfig, prepare
from offline_train.data.shards import MANIFEST
from offline_train.evaluation import EvaluateConfig, evaluate
from offline_train.evaluation.report import report as table_of
from offline_train.evaluation.report import save_json, save_page
from offline_train.studies.arranging.batches import Units
from offline_train.studies.arranging.export import export_arranger, network_of
from offline_train.studies.arranging.train import (
    ArrangerConfig,
    load_checkpoint,
    train,
    validation_losses,
)
from offline_train.studies.arranging.units import analyze_songs
from offline_train.studies.experiments import (
    ExperimentConfig,
    check_rows,
    training_options,
)

SMALL = ArrangementConfig(
    hidden=96, z_chord=64, z_sound=128, z_texture=96, note=64, time_hidden=256, note_hidden=128
)
TINY = ArrangementConfig(
    hidden=8, z_chord=8, z_sound=8, z_texture=8, note=8, time_hidden=16, note_hidden=16
)
MODEL = "model"
"""The row whose export is the arranger to use; it lies in ``out / MODEL``."""


@dataclass(frozen=True, slots=True)
class Slice:
    """How much of everything a size takes."""

    network: ArrangementConfig
    train_limit: int  # songs; 0 is all
    valid_limit: int
    test_limit: int
    excerpt_s: float
    steps: int
    batch: int
    minutes: float  # of each training
    with_qmax: bool
    only: tuple[str, ...] = ()  # rows; () is all


SLICES = {
    "tiny": Slice(TINY, 1, 1, 1, 8.0, 4, 4, 0.0, False, ("model",)),
    "small": Slice(SMALL, 240, 8, 6, 60.0, 1200, 32, 0.0, False),
    "full": Slice(ArrangementConfig(), 0, 0, 0, 90.0, 40_000, 64, 0.0, True),
}


def rows(c: ExperimentConfig) -> dict[str, tuple[str, ArrangerConfig]]:
    """Return the rows of the table by folder: what is said of each, and how it is trained."""
    size = SLICES[c.size]
    base = ArrangerConfig(
        c.out / MODEL,
        size.network,
        **training_options(c, size.steps, size.batch, size.minutes),
        valid_every=max(size.steps // 40, 1),
        valid_units=min(256, 16 * size.batch),
    )
    sound_only = replace(base, stages=("hear",))
    table = {
        MODEL: ("arranger", base),
        "not-following": (
            "without the unit before",
            replace(base, stages=("rebuild", "lean", "hear")),
        ),
        "not-staged": ("no staged training", sound_only),
        "no-texture": ("no texture: chords, melody", replace(sound_only, hears_texture=False)),
        "chord-only": (
            "chord only",
            replace(sound_only, hears_texture=False, hears_melody=False),
        ),
    }
    check_rows(c.rows, table)
    return {name: (text, replace(row, out=c.out / name)) for name, (text, row) in table.items()}


def units(c: ExperimentConfig, split: str) -> Units:
    """Return the units of a split, rendered and analysed now if they are not there."""
    size = SLICES[c.size]
    limit = size.train_limit if split == "train" else size.valid_limit
    if c.prepared is not None and (c.prepared / split / MANIFEST).is_file():
        folder = c.prepared / split
    else:
        folder = c.out / "shards" / split
        prepare(
            PrepareConfig(
                c.data,
                folder,
                split=split,
                excerpt_s=size.excerpt_s,
                seed=c.seed,
                workers=c.threads,
                limit=limit,
            )
        )
    pieces = analyze_songs([folder], c.data, c.out / "heard" / split, c.seed, c.threads, limit)
    return Units(pieces)


def run(c: ExperimentConfig) -> str:
    """Run the experiment, or go on with it; return the report, which is ``out/report.md`` too.

    Raises
    ------
    DataError
        If the data folder lacks POP909, or a program that renders is missing.
    """
    size = SLICES[c.size]
    train_units, valid_units = units(c, "train"), units(c, "valid")
    arrangers: dict[str, Path] = {}
    losses: dict[str, Any] = {}
    for name, (text, config) in rows(c).items():
        last = config.out / "last.pt"
        if name in (c.rows or size.only or rows(c)):
            last = train(config, train_units, valid_units)
        if not last.is_file():
            continue
        checkpoint = load_checkpoint(last)
        losses[text] = {
            "steps": checkpoint["step"],
            **validation_losses(
                network_of(checkpoint), valid_units.first(config.valid_units), config
            ),
        }
        arrangers[text] = export_arranger(last, c.out / name)
    songs = EvaluateConfig(
        c.data, c.out / "rendered", excerpt_s=size.excerpt_s, limit=size.test_limit
    )
    result = evaluate(
        "live",
        songs,
        arrangers=arrangers,
        baselines=("human",) if c.size == "tiny" else ("human", "basic-pitch"),
        paths=("streamed",),
        with_qmax=size.with_qmax,
    )
    if not result.songs:
        raise DataError("no song could be evaluated")
    save_json([result], c.out / "songs.json")
    save_page([result], {songs.rung: songs}, c.out / "page", 2)
    text = "\n".join(
        [
            f"Arrangement, size {c.size}, seed {c.seed}: {len(train_units)} units of two bars to"
            f" learn from, {len(valid_units)} to validate.",
            "",
            _losses_table(losses),
            "",
            table_of([result]),
        ]
    )
    (c.out / "report.md").write_text(text)
    settings = {name: row.plain() for name, (_, row) in rows(c).items()}
    facts = {"losses": losses, "rows": settings, "size": asdict(size)}
    (c.out / "report.json").write_text(json.dumps(facts, indent=1))
    return text


def _losses_table(losses: dict[str, Any]) -> str:
    """Return the losses on unseen units as Markdown, weighted as in training."""
    names = list(next(iter(losses.values())))
    lines = ["| unseen units | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for text, parts in losses.items():
        lines.append(f"| {text} | " + " | ".join(f"{parts[name]:g}" for name in names) + " |")
    return "\n".join(lines)
