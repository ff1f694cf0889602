"""What a cost is the sum of; the figures themselves are no tests."""

from pathlib import Path

import numpy as np
import pytest

from engine.cover.cost import Cost, Factor, compare_costs, measure_cost
from engine.model.pipeline import load_pipeline


def test_each_stage_costs_something_and_the_total_is_their_sum(tiny_stateful_path: Path) -> None:
    pipeline = load_pipeline(tiny_stateful_path)
    samples = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    pipeline.push(samples[:1000])
    cost = measure_cost(pipeline, samples)
    for name in ("wall", "processor"):
        stages = [getattr(stage, name) for stage in (cost.frontend, cost.model, cost.decoder)]
        assert min(stages) > 0
        assert getattr(cost.total, name) == sum(stages)
        assert getattr(cost.cover, name) == sum(stages[1:])
    assert pipeline.push(samples[:0]).frames.size == 0  # a new stream


def test_of_several_rounds_the_cheapest_counts(
    tiny_stateful_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cost(seconds: float) -> Cost:
        return Cost(*[Factor(0.0, seconds)] * 3)

    measured = iter([cost(3.0), cost(9.0), cost(5.0), cost(4.0)])
    monkeypatch.setattr("engine.cover.cost.measure_cost", lambda *_: next(measured))
    pipeline = load_pipeline(tiny_stateful_path)
    pipelines = {"one": pipeline, "other": pipeline}
    found = compare_costs(pipelines, np.zeros(1, np.float32), n_rounds=2)
    assert found == {"one": cost(3.0), "other": cost(4.0)}
