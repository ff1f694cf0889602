"""How good a model's covers are by the latency that they are given: a table and a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.figure import Figure

from engine.core.settings import EngineSettings
from offline_train.evaluation.figures import MEASURE, Figures
from offline_train.evaluation.report import markdown_table
from offline_train.evaluation.scoring import evaluate
from offline_train.evaluation.songs.rungs import EvaluateConfig
from offline_train.evaluation.systems import Path_

COLUMNS = {
    "b": ("onset_f1", "melody_recall", "pulse", "pianist_distance"),
    "sung": ("sung_found", "notes_a_second", "pulse", "crowded"),
}
"""Measures of a rung that are shown."""
DRAWN = {"b": ("onset_f1", "melody_recall", "pulse"), "sung": ("sung_found", "pulse")}


@dataclass(frozen=True, slots=True)
class Point:
    """The figures at a latency, by rung; None is a file, which waits for as much as helps."""

    latency: float | None
    figures: Mapping[str, Figures]


def measure_latencies(
    model: str | Path,
    configs: Mapping[str, EvaluateConfig],
    settings: EngineSettings,
    latencies: Sequence[float | None],
) -> list[Point]:
    """Return a model's figures at latencies in seconds, and as files for None.

    Raises as ``evaluate``.
    """
    points = []
    for latency in latencies:
        own = replace(settings, time=replace(settings.time, latency=latency))
        paths: list[Path_] = ["whole file" if latency is None else "streamed"]
        found = {
            rung: evaluate(model, config, own, baselines=(), paths=paths, with_qmax=False)
            for rung, config in configs.items()
        }
        points.append(Point(latency, {rung: r.streamed.figures for rung, r in found.items()}))
    return points


def latency_table(points: Sequence[Point]) -> str:
    """Return a Markdown table, a latency a row."""
    shown = [(rung, MEASURE[key]) for rung in points[0].figures for key in COLUMNS[rung]]
    rows = [["latency", *(f"({rung}) {measure.label}" for rung, measure in shown)]]
    for point in points:
        values = [(point.figures[rung].get(m.key), m.digits) for rung, m in shown]
        cells = ["–" if value is None else f"{value:.{digits}f}" for value, digits in values]
        name = "a file" if point.latency is None else f"{1000 * point.latency:.0f} ms"
        rows.append([name, *cells])
    return markdown_table(rows)


def draw_latencies(path: Path, points: Sequence[Point]) -> None:
    """Write a PNG: the figures against latency; a file's are dashes at the right."""
    live = [point for point in points if point.latency is not None]
    figure = Figure((8, 5), dpi=90, layout="constrained")
    axes = figure.subplots()
    for rung in points[0].figures:
        for key in DRAWN[rung]:
            values = [point.figures[rung][key] for point in live]
            (line,) = axes.plot(
                [1000 * (point.latency or 0.0) for point in live],
                values,
                "o-",
                label=f"({rung}) {MEASURE[key].label}",
            )
            for point in points:
                if point.latency is None:
                    axes.axhline(point.figures[rung][key], color=line.get_color(), ls=":", lw=1)
    axes.set_xscale("log")
    ticks = [1000 * (point.latency or 0.0) for point in live]
    axes.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("latency, ms; dotted: a file")
    axes.set_ylim(0.0, 1.0)
    axes.grid(color="0.9")
    axes.legend(fontsize=8, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
