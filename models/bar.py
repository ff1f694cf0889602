"""The bar network: which beats begin a bar, and whether they are the song's or too fast or slow.

A beat's input is its tempo, and of each of its four sixteenths the summary
(``engine.beat.steps.summary``) of the cover model's posteriors, which show chords and bass more
plainly than features do, and the attacks (``engine.beat.steps.attacks``), which show drums. Harmony
changes on downbeats, and hardly between beats; a snare strikes on the second and the fourth: with a
GRU over the beats so far the network learns how long bars are and how fast songs are counted. What
strikes three times in two beats, or in a bar, is easily taken for the beat: such counts are levels,
too.
Shapes: B batch, T beats.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

STEPS = 4  # sixteenths of a beat
STEP_DIM = 50  # 44 of posteriors, 6 of attacks
BEAT_DIM = STEPS * STEP_DIM + 1  # the last is the octaves that the tempo is above 90
USUAL_BPM = 90.0
LEVELS = (0.5, 2 / 3, 0.75, 1.0, 4 / 3, 1.5, 2.0)
"""Of a beat that is taken for the song's: how many times too fast it is."""
RIGHT = LEVELS.index(1.0)


@dataclass(frozen=True, slots=True)
class BarConfig:
    """Sizes of the network."""

    width: int = 128
    hidden: int = 128
    dropout: float = 0.25

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)


class BarNetwork(nn.Module):
    """Beats (B, T, 201), state (1, B, hidden) -> logits, next state.

    The logits are (B, T) of a downbeat, and (B, T, 7) of ``LEVELS``.
    """

    def __init__(self, config: BarConfig) -> None:
        super().__init__()
        c = self.config = config
        self.beat = nn.Linear(BEAT_DIM, c.width)
        self.over_beats = nn.GRU(c.width, c.hidden, batch_first=True)
        self.heads = nn.Linear(c.width + c.hidden, 1 + len(LEVELS))
        self.dropout = nn.Dropout(c.dropout)

    def init_state(self, batch: int) -> Tensor:
        """Return the state before the first beat."""
        return torch.zeros(1, batch, self.config.hidden)

    def forward(self, beats: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return both logits and the state after the last beat."""
        steps, tempo = beats[..., :-1], beats[..., -1:]
        x = torch.cat([torch.sqrt(torch.relu(steps) + 1e-6), tempo], -1)
        x = self.dropout(torch.relu(self.beat(x)))
        hidden, state = self.over_beats(x, state)
        logits = self.heads(torch.cat([x, self.dropout(hidden)], -1))
        return logits[..., 0], logits[..., 1:], state
