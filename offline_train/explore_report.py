"""An exploration as a table, a JSON file and a picture of its two curves."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from offline_train.evaluation.report import markdown_table
from offline_train.explore import ExploreConfig, Result

MARKS = {"lookahead": "o-", "width": "s-", "part": "^"}
"""How the settings of an axis are drawn: joined where one number tells them apart."""


def table(results: Sequence[Result]) -> str:
    """Return the results as Markdown, one a row.

    >>> row = Result("width-1", "width", "nothing", 4, 450_000, 9, 0.5, 199.0, .4, .5, .3, .5, .9)
    >>> print(table([row]).splitlines()[2])
    | width-1 | nothing | 4 | 0.45 | 9 | 0.5 | 0.400 | 0.500 | 0.300 | 0.500 | 0.90 | 199 | 0.000 |
    """
    header = [
        "setting", "begins with", "lookahead, frames", "parameters, M", "steps", "audio heard, h",
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
    figure = Figure((13, 8), dpi=90, layout="constrained")
    axes: Any = figure.subplots(2, 2, sharex="col", sharey="row")
    latency = [r for r in results if r.axis == "lookahead"]
    cost = [r for r in results if r.axis != "lookahead"]
    for row, (measure, label) in zip(
        axes, (("onset_f1", "onset F1 (50 ms)"), ("frame_f1", "frame F1 (16 ms)")), strict=True
    ):
        _curves(row[0], latency, "latency_ms", measure)
        _curves(row[1], cost, "real_time_factor", measure)
        row[0].set_ylabel(label)
    axes[1, 0].set_xlabel("declared latency, ms")
    axes[1, 1].set_xlabel("real-time factor, one core")
    figure.savefig(path)


def _curves(panel: Any, results: Sequence[Result], x: str, y: str) -> None:
    for axis, mark in MARKS.items():
        points = sorted((getattr(r, x), getattr(r, y), r.name) for r in results if r.axis == axis)
        panel.plot([p[0] for p in points], [p[1] for p in points], mark)
        for at, value, name in points:
            panel.annotate(name, (at, value), (4, 4), textcoords="offset points", fontsize=8)
    panel.margins(x=0.15)
    panel.grid(color="0.9")
