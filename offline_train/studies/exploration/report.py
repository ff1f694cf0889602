"""An exploration as a table, a JSON file and a picture of its two curves."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from offline_train.evaluation.report import markdown_table
from offline_train.studies.exploration.explore import ExploreConfig, Result

MARKS = {"lookahead": "o-", "width": "s-", "part": "^"}
"""How the settings of an axis are drawn: joined where one number tells them apart."""


def table(results: Sequence[Result]) -> str:
    """Return the results as Markdown, one a row.

    >>> row = Result("width-1", "width", "nothing", 4, 450_000, 9, 0.5, 199.0, .4, .5, .3, .5, .9)
    >>> print(table([row]).splitlines()[2])
    | width-1 | nothing | 4 | 0.45 | 9 | 0.5 | 0.400 | 0.500 | 0.300 | 0.500 | 0.90 | 199 | 0.000 |
    """
    header = [
        "setting", "begins with", "lookahead, frames", "parameters, M", "steps",
        "audio trained on, h",
        "onset F1", "precision", "recall", "frame F1", "notes for each of the human",
        "latency, ms", "real-time factor",
    ]  # fmt: skip
    rows = [
        [
            r.name,
            r.began_with,
            str(r.lookahead_frames),
            f"{r.n_parameters / 1e6:.2f}",
            str(r.steps),
            f"{r.audio_hours:.1f}",
            *(f"{v:.3f}" for v in (r.onset_f1, r.onset_precision, r.onset_recall, r.frame_f1)),
            f"{r.density:.2f}",
            f"{r.latency_ms:.0f}",
            f"{r.real_time_factor:.3f}",
        ]
        for r in results
    ]
    return markdown_table([header, *rows])


def save(results: Sequence[Result], c: ExploreConfig) -> Path:
    """Write ``explore.json``, ``explore.md`` and ``explore.png`` into ``out``; return the last."""
    facts = {
        "grid": c.grid,
        "hours": c.train.hours,
        "rung": c.songs.rung,
        "split": c.songs.split,
        "excerpt_s": c.songs.excerpt_s,
        "limit": c.songs.limit,
        "results": [dataclasses.asdict(result) for result in results],
    }
    (c.out / "explore.json").write_text(json.dumps(facts, indent=1))
    (c.out / "explore.md").write_text(table(results) + "\n")
    path = c.out / "explore.png"
    draw(path, results)
    return path


def draw(path: Path, results: Sequence[Result]) -> None:
    """Write a PNG: F1 of the settings of lookahead against latency, of the others against cost."""
    latency = [r for r in results if r.axis == "lookahead"]
    cost = [r for r in results if r.axis != "lookahead"]
    columns = (
        (latency, "latency_ms", "declared latency, ms"),
        (cost, "real_time_factor", "real-time factor, one core"),
    )
    drawn = [column for column in columns if column[0]]
    figure = Figure((6.5 * len(drawn), 8), dpi=90, layout="constrained")
    axes: Any = figure.subplots(2, len(drawn), sharex="col", sharey="row", squeeze=False)
    for row, (measure, label) in zip(
        axes, (("onset_f1", "onset F1 (50 ms)"), ("frame_f1", "frame F1 (16 ms)")), strict=True
    ):
        for panel, (column, x, _) in zip(row, drawn, strict=True):
            _curves(panel, column, x, measure)
        row[0].set_ylabel(label)
    for panel, (_, _, name) in zip(axes[1], drawn, strict=True):
        panel.set_xlabel(name)
    figure.savefig(path)


def _curves(panel: Any, results: Sequence[Result], x: str, y: str) -> None:
    for axis, mark in MARKS.items():
        points = sorted((getattr(r, x), getattr(r, y), r.name) for r in results if r.axis == axis)
        panel.plot([p[0] for p in points], [p[1] for p in points], mark)
        for at, value, name in points:
            panel.annotate(name, (at, value), (4, 4), textcoords="offset points", fontsize=8)
    panel.margins(x=0.15)
    panel.grid(color="0.9")
