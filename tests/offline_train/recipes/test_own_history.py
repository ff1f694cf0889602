"""A past that the player played itself: drawn, held as the engine holds it, in some passages."""

import numpy as np
import pytest
import torch

from models.accompanist import Accompanist, AccompanistConfig
from models.causal_stack import StackConfig
from offline_train.data.accompaniment.batches import Batch, collate
from offline_train.data.accompaniment.crops import make_crop
from offline_train.data.accompaniment.plans import own_rows, plan_rows
from offline_train.data.accompaniment.songs import GridSong
from offline_train.recipes.own_history import Sampled, own_of, sample_steps, with_own_past

TINY = StackConfig(width=16, layers=1, heads=2, feed_forward=16)
PLANNER = StackConfig(width=24, layers=1, heads=1, feed_forward=24, classes=12)
N = 64


@pytest.fixture
def batch() -> Batch:
    rng = np.random.default_rng(0)
    piano = [(k, 3, 60 + k % 7, 80, 1) for k in range(0, N, 2)]
    song = GridSong(
        "001",
        np.asarray(0.125 * np.arange(N), np.float64),
        (np.arange(N) % 16).astype(np.uint8),
        np.repeat(np.array([[0, 0, 0], [6, 0, 6]], np.int16), N // 2, 0),
        np.ones(N, np.uint16),
        np.array(piano, np.int16),
        np.zeros((0, 5), np.int16),
        np.zeros((1, N, 88), np.uint8),
    )
    return collate([make_crop(song, 0, np.zeros((N, 88, 2), np.float32), 2, 0, rng)] * 2, N)


@pytest.fixture
def network() -> Accompanist:
    return Accompanist(AccompanistConfig(PLANNER, TINY, writer=16, memory=N))


def test_a_draw_has_a_length_and_a_velocity_for_each_note(
    network: Accompanist, batch: Batch
) -> None:
    sampled = sample_steps(network, batch)
    assert sampled.velocities.shape == (2, N, 88)
    assert bool(((sampled.velocities > 0) == (sampled.lengths > 0)).all())
    assert 0 < int((sampled.lengths > 0).sum(-1).max()) <= 6


def test_a_sampled_past_is_held_as_a_human_s_is() -> None:
    notes = np.array([[0, 8, 60, 127, 0], [0, 8, 66, 127, 1], [4, 2, 60, 127, 0]], np.int16)
    classes = np.array([0] * 3 + [48] * 5)
    sampled = Sampled(torch.zeros(1, 8, 88), torch.zeros(1, 8, 88))
    for step, length, pitch, _, _ in notes:
        sampled.velocities[0, step, pitch - 21] = 1
        sampled.lengths[0, step, pitch - 21] = length
    plan = torch.from_numpy(plan_rows(classes, classes // 8))[None]
    np.testing.assert_allclose(own_of(sampled, plan)[0], own_rows(notes, classes, 8))


def test_some_passages_of_the_past_are_its_own(network: Accompanist, batch: Batch) -> None:
    changed = with_own_past(network, batch, 0.5)
    is_other = (changed.own != batch.own).any(-1)
    assert 0 < int(is_other.sum()) < is_other.numel()
    assert changed.pitch is batch.pitch
