"""What hFT and AMT-APC learn: targets made from notes, the two losses, and the matrices' F1.

hFT: Toyama et al., ISMIR 2023; AMT-APC: Komiya and Fukuhara, 2024, Section III-C. Where a formula
leaves something open, it follows their public code (sony/hFT-Transformer, misya11p/amt-apc, MIT).

Shapes: B batch, T frames, P = 88 pitches, V = 128 velocity classes, of which 0 is "no note".
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from models.hft import Matrices
from models.spec import MIN_PITCH, N_PITCHES

Array = NDArray[np.float32]

HALF_WIDTH_FRAMES = 3.0  # of the triangles: 50 ms, rounded to frames of 16 ms
BETA = 0.75
THETA_ONSET, THETA_FRAME, THETA_VELOCITY = 0.07, 0.2, 0.01
KINDS = ("onset", "frame", "velocity")


class Targets(NamedTuple):
    """Labels (B, T, P), or (T, P) for one crop: float32 in [0, 1], velocity int64 in [0, 127]."""

    onset: Tensor
    offset: Tensor
    frame: Tensor
    velocity: Tensor


def targets_of(notes: Array, n_frames: int, frame_s: float) -> Targets:
    """Return the targets (n_frames, P) of notes (n, >= 4), in seconds from frame 0 on.

    Onset and offset are triangles max(0, 1 - |d| / (3 frames)) about their exact times. The
    velocity stands where its onset's triangle is at least 0.5. A frame sounds from the frame
    nearest to the onset to the one nearest to the offset, both counted. Where the same pitch begins
    at the very time of an offset, there is no offset (all as in hFT's code).
    """
    onset, offset, frame = (np.zeros((n_frames, N_PITCHES), np.float32) for _ in range(3))
    velocity = np.zeros((n_frames, N_PITCHES), np.int64)
    begins = {(float(n[0]), int(n[2])) for n in notes}
    on, off = notes[:, 0] / frame_s, notes[:, 1] / frame_s
    pitches = notes[:, 2].astype(int) - MIN_PITCH
    inside = (off > -HALF_WIDTH_FRAMES) & (on < n_frames + HALF_WIDTH_FRAMES)
    inside &= (pitches >= 0) & (pitches < N_PITCHES)
    for k in np.nonzero(inside)[0]:
        pitch = int(pitches[k])
        first, last = int(np.floor(on[k] + 0.5)), int(np.floor(off[k] + 0.5))
        frame[max(first, 0) : max(last + 1, 0), pitch] = 1
        rows, height = _triangle(float(on[k]), n_frames)
        onset[rows, pitch] = np.maximum(onset[rows, pitch], height)
        rows = rows[height >= 0.5]
        rows = rows[(rows >= first) | (velocity[rows, pitch] == 0)]
        velocity[rows, pitch] = min(max(round(float(notes[k, 3])), 1), 127)
        if (float(notes[k, 1]), int(notes[k, 2])) not in begins:
            rows, height = _triangle(float(off[k]), n_frames)
            offset[rows, pitch] = np.maximum(offset[rows, pitch], height)
    return Targets(*(torch.from_numpy(a) for a in (onset, offset, frame, velocity)))


def _triangle(centre: float, n_frames: int) -> tuple[NDArray[np.int64], Array]:
    """Return the rows (k,) about a time in frames and the triangle's height there."""
    low, high = np.ceil(centre - HALF_WIDTH_FRAMES), np.floor(centre + HALF_WIDTH_FRAMES)
    rows = np.arange(max(int(low), 0), min(int(high) + 1, n_frames))
    return rows, np.maximum(0, 1 - np.abs(rows - centre) / HALF_WIDTH_FRAMES).astype(np.float32)


def amt_loss(both: tuple[Matrices, Matrices], targets: Targets) -> Tensor:
    """Return hFT's loss: the sum over both hierarchies of four means over all cells.

    Binary cross-entropy of onset, offset and frame, cross-entropy of velocity.
    """
    total = torch.zeros((), device=targets.onset.device)
    for matrices in both:
        for name in ("onset", "offset", "frame"):
            total = total + _bce(getattr(matrices, name), getattr(targets, name))
        total = total + _ce(matrices.velocity.flatten(0, -2), targets.velocity.flatten())
    return total


def important_cells(labels: Tensor, theta: float, generator: torch.Generator) -> Tensor:
    """Return which cells (B, T, P) of labels (B, T, P) the cover loss is taken over.

    Those whose label is not 0, their two neighbours in pitch, and of all others a random share
    ``theta``. The public code finds neighbours by rolling the keyboard, so that A0 borders on C8;
    here the keyboard ends at its ends.
    """
    sounding = labels > 0
    chosen = sounding.clone()
    chosen[..., 1:] |= sounding[..., :-1]
    chosen[..., :-1] |= sounding[..., 1:]
    return chosen | (torch.rand(labels.shape, generator=generator, device=labels.device) < theta)


def cover_loss(
    both: tuple[Matrices, Matrices], targets: Targets, generator: torch.Generator
) -> Tensor:
    """Return AMT-APC's loss: beta L1 + (1 - beta) L2, each the mean of three matrices' losses.

    Each of onset, frame and velocity counts by its mean over its important cells, which are the
    same for both hierarchies. Offsets are not learned. ``generator`` is on the labels' device.
    """
    onset = important_cells(targets.onset, THETA_ONSET, generator)
    frame = important_cells(targets.frame, THETA_FRAME, generator)
    velocity = important_cells(targets.velocity, THETA_VELOCITY, generator)
    first, second = (
        (
            _bce(matrices.onset[onset], targets.onset[onset])
            + _bce(matrices.frame[frame], targets.frame[frame])
            + _ce(matrices.velocity[velocity], targets.velocity[velocity])
        )
        / 3
        for matrices in both
    )
    return BETA * first + (1 - BETA) * second


def _bce(logits: Tensor, labels: Tensor) -> Tensor:
    total = binary_cross_entropy_with_logits(logits.float(), labels, reduction="sum")
    return total / max(labels.numel(), 1)


def _ce(logits: Tensor, labels: Tensor) -> Tensor:
    total = cross_entropy(logits.float(), labels, reduction="sum")
    return total / max(labels.numel(), 1)


def count_cells(second: Matrices, targets: Targets) -> Tensor:
    """Return (3, 3) int64: for onset, frame and velocity the cells found, wrong and missed.

    As AMT-APC counts: onset and frame are found above 0.5, velocity where the likeliest class is
    not 0; a label is there where it is not 0, the flanks of an onset's triangle too.
    """
    found = (second.onset > 0, second.frame > 0, second.velocity.argmax(-1) > 0)  # logits
    rows = []
    for guess, labels in zip(found, (targets.onset, targets.frame, targets.velocity), strict=True):
        true = labels > 0
        rows.append(
            torch.stack([(guess & true).sum(), (guess & ~true).sum(), (~guess & true).sum()])
        )
    return torch.stack(rows).cpu()


def f1_of(counts: Tensor) -> dict[str, float]:
    """Return F1 by kind and their mean ``average`` from counts (3, 3); 1 where nothing is asked.

    >>> f1_of(torch.tensor([[1, 1, 0], [2, 0, 0], [0, 3, 1]]))["average"] == (2 / 3 + 1 + 0) / 3
    True
    """
    scores: dict[str, float] = {}
    for name, (hit, wrong, missed) in zip(KINDS, counts.tolist(), strict=True):
        asked = 2 * hit + wrong + missed
        scores[name] = 2 * hit / asked if asked else 1.0
    return {**scores, "average": sum(scores.values()) / len(scores)}
