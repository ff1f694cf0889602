"""What later sound adds to the cover network and to the transcriber.

GRUs that read back in time, from the newest step to each. A step gets what the steps behind it
tell, however many there are: as many as the latency allows, or the rest of a song. With zero output
weights, which they begin with, they add nothing.

Shapes: B batch, S steps, P = 88 pitches.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.spec import N_PITCHES
from models.trunk import TRANSCRIPTION, Comparison, Heads, State, TrunkConfig, over_time

AHEAD_PREFIX = "ahead_"  # of what waits in the state for later sound


class CoverAhead(nn.Module):
    """What later sound adds to a cover: a GRU over the keyboard, and one for each pitch."""

    def __init__(self, context: int, width: int, hidden: int, units: int, n_context: int) -> None:
        super().__init__()
        self.context_gru = nn.GRU(context, n_context, batch_first=True)
        self.from_context = nn.Linear(n_context, 8 * N_PITCHES)
        self.pitch_gru = nn.GRU(width + 8, units, batch_first=True)
        self.to_head = nn.Linear(units, hidden, bias=False)
        nn.init.zeros_(self.to_head.weight)

    def forward(self, context: Tensor, x: Tensor) -> Tensor:
        """Return what is added before the heads (B, S, P, hidden).

        ``context`` (B, S, context) and ``x`` (B, S, P, width) are what the forward GRUs read.
        """
        batch, n_steps = context.shape[:2]
        first = context.new_zeros(1, batch, self.context_gru.hidden_size)
        later, _ = self.context_gru(context.flip(1), first)
        hint = torch.relu(self.from_context(later)).reshape(batch, n_steps, N_PITCHES, 8)
        first = context.new_zeros(1, batch * N_PITCHES, self.pitch_gru.hidden_size)
        later, _ = over_time(self.pitch_gru, torch.cat([x.flip(1), hint], 3), first)
        added: Tensor = self.to_head(later).flip(1)
        return added


class TranscriptionAhead(nn.Module):
    """What later sound adds to a transcription: a GRU for each pitch, compared along pitch."""

    def __init__(self, config: TrunkConfig, width: int) -> None:
        super().__init__()
        c = config
        self.read = nn.Linear(width, c.compared)
        self.gru = nn.GRU(c.compared, c.refine_ahead, batch_first=True)
        self.comparison = Comparison(c.refine_ahead, c.related, c.compared)
        self.heads = Heads(c.refine_ahead + c.compared, TRANSCRIPTION)
        nn.init.zeros_(self.heads.linear.weight)
        nn.init.zeros_(self.heads.linear.bias)

    def take(self, heard: Tensor) -> Tensor:
        """Return what is read (B, S, P, compared) of what ``Transcription.hear`` returned."""
        return torch.relu(self.read(heard))

    def forward(self, taken: Tensor) -> Tensor:
        """Return (B, S, P, units) that each step of ``taken`` gets from the steps behind it."""
        batch, _, n_pitches, _ = taken.shape
        first = taken.new_zeros(1, batch * n_pitches, self.gru.hidden_size)
        later, _ = over_time(self.gru, taken.flip(1), first)
        return later.flip(1)

    def answer(self, later: Tensor) -> State:
        """Return what is added to the logits {name: (B, T, P)}."""
        added: State = self.heads(torch.cat([later, self.comparison(later)], 3))
        return added


def by_segments(read_back: Callable[..., Tensor], n_steps: int, *values: Tensor) -> Tensor:
    """Return what ``read_back`` makes of values (B, S, ...), each segment as if it were all.

    A segment has ``n_steps`` steps, the last one what is left.
    """
    n_all = values[0].shape[1]
    n_whole = n_all - n_all % n_steps
    found = []
    if n_whole:
        parts = [v[:, :n_whole].reshape(-1, n_steps, *v.shape[2:]) for v in values]
        segments = read_back(*parts)
        found.append(segments.reshape(len(values[0]), n_whole, *segments.shape[2:]))
    if n_whole < n_all:
        found.append(read_back(*(v[:, n_whole:] for v in values)))
    return torch.cat(found, 1)


def behind(state: State, new: State) -> tuple[State, State]:
    """Return all that waits, with the newest steps, and what goes on waiting, by name in the state.

    ``new`` is (B, S, ...) each; as many steps as came are answered, the first of those that waited.
    """
    kept = {n: torch.cat([state[AHEAD_PREFIX + n], value], 1) for n, value in new.items()}
    n_steps = next(iter(new.values())).shape[1]
    return kept, {AHEAD_PREFIX + n: value[:, n_steps:] for n, value in kept.items()}
