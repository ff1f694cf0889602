"""Crops as batches: padded, their notes as the tokens that are written one after the other.

Shapes: B crops, S steps, N notes and ends of steps, P = 88 pitches. Not here: drawing crops
(``crops``).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.accompany.playing import length_class, velocity_class
from models.accompanist import DONE, Situation
from models.spec import MIN_PITCH, N_PITCHES

Array = NDArray[np.float32]
Notes = NDArray[np.int16]


class Crop(NamedTuple):
    """One crop, as arrays; rows of notes are step, length, pitch, velocity, hand."""

    observed: Array
    summary: Array
    expected: Array
    place: NDArray[np.int64]
    lag: int
    tempo: float
    chord: NDArray[np.int64]
    bass: NDArray[np.int64]
    plan: Array
    own: Array
    style: Array
    part: int
    notes: Notes


class Batch(NamedTuple):
    """Crops, each padded to S steps; ``is_step`` says which of them are of the song."""

    observed: Tensor  # (B, S, 220) input of the planner, late
    summary: Tensor  # (B, S, 44) the player's part of it
    expected: Tensor  # (B, S, 38)
    where: Situation
    chord: Tensor  # (B, S) int64, true class
    bass: Tensor  # (B, S) int64
    is_step: Tensor  # (B, S) bool
    own: Tensor  # (B, S, 176)
    plan: Tensor  # (B, S, 37)
    style: Tensor  # (B, S, 12)
    part: Tensor  # (B,) int64
    at: Tensor  # (N,) int64, step of the flattened batch
    struck: Tensor  # (N, P)
    last: Tensor  # (N,) int64
    pitch: Tensor  # (N,) int64, DONE at the end of a step
    length: Tensor  # (N,) int64, class; meaningless at ends
    velocity: Tensor  # (N,) int64
    is_right: Tensor  # (N,)


def collate(crops: Sequence[Crop], n_steps: int) -> Batch:
    """Return crops as a batch, padded to ``n_steps``."""

    def padded(name: str) -> Tensor:
        rows = [np.asarray(getattr(crop, name)) for crop in crops]
        out = np.zeros((len(rows), n_steps, *rows[0].shape[1:]), rows[0].dtype)
        for k, row in enumerate(rows):
            out[k, : len(row)] = row
        return torch.from_numpy(out)

    is_step = torch.zeros(len(crops), n_steps, dtype=torch.bool)
    for k, crop in enumerate(crops):
        is_step[k, : len(crop.place)] = True
    tokens = [step_tokens(crop.notes, len(crop.place)) for crop in crops]
    for k, token in enumerate(tokens):
        token["at"] = token["at"] + k * n_steps

    def joined(name: str) -> Tensor:
        return torch.from_numpy(np.concatenate([token[name] for token in tokens]))

    where = Situation(
        padded("place"),
        torch.tensor([crop.lag for crop in crops]),
        torch.tensor([crop.tempo for crop in crops]),
    )
    names = ("at", "struck", "last", "pitch", "length", "velocity", "is_right")
    return Batch(
        padded("observed"),
        padded("summary"),
        padded("expected"),
        where,
        padded("chord"),
        padded("bass"),
        is_step,
        padded("own"),
        padded("plan"),
        padded("style"),
        torch.tensor([crop.part for crop in crops]),
        *(joined(name) for name in names),
    )


def step_tokens(notes: Notes, n: int) -> dict[str, NDArray[Any]]:
    """Return the notes of n steps as they are written, and the end of each step."""
    counts = np.bincount(notes[:, 0], minlength=n)[:n]
    firsts = np.cumsum(counts) - counts
    rank = np.arange(len(notes)) - firsts[notes[:, 0]]
    index = notes[:, 0].astype(np.int64) + np.arange(len(notes))  # each end takes a place
    total = len(notes) + n
    ends = np.cumsum(counts + 1) - 1
    key = (notes[:, 2] - MIN_PITCH).astype(np.int64)
    at = np.repeat(np.arange(n), counts + 1)
    pitch = np.full(total, DONE)
    pitch[index] = key
    last = np.full(total, DONE)
    last[index + 1] = key
    struck = np.zeros((total, N_PITCHES), np.float32)
    for later in range(1, int(rank.max(initial=-1)) + 2):  # a note is seen by all after it
        sees = np.minimum(index + later, total - 1)
        is_own = index + later <= ends[notes[:, 0]]
        struck[sees[is_own], key[is_own]] = 1
    length, velocity = np.zeros(total, np.int64), np.zeros(total, np.int64)
    is_right = np.zeros(total, np.float32)
    length[index] = length_class(notes[:, 1])
    velocity[index] = velocity_class(notes[:, 3])
    is_right[index] = notes[:, 4]
    return {
        "at": at, "struck": struck, "last": last, "pitch": pitch, "length": length,
        "velocity": velocity, "is_right": is_right,
    }  # fmt: skip
