"""Figures by latency: what is asked for, the table, the picture."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.core.settings import EngineSettings
from offline_train.evaluation import latency_curve
from offline_train.evaluation.latency_curve import (
    Point,
    draw_latencies,
    latency_table,
    measure_latencies,
)
from offline_train.evaluation.songs.rungs import EvaluateConfig


def test_each_latency_is_played_live_and_none_as_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def evaluate(
        model: str, config: EvaluateConfig, settings: EngineSettings, **options: Any
    ) -> object:
        asked.append((config.rung, settings.time.latency, *options["paths"]))
        found = {"onset_f1": 0.1 * len(asked)}
        return SimpleNamespace(streamed=SimpleNamespace(figures=found))

    monkeypatch.setattr(latency_curve, "evaluate", evaluate)
    configs = {rung: EvaluateConfig(Path(), Path(), rung=rung) for rung in ("b", "sung")}
    points = measure_latencies("live", configs, EngineSettings(), [0.5, None])
    assert asked == [
        ("b", 0.5, "streamed"),
        ("sung", 0.5, "streamed"),
        ("b", None, "whole file"),
        ("sung", None, "whole file"),
    ]
    assert points[1].figures["b"]["onset_f1"] == pytest.approx(0.3)


def test_the_table_has_a_latency_a_row_and_the_picture_is_drawn(tmp_path: Path) -> None:
    keys = {"onset_f1": 0.4, "melody_recall": 0.8, "pulse": 0.7, "sung_found": 0.75}
    points = [
        Point(latency, {"b": keys, "sung": {**keys, "notes_a_second": 7.0}})
        for latency in (0.183, 1.0, None)
    ]
    lines = latency_table(points).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["183 ms", "1000 ms", "a file"]
    assert "(b) onset F1" in lines[0] and "(sung) sung notes found" in lines[0]
    assert "–" in lines[2]  # what is not known
    draw_latencies(tmp_path / "new" / "curve.png", points)
    assert (tmp_path / "new" / "curve.png").read_bytes().startswith(b"\x89PNG")
