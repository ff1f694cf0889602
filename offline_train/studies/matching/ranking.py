"""The ranking loss, and how retrieval and transcription by retrieval are measured.

Loss: for each anchor, how far any wrong partner comes within a margin of the right one
(Dias Neto et al., section 4.2; Dorfer et al., 2018):
sum over i and j != i of max(0, margin - s(x_i, y_i) + s(x_i, y_j)), s the cosine.
Measures (section 5): R@k, the mean reciprocal rank, the median rank, and
TM = TP / (FP + FN) over the cells of binary rolls, which has no upper bound.

Shapes: N queries and candidates, D dimensions, row i of each being partners.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Array = NDArray[np.float32]


def ranking_loss(anchors: Tensor, partners: Tensor, margin: float) -> Tensor:
    """Return the hinge loss of anchors (N, D) and partners (N, D), a mean over anchors."""
    likeness = functional.normalize(anchors, dim=1) @ functional.normalize(partners, dim=1).T
    right = likeness.diagonal()[:, None]
    hinges = torch.relu(margin - right + likeness)
    wrong = ~torch.eye(len(anchors), dtype=torch.bool, device=anchors.device)
    return (hinges * wrong).sum() / len(anchors)


def unit(embeddings: Array) -> Array:
    """Return embeddings (N, D) at length 1."""
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.asarray(embeddings / np.maximum(lengths, 1e-12), np.float32)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How often the right partner is found among N candidates."""

    n_candidates: int
    recall_at_1: float
    recall_at_25: float
    mrr: float
    median_rank: float


def ranks(queries: Array, candidates: Array) -> NDArray[np.int64]:
    """Return the rank (N,), from 1, of each query's partner by cosine; ties count against it."""
    likeness = unit(queries) @ unit(candidates).T
    right = likeness.diagonal()[:, None]
    ahead = (likeness >= right).sum(1)  # itself among them
    return np.asarray(np.maximum(ahead, 1), np.int64)


def score_retrieval(queries: Array, candidates: Array) -> Retrieval:
    """Return the measures of queries (N, D) whose partners are the candidates (N, D)."""
    found = ranks(queries, candidates)
    return Retrieval(
        len(found),
        float((found <= 1).mean()),
        float((found <= 25).mean()),
        float((1 / found).mean()),
        float(np.median(found)),
    )


def nearest(
    queries: Array, candidates: Array, is_partner_absent: bool = False
) -> NDArray[np.int64]:
    """Return the index (N,) of the candidate nearest to each query, its own left out if asked."""
    likeness = unit(queries) @ unit(candidates).T
    if is_partner_absent:
        np.fill_diagonal(likeness, -np.inf)
    return np.asarray(likeness.argmax(1), np.int64)


def transcription_measure(
    true: NDArray[np.integer] | NDArray[np.bool_], found: NDArray[np.integer] | NDArray[np.bool_]
) -> float:
    """Return TM of binary rolls (N, P, C); infinite if they are equal.

    >>> transcription_measure(np.array([[1, 1, 0]]), np.array([[1, 0, 1]]))
    0.5
    """
    true, found = np.asarray(true) > 0, np.asarray(found) > 0
    wrong = int((true != found).sum())
    return int((true & found).sum()) / wrong if wrong else float("inf")
