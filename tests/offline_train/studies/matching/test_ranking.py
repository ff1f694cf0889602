"""The ranking loss against its formula, and the measures against counts by hand."""

import numpy as np
import pytest
import torch

from offline_train.studies.matching.ranking import (
    nearest,
    ranking_loss,
    ranks,
    score_retrieval,
    transcription_measure,
)


def test_the_loss_is_the_formula() -> None:
    torch.manual_seed(1)
    x, y, margin = torch.randn(5, 3), torch.randn(5, 3), 0.7

    def s(a: torch.Tensor, b: torch.Tensor) -> float:
        return float(a @ b / (a.norm() * b.norm()))

    hinges = [
        max(0.0, margin - s(x[i], y[i]) + s(x[i], y[j]))
        for i in range(5)
        for j in range(5)
        if j != i
    ]
    assert float(ranking_loss(x, y, margin)) == pytest.approx(sum(hinges) / 5, abs=1e-5)


def test_partners_far_from_the_rest_cost_nothing() -> None:
    assert float(ranking_loss(torch.eye(4), 3 * torch.eye(4), 0.6)) == 0.0


def test_ranks_and_their_measures() -> None:
    queries = np.eye(4, dtype=np.float32)
    candidates = np.array([[1, 0, 0, 0], [0, 1, 2, 0], [0, 0, 1, 0], [0, 0, 0, 5]], np.float32)
    assert ranks(queries, candidates).tolist() == [1, 1, 1, 1]
    swapped = candidates[[1, 0, 2, 3]]
    assert ranks(queries, swapped).tolist() == [4, 4, 1, 1]  # ties count against it
    found = score_retrieval(queries, swapped)
    assert (found.recall_at_1, found.recall_at_25, found.median_rank) == (0.5, 1.0, 2.5)
    assert found.mrr == pytest.approx((0.25 + 0.25 + 1 + 1) / 4)


def test_embeddings_that_all_collapse_are_not_called_found() -> None:
    same = np.ones((10, 4), np.float32)
    assert score_retrieval(same, same).recall_at_1 == 0.0


def test_nearest_without_the_partner() -> None:
    points = np.array([[1, 0], [1, 0.1], [0, 1]], np.float32)
    assert nearest(points, points).tolist() == [0, 1, 2]
    assert nearest(points, points, is_partner_absent=True).tolist() == [1, 0, 1]


def test_the_transcription_measure_leaves_silence_out() -> None:
    true = np.zeros((1, 4, 100), np.uint8)
    found = true.copy()
    true[0, 0, :10] = 1
    found[0, 0, 5:20] = 1
    assert transcription_measure(true, found) == pytest.approx(5 / (5 + 10))
    assert transcription_measure(true, true) == float("inf")
