"""The beat network: causal beat and downbeat activations, on one laptop core.

Log-frequency magnitudes go in, how near a beat and a downbeat are comes out, ``lookahead_frames``
later. After BeatNet (Heydari et al., ISMIR 2021): a small convolution, then recurrent layers; here
on the features of the cover network, with its rise over the past beside its level
(SuperFlux, Böck and Widmer, DAFx 2013).

1. level, and rise: how far a bin exceeds the loudest of its neighbourhood two frames ago, each by
   semitones;
2. a convolution over three frames of all of them;
3. two GRUs over time, for tempo and metre;
4. beat and downbeat logits.

What tempo and metre are is decided by a filter on these (``engine.beat``). Shapes: B batch,
T frames, F bins, C channels. Every state is a tensor that streams.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

State = dict[str, Tensor]

OUTPUTS = ("beat", "downbeat")
RISE_FRAMES = 2
PAST_FRAMES = RISE_FRAMES + 2  # of the features: the convolution looks at two more
FIRST_BIAS = (-2.5, -4.0)  # as rare as they are


@dataclass(frozen=True, slots=True)
class BeatConfig:
    """Sizes of the network; ``lookahead_frames`` is how late its targets are in training."""

    n_bins: int = 291
    bins_per_semitone: int = 3
    width: int = 128
    hidden: int = 128
    dropout: float = 0.15
    lookahead_frames: int = 2
    feature_mean: float = -1.5
    feature_scale: float = 2.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)


class BeatNetwork(nn.Module):
    """Features (B, T, F), state -> logits {name: (B, T)}, next state.

    Row t describes frame t - lookahead_frames.
    """

    def __init__(self, config: BeatConfig) -> None:
        super().__init__()
        c = self.config = config
        n_semitones = c.n_bins // c.bins_per_semitone
        self.attack = nn.Conv1d(2 * n_semitones, c.width, 3)
        self.attack_norm = nn.BatchNorm1d(c.width)
        self.dropout = nn.Dropout(c.dropout)
        self.first = nn.GRU(c.width, c.hidden, batch_first=True)
        self.second = nn.GRU(c.hidden, c.hidden, batch_first=True)
        self.heads = nn.Linear(c.width + 2 * c.hidden, len(OUTPUTS))
        self.heads.bias.data = torch.tensor(FIRST_BIAS)

    def init_state(self, batch: int) -> State:
        """Return the state before the first frame."""
        c = self.config
        return {
            "past": torch.zeros(batch, PAST_FRAMES, c.n_bins),
            "first": torch.zeros(1, batch, c.hidden),
            "second": torch.zeros(1, batch, c.hidden),
        }

    def forward(self, features: Tensor, state: State) -> tuple[State, State]:
        """Return logits by output name and the state after the last frame."""
        x = (features - self.config.feature_mean) / self.config.feature_scale
        x = torch.cat([state["past"], x], 1)
        next_state = {"past": x[:, -PAST_FRAMES:]}
        before = functional.max_pool1d(x[:, :-RISE_FRAMES], 3, 1, 1)
        level = x[:, RISE_FRAMES:]
        x = torch.cat([level, torch.relu(level - before)], 1)
        x = functional.avg_pool1d(x, self.config.bins_per_semitone)  # (B, 2 (T + 2), semitones)
        x = torch.cat(x.chunk(2, 1), 2).transpose(1, 2)
        x = torch.relu(self.attack_norm(self.attack(x))).transpose(1, 2)  # (B, T, width)
        x = self.dropout(x)
        first, next_state["first"] = self.first(x, state["first"])
        first = self.dropout(first)
        second, next_state["second"] = self.second(first, state["second"])
        logits = self.heads(torch.cat([x, first, self.dropout(second)], 2))
        return {name: logits[..., k] for k, name in enumerate(OUTPUTS)}, next_state
