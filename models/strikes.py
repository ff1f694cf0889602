"""The strike network: which keys a pianist strikes on each sixteenth, told by a passage around it.

It reads a passage of sixteenths both ways, so that it knows what came after as well as what came
before, as far as that was heard. One two-way GRU reads the whole keyboard; then each key is judged
by weights that all keys share, from what was heard near it and what the GRU says of it. It is told
what a cover model would play, and what that model transcribed of the band. The tune and the
accompaniment are told apart. Who plays the tune is a matter of how it sounds: so it also hears the
sound, each key's partials, and how alike they are to those that were the tune's in the passage.
Shapes: B passages, S sixteenths, P = 88 pitches.
Not here: how posteriors are gathered (``engine.accompany.strikes``), losses.
"""

from collections.abc import Sequence
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
N_SEMITONES, HALVES = 97, 2
"""Of the sound: semitones from A0 to 7.2 kHz, in the two halves of a sixteenth."""
USUAL_LOUDNESS, LOUDNESS_SPREAD = 0.35, 0.12
PARTIALS = (-24, -19, -12, -7, -1, 0, 1, 7, 12, 19, 24, 28, 31, 34, 36)
"""Semitones to what is heard of the sound with a key: its partials, and what it may be one of."""
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
    timbre: int = 24  # channels of how a key sounds
    dropout: float = 0.1

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)


class StrikeNetwork(nn.Module):
    """Heard (B, S, 8, P), sound (B, S, 2, 97), places (B, S) int64 -> logits (B, S, 2, P)."""

    def __init__(self, config: StrikeConfig) -> None:
        super().__init__()
        c = self.config = config
        n_heard = (STRUCK + SOUNDING) * N_PITCHES + N_SEMITONES
        self.keyboard = nn.Linear(n_heard, c.hidden)
        self.place = nn.Embedding(N_PLACES, c.hidden)
        self.both_ways = nn.GRU(
            c.hidden, c.hidden, 2, batch_first=True, bidirectional=True, dropout=c.dropout
        )
        self.say = nn.Linear(2 * c.hidden, c.said * N_PITCHES)
        self.near = nn.Conv2d(len(RELATED) * CHANNELS, c.local, (3, 1), padding=(1, 0))
        self.of_key = nn.Parameter(torch.zeros(1, c.local, 1, N_PITCHES))
        self.partials = nn.Conv2d(len(PARTIALS) * HALVES, c.timbre, 1)
        self.timbre_of_key = nn.Parameter(torch.zeros(1, c.timbre, 1, N_PITCHES))
        self.timbre = nn.Conv2d(c.timbre, c.timbre, 1)
        self.alike = nn.Conv2d(3 * c.timbre, c.timbre, 1)
        n_known = c.local + c.said + CHANNELS + 2 * c.timbre
        self.join = nn.Conv2d(n_known, c.joined, 1)
        self.around = nn.Conv2d(c.joined, c.joined, (3, 1), padding=(1, 0))
        self.heads = nn.Conv2d(c.joined, len(PARTS), 1)
        self.dropout = nn.Dropout(c.dropout)
        self.heads.bias = nn.Parameter(torch.full((len(PARTS),), INITIAL_BIAS))

    def forward(self, heard: Tensor, sound: Tensor, place: Tensor) -> Tensor:
        """Return the logits."""
        halves, sounding = heard[:, :, : 2 * STRUCK], heard[:, :, 2 * STRUCK :]
        higher = torch.maximum(halves[:, :, 0::2], halves[:, :, 1::2])
        sound = (sound - USUAL_LOUDNESS) / LOUDNESS_SPREAD
        keyboard = torch.cat([torch.cat([higher, sounding], 2).flatten(2), sound[:, :, 1]], 2)
        x = torch.relu(self.keyboard(self.dropout(keyboard)) + self.place(place))
        hidden, _ = self.both_ways(x)
        said = self.say(self.dropout(hidden)).unflatten(2, (self.config.said, N_PITCHES))
        own = (torch.logit(heard, LEAST) / 3 + 1).transpose(1, 2)
        near = torch.relu(self.near(related(own)) + self.of_key)
        timbre, alike = self.sounds(heard, sound)
        known = torch.cat([near, said.transpose(1, 2), own, timbre, alike], 1)
        joined = torch.relu(self.join(known))
        joined = joined + torch.relu(self.around(joined))
        logits: Tensor = self.heads(joined).transpose(1, 2)
        return logits

    def sounds(self, heard: Tensor, sound: Tensor) -> tuple[Tensor, Tensor]:
        """Return how each key sounds, and how alike the tune, (B, timbre, S, P) each.

        How the tune sounds is the mean of the keys that are heard as its own in the passage.
        """
        partials = related(sound.transpose(1, 2), PARTIALS)
        timbre = torch.relu(self.partials(partials) + self.timbre_of_key)
        timbre = torch.relu(self.timbre(timbre))
        melody = torch.maximum(heard[:, :, 2], heard[:, :, 3])
        tune = (melody * heard[:, :, 6])[:, None]
        usual = (timbre * tune).sum((2, 3), keepdim=True) / (tune.sum((2, 3), keepdim=True) + 1)
        distance = (timbre - usual).abs()
        both = torch.cat([timbre * usual, distance, usual.expand_as(timbre)], 1)
        return timbre, torch.relu(self.alike(both))


def related(rows: Tensor, semitones: Sequence[int] = RELATED) -> Tensor:
    """Return with each key what is heard so far from it: (B, C, S, >= P) -> (B, n * C, S, P)."""
    below, above = -min(semitones), max(semitones)
    wide = nn.functional.pad(rows, (below, above))
    return torch.cat([wide[..., below + k : below + k + N_PITCHES] for k in semitones], 1)
