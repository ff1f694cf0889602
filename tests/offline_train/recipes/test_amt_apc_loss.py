"""hFT's targets and both losses against their formulas, on matrices made by hand."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.hft import Matrices
from offline_train.recipes.amt_apc_loss import (
    BETA,
    Targets,
    amt_loss,
    count_cells,
    cover_loss,
    f1_of,
    important_cells,
    targets_of,
)

FRAME_S = 0.016
T = 12


def notes(*rows: tuple[float, float, int, int]) -> NDArray[np.float32]:
    """Notes of (onset, offset) in frames, pitch, velocity."""
    seconds = [(on * FRAME_S, off * FRAME_S, pitch, velocity) for on, off, pitch, velocity in rows]
    return np.array(seconds, np.float32).reshape(-1, 4)


def random_matrices(seed: int, n_velocities: int = 128) -> Matrices:
    generator = torch.Generator().manual_seed(seed)
    onset, offset, frame = (torch.randn(2, T, 88, generator=generator) for _ in range(3))
    return Matrices(onset, offset, frame, torch.randn(2, T, 88, n_velocities, generator=generator))


def some_targets() -> Targets:
    one = targets_of(notes((3, 8, 21, 70), (5.4, 11, 60, 90)), T, FRAME_S)
    other = targets_of(notes((2, 6, 108, 40)), T, FRAME_S)
    return Targets(*(torch.stack(pair) for pair in zip(one, other, strict=True)))


def bce(logit: float, label: float) -> float:
    p = 1 / (1 + math.exp(-logit))
    return -(label * math.log(p) + (1 - label) * math.log(1 - p))


def ce(logits: Tensor, label: int) -> float:
    return -math.log(math.exp(logits[label]) / sum(math.exp(x) for x in logits.tolist()))


def test_an_onset_is_a_triangle_about_its_exact_time() -> None:
    targets = targets_of(notes((4.25, 8, 60, 77)), T, FRAME_S)
    column = targets.onset[:, 60 - 21]
    expected = [max(0.0, 1 - abs(row - 4.25) / 3) for row in range(T)]
    np.testing.assert_allclose(column.numpy(), expected, atol=1e-5)
    assert targets.onset.sum() == column.sum()
    loud = (targets.velocity[:, 60 - 21] > 0).tolist()
    assert loud == [value >= 0.5 for value in expected]
    assert targets.velocity.max() == 77


def test_frame_and_offset_follow_hft() -> None:
    targets = targets_of(notes((2.4, 6.6, 60, 77)), T, FRAME_S)
    assert np.flatnonzero(targets.frame[:, 39].numpy()).tolist() == [2, 3, 4, 5, 6, 7]
    expected = [max(0.0, 1 - abs(row - 6.6) / 3) for row in range(T)]
    np.testing.assert_allclose(targets.offset[:, 39].numpy(), expected, atol=1e-5)


def test_a_repeated_note_has_no_offset_and_its_own_velocity() -> None:
    targets = targets_of(notes((2, 6, 60, 50), (6, 10, 60, 90)), T, FRAME_S)
    assert np.argmax(targets.offset[:, 39].numpy()) == 10
    assert targets.offset[6, 39] == 0
    assert targets.velocity[1:8, 39].tolist() == [50, 50, 50, 0, 90, 90, 90]


def test_notes_at_the_edges_and_off_the_keyboard() -> None:
    far = notes((-20, -9, 60, 9), (T + 4, T + 9, 60, 9), (2, 4, 20, 9), (2, 4, 109, 9))
    assert all(t.sum() == 0 for t in targets_of(far, T, FRAME_S))
    edge = targets_of(notes((-1, 1, 21, 60), (T + 1, T + 5, 108, 70)), T, FRAME_S)
    assert edge.onset[0, 0] == pytest.approx(2 / 3)
    assert edge.onset[T - 1, 87] == pytest.approx(1 / 3)
    assert edge.frame[:, 87].sum() == 0
    assert targets_of(notes(), T, FRAME_S).frame.shape == (T, 88)


def test_amt_loss_is_the_sum_of_eight_means() -> None:
    both, targets = (random_matrices(0), random_matrices(1)), some_targets()
    expected = 0.0
    for matrices in both:
        for name in ("onset", "offset", "frame"):
            logits, labels = getattr(matrices, name).flatten(), getattr(targets, name).flatten()
            pairs = zip(logits.tolist(), labels.tolist(), strict=True)
            expected += sum(bce(x, y) for x, y in pairs) / logits.numel()
        rows = zip(matrices.velocity.flatten(0, 2), targets.velocity.flatten(), strict=True)
        expected += sum(ce(x, int(y)) for x, y in rows) / targets.velocity.numel()
    assert amt_loss(both, targets).item() == pytest.approx(expected, rel=1e-4)


def test_neighbours_end_at_the_ends_of_the_keyboard() -> None:
    labels = torch.zeros(1, 3, 88)
    labels[0, 0, 0], labels[0, 1, 87], labels[0, 2, 40] = 0.3, 1.0, 1.0
    chosen = important_cells(labels, 0.0, torch.Generator())
    assert np.argwhere(chosen[0].numpy()).tolist() == [
        [0, 0],
        [0, 1],
        [1, 86],
        [1, 87],
        [2, 39],
        [2, 40],
        [2, 41],
    ]


def test_of_the_others_a_random_share_is_taken() -> None:
    labels = torch.zeros(4, 256, 88)
    labels[:, 0, 5] = 1
    chosen = important_cells(labels, 0.2, torch.Generator().manual_seed(0))
    assert chosen[:, 0, 4:7].all()
    assert chosen.float().mean().item() == pytest.approx(0.2, abs=0.01)
    again = important_cells(labels, 0.2, torch.Generator().manual_seed(0))
    assert torch.equal(chosen, again)


def test_cover_loss_is_the_papers_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ONSET", "FRAME", "VELOCITY"):
        monkeypatch.setattr(f"offline_train.recipes.amt_apc_loss.THETA_{name}", 0.0)
    both, targets = (random_matrices(2), random_matrices(3)), some_targets()
    losses = []
    for matrices in both:
        parts = []
        for name in ("onset", "frame", "velocity"):
            labels, logits = getattr(targets, name), getattr(matrices, name)
            cells = {
                (b, t, q)
                for b, t, p in np.argwhere(labels.numpy() > 0).tolist()
                for q in (p - 1, p, p + 1)
                if 0 <= q < 88
            }
            values = [
                ce(logits[cell], int(labels[cell]))
                if name == "velocity"
                else bce(float(logits[cell]), float(labels[cell]))
                for cell in cells
            ]
            parts.append(sum(values) / len(values))
        losses.append(sum(parts) / 3)
    expected = BETA * losses[0] + (1 - BETA) * losses[1]
    assert cover_loss(both, targets, torch.Generator()).item() == pytest.approx(expected, rel=1e-4)


def test_cover_loss_does_not_learn_offsets_and_bears_silence() -> None:
    both = (random_matrices(2), random_matrices(3))
    for matrix in (m for matrices in both for m in matrices):
        matrix.requires_grad_()
    silent = Targets(*(torch.zeros_like(t) for t in some_targets()))
    loss = cover_loss(both, silent, torch.Generator().manual_seed(0))
    loss.backward()  # type: ignore[no-untyped-call]
    assert math.isfinite(loss.item())
    assert both[0].offset.grad is None
    assert both[1].onset.grad is not None


def test_cells_are_counted_as_amt_apc_does() -> None:
    one = targets_of(notes((4, 8, 60, 77)), T, FRAME_S)
    targets = Targets(*(t[None] for t in one))
    onset, offset, frame = (torch.where(t > 0, 1.0, -1.0) for t in targets[:3])
    velocity = torch.nn.functional.one_hot(targets.velocity, 128).float()
    perfect = Matrices(onset, offset, frame, velocity)
    assert f1_of(count_cells(perfect, targets))["average"] == 1.0
    onset[0, 0, 0] = 1.0  # one onset too many; 5 cells of the triangle are right
    scores = f1_of(count_cells(Matrices(onset, offset, frame, velocity), targets))
    assert scores["onset"] == pytest.approx(10 / 11)
