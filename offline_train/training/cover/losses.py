"""Losses of the streaming cover network: cover, transcription, consistency.

Logits and labels are (B, T, 88); what an item has no labels for does not count in its row.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from models.streaming import TRANSCRIPTION_PREFIX


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of the terms of the loss."""

    onset: float = 8.0
    frame: float = 1.0
    velocity: float = 8.0
    melody: float = 0.3
    transcription: float = 0.5  # all of the trunk's terms, against the cover's
    consistency: float = 0.5
    tune: float = 1.0  # of an onset of the cover's tune, against another cell's


def note_loss(
    logits: dict[str, Tensor],
    batch: dict[str, Tensor],
    prefix: str,
    has_notes: Tensor,
    has_velocity: Tensor,
    w: Weights,
) -> dict[str, Tensor]:
    """Return the terms onset, frame, velocity (and melody) over the rows (B,) that have labels."""
    onset, frame = batch[f"{prefix}onset"], batch[f"{prefix}frame"]
    rows = has_notes / has_notes.sum().clamp(min=1)

    def mean(cells: Tensor) -> Tensor:
        return (cells.mean((1, 2)) * rows).sum()

    is_tune = torch.zeros(())
    if f"{prefix}melody" in batch:
        is_tune = onset * batch[f"{prefix}melody"] * batch["has_melody"][:, None, None]
    onset_error = bce(logits[f"{prefix}onset"], onset, reduction="none")
    weight = onset * has_velocity[:, None, None]
    error = torch.sigmoid(logits[f"{prefix}velocity"]) - batch[f"{prefix}velocity"]
    terms = {
        "onset": w.onset * mean(onset_error * (1 + (w.tune - 1) * is_tune)),
        "frame": w.frame * mean(bce(logits[f"{prefix}frame"], frame, reduction="none")),
        "velocity": w.velocity * (error.square() * weight).sum() / weight.sum().clamp(min=1),
    }
    if f"{prefix}melody" in batch:
        is_known = has_notes * batch["has_melody"]
        sounding = torch.maximum(onset, frame) * is_known[:, None, None]
        melody = bce(logits[f"{prefix}melody"], batch[f"{prefix}melody"], reduction="none")
        terms["melody"] = w.melody * (melody * sounding).sum() / sounding.sum().clamp(min=1)
    return terms


def cover_loss(
    logits: dict[str, Tensor], batch: dict[str, Tensor], w: Weights
) -> dict[str, Tensor]:
    """Return all weighted terms of a batch by name; those of the cover where there is one."""
    has_cover, has_transcription = batch["has_cover"], batch["has_transcription"]
    cover = note_loss(logits, batch, "", has_cover, has_cover, w) if "onset" in logits else {}
    transcription = note_loss(
        logits, batch, TRANSCRIPTION_PREFIX, has_transcription, batch["has_velocity"], w
    )
    return cover | {
        TRANSCRIPTION_PREFIX + name: w.transcription * value
        for name, value in transcription.items()
    }


def as_dense_as(logits: Tensor, mass: Tensor) -> Tensor:
    """Return probabilities whose mean is ``mass``, by a shift of all logits, found by bisection.

    On sound unlike any that it was trained on, a network orders notes well and trusts them too
    little; the shift (label shift correction, at most -1 to 3) gives the trust back.
    """
    low, high = torch.tensor(-1.0), torch.tensor(3.0)
    for _ in range(20):
        middle = (low + high) / 2
        is_less = torch.sigmoid(logits + middle).mean() < mass
        low, high = torch.where(is_less, middle, low), torch.where(is_less, high, middle)
    return torch.sigmoid(logits + (low + high) / 2)


def consistency_loss(
    damaged: dict[str, Tensor], clean: dict[str, Tensor], mass: dict[str, Tensor], w: Weights
) -> Tensor:
    """Return how far the cover of damaged sound is from the averaged network's of clean sound.

    ``mass`` gives the mean onset and frame that covers have, which the target is made to have.
    """
    total = torch.zeros(())
    for name, weight in (("onset", w.onset), ("frame", w.frame)):
        target = torch.cat([as_dense_as(row[None], mass[name]) for row in clean[name]])
        total = total + weight * bce(damaged[name], target)
    return w.consistency * total
