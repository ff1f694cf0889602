"""A piano-roll network as a streaming model for the engine.

Such a network gives frame probabilities, without onsets and velocities. The onset of a frame is the
rise of the probability across it, and every note has one velocity.

Shapes: B batch, T frames, m = margin frames, r = ``RISE_FRAMES``, F bins, P = 88 pitches.
"""

from typing import Protocol

import torch
from torch import Tensor, nn

from models.spec import N_PITCHES, FeatureSpec

RISE_FRAMES = 2  # to either side
VELOCITY = 80 / 127
OUTPUTS = ("onset", "frame", "velocity")

State = dict[str, Tensor]


class RollNetwork(Protocol):
    """The network of the roll; a torch module."""

    margin_frames: int

    def init_hidden(self, batch: int) -> Tensor:
        """Return its state before the first frame, (1, B, H); H may be 0."""
        ...

    def roll(self, features: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (B, n, P) of features (B, n + 2 m, F) and the next state."""
        ...


class RollModel(nn.Module):
    """Features (B, T, F), style (B, 24), which changes nothing, state -> logits, next state.

    Row t describes frame t - lookahead_frames. Before the stream there is digital silence.
    """

    def __init__(self, network: RollNetwork, spec: FeatureSpec) -> None:
        super().__init__()
        self.network = network
        self.n_bins = spec.n_bins
        self.silence = float(torch.tensor(spec.log_floor).log())
        self.lookahead_frames = network.margin_frames + RISE_FRAMES
        self.has_memory = network.init_hidden(1).shape[2] > 0

    def init_state(self, batch: int) -> State:
        """Return the state before the first frame."""
        n_before = 2 * self.network.margin_frames
        state = {
            "tail": torch.full((batch, n_before, self.n_bins), self.silence),
            "roll": torch.zeros(batch, 2 * RISE_FRAMES, N_PITCHES),
        }
        return state | ({"hidden": self.network.init_hidden(batch)} if self.has_memory else {})

    def forward(self, features: Tensor, style: Tensor, state: State) -> tuple[State, State]:
        """Return logits by output name and the state after the last frame."""
        x = torch.cat([state["tail"], features], 1)
        next_state = {"tail": x[:, -2 * self.network.margin_frames :]}
        hidden = state["hidden"] if self.has_memory else self.network.init_hidden(len(features))
        logits, hidden = self.network.roll(x, hidden)
        if self.has_memory:
            next_state["hidden"] = hidden
        roll = torch.cat([state["roll"], torch.sigmoid(logits)], 1)
        next_state["roll"] = roll[:, -2 * RISE_FRAMES :]
        rise = roll[:, 2 * RISE_FRAMES :] - roll[:, : -2 * RISE_FRAMES]
        frame = roll[:, RISE_FRAMES:-RISE_FRAMES]
        kept = 0 * style.sum()  # an exported graph loses an input that nothing uses
        likely = {"onset": rise, "frame": frame, "velocity": torch.full_like(frame, VELOCITY)}
        return {n: torch.logit(p, 1e-5) + kept for n, p in likely.items()}, next_state
