"""What a cost is the sum of; the figures themselves are no tests."""

from pathlib import Path

import numpy as np

from engine.cost import measure_cost
from engine.offline import load_pipeline


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
