"""The strike network: which keys a pianist strikes on each sixteenth, told by a passage around it.

It reads a passage of sixteenths both ways, so that it knows what came after as well as what came
before, as far as that was heard. One two-way GRU reads the whole keyboard; then each key is judged
by weights that all keys share, from what was heard near it and what the GRU says of it. It is told
what a cover model would play, and what that model transcribed of the band. The tune and the
accompaniment are told apart. Shapes: B passages, S sixteenths, P = 88 pitches.
Not here: how posteriors are gathered (``engine.accompany.strikes``), losses.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.spec import N_PITCHES

STRUCK, SOUNDING = 3, 2
CHANNELS = 2 * STRUCK + SOUNDING
"""Of what is heard of a key on a sixteenth: in its two halves onset, melody and the transcription's
onset; then frame, and the transcription's."""
N_PLACES = 17
"""Sixteenths since the bar began; the last is that of a bar that is not known."""
UNKNOWN_PLACE = N_PLACES - 1
PARTS = ("tune", "accompaniment")
INITIAL_BIAS = -3.0
RELATED = (-24, -12, -7, -1, 0, 1, 7, 12, 24)
"""Semitones to the keys that are heard with each key."""
LEAST = 2e-3
"""Posteriors are taken as logits, from this on."""


@dataclass(frozen=True, slots=True)
class StrikeConfig:
    """Sizes of the network."""

    hidden: int = 192  # of the GRU, each way
    said: int = 8  # what the GRU says of each key
    local: int = 24  # channels of what is heard near a key
    joined: int = 48  # channels of both
    dropout: float = 0.1

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)


class StrikeNetwork(nn.Module):
    """Heard (B, S, 8, P), places (B, S) int64 -> logits (B, S, 2, P) of tune and accompaniment."""

    def __init__(self, config: StrikeConfig) -> None:
        super().__init__()
        c = self.config = config
        self.keyboard = nn.Linear((STRUCK + SOUNDING) * N_PITCHES, c.hidden)
        self.place = nn.Embedding(N_PLACES, c.hidden)
        self.both_ways = nn.GRU(
            c.hidden, c.hidden, 2, batch_first=True, bidirectional=True, dropout=c.dropout
        )
        self.say = nn.Linear(2 * c.hidden, c.said * N_PITCHES)
        self.near = nn.Conv2d(len(RELATED) * CHANNELS, c.local, (3, 1), padding=(1, 0))
        self.of_key = nn.Parameter(torch.zeros(1, c.local, 1, N_PITCHES))
        self.join = nn.Conv2d(c.local + c.said + CHANNELS, c.joined, 1)
        self.around = nn.Conv2d(c.joined, c.joined, (3, 1), padding=(1, 0))
        self.heads = nn.Conv2d(c.joined, len(PARTS), 1)
        self.dropout = nn.Dropout(c.dropout)
        self.heads.bias = nn.Parameter(torch.full((len(PARTS),), INITIAL_BIAS))

    def forward(self, heard: Tensor, place: Tensor) -> Tensor:
        """Return the logits."""
        halves, sounding = heard[:, :, : 2 * STRUCK], heard[:, :, 2 * STRUCK :]
        higher = torch.maximum(halves[:, :, 0::2], halves[:, :, 1::2])
        keyboard = torch.cat([higher, sounding], 2).flatten(2)
        x = torch.relu(self.keyboard(self.dropout(keyboard)) + self.place(place))
        hidden, _ = self.both_ways(x)
        said = self.say(self.dropout(hidden)).unflatten(2, (self.config.said, N_PITCHES))
        own = (torch.logit(heard, LEAST) / 3 + 1).transpose(1, 2)
        near = torch.relu(self.near(related(own)) + self.of_key)
        joined = torch.relu(self.join(torch.cat([near, said.transpose(1, 2), own], 1)))
        joined = joined + torch.relu(self.around(joined))
        logits: Tensor = self.heads(joined).transpose(1, 2)
        return logits


def related(rows: Tensor) -> Tensor:
    """Return with each key (B, C, S, P) its related keys, (B, len(RELATED) * C, S, P)."""
    below, above = -min(RELATED), max(RELATED)
    wide = nn.functional.pad(rows, (below, above))
    return torch.cat([wide[..., below + k : below + k + N_PITCHES] for k in RELATED], 1)
