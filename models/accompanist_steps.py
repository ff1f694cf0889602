"""The accompanist one step and one note at a time, as its three graphs are exported.

Shapes: one song (B = 1); keys and values of each layer (1, heads, M, D), inputs of their own and in
this order; of the step itself (layers, heads, D). Who runs the graphs writes these into slot
``position % M`` of the memory, so that nothing of it is copied. Not here: the network
(``accompanist``).
"""

import torch
from torch import Tensor, nn

from models.accompanist import N_CHORDS, SUMMARY_DIM, Accompanist, Situation
from models.causal_stack import Memory, Stack


def _situation(place: Tensor, lag: Tensor, tempo: Tensor) -> Situation:
    return Situation(place[None], lag, tempo)


def _memory(kept: tuple[Tensor, ...], position: Tensor) -> Memory:
    n_layers = len(kept) // 2
    return Memory(kept[:n_layers], kept[n_layers:], position)


class PlanStep(nn.Module):
    """The last posteriors -> probabilities of the coming step's chord, and of basses under each."""

    def __init__(self, network: Accompanist) -> None:
        super().__init__()
        self.planner = network.planner

    @property
    def stack(self) -> Stack:
        """Whose memory is the state."""
        return self.planner.stack

    def forward(
        self,
        observed: Tensor,
        expected: Tensor,
        place: Tensor,
        lag: Tensor,
        tempo: Tensor,
        position: Tensor,
        *kept: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return chord (97,), bass (97, 12), and the step's own keys and values.

        Parameters
        ----------
        observed
            (1, 220) posteriors of ``lag`` steps ago.
        expected
            (1, 38) what repetition lets expect.
        place, lag, position
            (1,) int64: steps since the bar began, by which the input is late, that came before.
        tempo
            (1,) log2 of beats a minute over 90.
        kept
            The memory: each layer's keys, then each layer's values.
        """
        where = _situation(place, lag, tempo)
        x = self.planner.read(observed[None], expected[None], where)
        memory = _memory(kept, position)
        hidden, key, value = self.stack.advance(x, memory)
        hidden = hidden[0, 0]
        chord = self.planner.chord(hidden).softmax(-1)
        classes = torch.arange(N_CHORDS, device=chord.device)
        bass = self.planner.bass(hidden[None].expand(N_CHORDS, -1), classes).softmax(-1)
        return chord, bass, key[:, 0, :, 0], value[:, 0, :, 0]


class PlayStep(nn.Module):
    """What was played and planned -> the hidden state that the writer writes from."""

    def __init__(self, network: Accompanist) -> None:
        super().__init__()
        self.player = network.player

    @property
    def stack(self) -> Stack:
        """Whose memory is the state."""
        return self.player.stack

    def forward(
        self,
        own: Tensor,
        plan: Tensor,
        observed: Tensor,
        style: Tensor,
        part: Tensor,
        place: Tensor,
        lag: Tensor,
        tempo: Tensor,
        position: Tensor,
        *kept: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return hidden (1, W), and the step's own keys and values; see ``Player.read``."""
        where = _situation(place, lag, tempo)
        rows = own[None], plan[None], observed[None, :, -SUMMARY_DIM:], style[None]
        x = self.player.read(*rows, part, where)
        memory = _memory(kept, position)
        hidden, key, value = self.stack.advance(x, memory)
        return hidden[0], key[:, 0, :, 0], value[:, 0, :, 0]
