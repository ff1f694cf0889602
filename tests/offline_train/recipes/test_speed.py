"""The bench of training: both networks are what they are called; the figures are no tests."""

import pytest
from torch import nn

from models.streaming import StreamingConfig
from offline_train.recipes.speed import bench_step
from offline_train.training.cover.task import CoverTask
from offline_train.training.fused_gru import FusedGRU
from offline_train.training.task import Losses

SMALL = StreamingConfig(conv_channels=4, channels=8, trunk=8, context=8, hidden=8)


def test_it_prints_both_ways_and_their_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []
    loss = CoverTask.loss
    kinds = {FusedGRU: "fused", nn.GRU: "plain"}

    def watched(self: CoverTask, batch: object, progress: float) -> Losses:
        trained.append(kinds[type(self.cover.trunk.gru)])
        return loss(self, batch, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(CoverTask, "loss", watched)
    rows = [line.split("|") for line in bench_step(2, 16, 1, 1, SMALL).splitlines()]
    assert [row[1].strip() for row in rows[2:]] == ["torch's GRU", "fused GRU"]
    assert [row[5].strip() for row in rows[2:]][0] == "1.00"
    if "fused" not in trained:
        pytest.skip("there is no C compiler here")
    assert trained == ["plain", "fused"] * 3
