"""Scheduled sampling: some of the past that the player reads is what it would have played itself.

In parallel (Mihaylova and Martins, "Scheduled sampling for Transformers", ACL
2019): a first pass over the true past says what would be played at each step, a second learns the
human's notes from a past in which some passages are those.
Shapes: B crops, S steps, P = 88 pitches.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from engine.accompany.playing import HELD_SCALE, LENGTHS, velocity_of
from models.accompanist import CHORD_DIM, DONE, N_LENGTHS, N_VELOCITIES, Accompanist
from models.spec import MIN_PITCH, N_PITCHES
from offline_train.data.accompaniment.batches import Batch

MOST_NOTES = 6  # of a step that are drawn
SHORTEST, LONGEST = 8, 64  # steps of a passage


class Sampled(NamedTuple):
    """What would be played at each step: velocities in [0, 1] and lengths in steps, (B, S, P)."""

    velocities: Tensor
    lengths: Tensor


@torch.no_grad()
def sample_steps(network: Accompanist, batch: Batch) -> Sampled:
    """Return a draw of what the player would play at each step after the past of the batch."""
    read = network.player.read(
        batch.own, batch.plan, batch.summary, batch.style, batch.part, batch.where
    )
    hidden = network.player.stack(read).flatten(0, 1)
    plan = batch.plan.flatten(0, 1)[:, :CHORD_DIM]
    velocities = torch.zeros(len(hidden), N_PITCHES, device=hidden.device)
    lengths, struck = torch.zeros_like(velocities), torch.zeros_like(velocities)
    last = torch.full((len(hidden),), DONE, device=hidden.device)
    of_class = torch.from_numpy(LENGTHS).to(velocities)
    middle = torch.from_numpy(velocity_of(torch.arange(N_VELOCITIES).numpy())).to(velocities) / 127
    rows = torch.arange(len(hidden), device=hidden.device)
    for _ in range(MOST_NOTES):
        none = torch.zeros_like(last)
        logits, _ = network.writer(hidden[rows], plan[rows], struck[rows], last[rows], none[rows])
        pitch = logits.float().softmax(-1).multinomial(1)[:, 0]
        goes_on = pitch != DONE
        rows, pitch = rows[goes_on], pitch[goes_on]
        if not len(rows):
            break
        _, rest = network.writer(hidden[rows], plan[rows], struck[rows], last[rows], pitch)
        length, velocity, _ = rest.float().split((N_LENGTHS, N_VELOCITIES, 1), -1)
        lengths[rows, pitch] = of_class[length.softmax(-1).multinomial(1)[:, 0]]
        velocities[rows, pitch] = middle[velocity.softmax(-1).multinomial(1)[:, 0]]
        struck[rows, pitch] = 1
        last[rows] = pitch
    shape = (*batch.is_step.shape, N_PITCHES)
    return Sampled(velocities.reshape(shape), lengths.reshape(shape))


def own_of(sampled: Sampled, plan: Tensor) -> Tensor:
    """Return what was struck on the step before and is still held (B, S, 176) of what was sampled.

    As ``crops.own_rows`` has it: where the plan (B, S, 37) changes, what it leaves is let go.
    """
    pitches = (torch.arange(N_PITCHES, device=plan.device) + MIN_PITCH) % 12
    tones = plan[..., 12:24][..., pitches] > 0
    leaves = (plan[..., -1:] > 0) & (plan[..., :12].sum(-1, keepdim=True) > 0) & ~tones
    struck = torch.zeros_like(sampled.velocities)
    struck[:, 1:] = sampled.velocities[:, :-1]
    held, left = torch.zeros_like(struck), torch.zeros_like(struck[:, 0])
    for k in range(1, held.shape[1]):
        begun = sampled.lengths[:, k - 1]
        left = torch.where(begun > 0, begun, left)
        left = (left - 1).clamp(min=0) * ~leaves[:, k]
        held[:, k] = left
    return torch.cat([struck, (held / HELD_SCALE).clamp(max=1)], -1)


def with_own_past(network: Accompanist, batch: Batch, share: float) -> Batch:
    """Return a batch of which about a share of the steps has a past that the player played."""
    n_crops, n_steps = batch.is_step.shape
    own = own_of(sample_steps(network, batch), batch.plan)
    is_own = torch.zeros(n_crops, n_steps, 1, dtype=torch.bool, device=own.device)
    n_passages = round(share * n_steps / ((SHORTEST + LONGEST) / 2))
    for k in range(n_crops):
        for _ in range(n_passages):
            begin = int(torch.randint(n_steps, (1,)))
            is_own[k, begin : begin + int(torch.randint(SHORTEST, LONGEST + 1, (1,)))] = True
    return batch._replace(own=torch.where(is_own, own, batch.own))
