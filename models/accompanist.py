"""The accompanist: a decoder-only network over sixteenths that plans the harmony, then plays it.

Plain likelihood at a horizon wanders: a network that must write ahead of its input leans on
its own history, and falls silent where it is unsure. So harmony is planned apart from texture:

1. ``Planner`` gets, ``lag`` steps late, what sounds, and what followed where the song was alike
   before; it predicts the chord of the step that is to be written. What was played is no input. It
   is equivariant: in another key its output is the same, moved, so each song teaches it all keys;
2. ``Player`` reads what it played, the planned chord, style, place and tempo: how it is played;
3. ``NoteWriter`` gives the step's notes from low to high, one after another, until "done": pitch,
   then length, velocity and hand.

Planner and player are causal Transformers with rotary positions, one position a sixteenth, whose
memory of keys and values is a sliding window. Shapes: B batch, S steps, M memory positions, W
width, P = 88 pitches, N notes. Not here: features (``engine.accompany``), sampling, losses.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.causal_stack import Circulant, Stack, StackConfig, each
from models.spec import MIN_PITCH, N_PITCHES

DONE = N_PITCHES
"""The pitch class that ends a step."""

N_PLACES = 32
N_LAGS = 16
N_LENGTHS = 16
N_VELOCITIES = 16
N_CHORDS = 97
N_QUALITIES = 8
N_CLASSES = 12
N_OCTAVES = 9  # from C0, of which the keyboard has the last three
LOWEST_CLASS = MIN_PITCH % N_CLASSES
HIGHEST_CLASS = (MIN_PITCH + N_PITCHES - 1) % N_CLASSES
CHORD_DIM = 36
N_STYLES = 6
SUMMARY_DIM = 44
"""Of the summary of a step's posteriors."""
N_HARMONY = 36  # of a summary and of what is expected: three chromas
N_LOUDNESS = SUMMARY_DIM - N_HARMONY
EXPECTED_DIM = 38
"""Of what repetition lets expect of a step."""


@dataclass(frozen=True, slots=True)
class AccompanistConfig:
    """Sizes of the network; ``memory`` is in sixteenths."""

    planner: StackConfig = field(default_factory=lambda: StackConfig(192, 3, 2, 384, classes=12))
    player: StackConfig = field(default_factory=StackConfig)
    writer: int = 192
    memory: int = 512

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)


def config_from(values: dict[str, Any]) -> AccompanistConfig:
    """Return the config that ``to_dict`` made plain."""
    planner, player = StackConfig(**values["planner"]), StackConfig(**values["player"])
    return AccompanistConfig(planner, player, values["writer"], values["memory"])


class Situation(NamedTuple):
    """What planner and player get of a step apart from sound and notes."""

    place: Tensor  # (B, S) int64, steps since the bar began, below N_PLACES
    lag: Tensor  # (B,) int64, steps by which the input is late, below N_LAGS
    tempo: Tensor  # (B,) log2 of beats a minute over 90


class Placed(nn.Module):
    """The embedding of a situation: (B, S, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.place = nn.Embedding(N_PLACES, width)
        self.lag = nn.Embedding(N_LAGS, width)
        self.tempo = nn.Linear(1, width)

    def forward(self, where: Situation) -> Tensor:
        """Return the sum of the embeddings."""
        of_song = self.lag(where.lag) + self.tempo(where.tempo[:, None])
        return torch.as_tensor(self.place(where.place) + of_song[:, None])


class Planner(nn.Module):
    """Posteriors -> logits of the chord's class (B, S, 97) and of the bass under one (.., 12).

    Features are channels of twelve pitch classes, channel by channel.
    """

    def __init__(self, c: StackConfig, memory: int) -> None:
        super().__init__()
        self.channels = c.width // c.classes
        self.situation = Placed(self.channels)
        self.loudness = nn.Linear(N_LOUDNESS + EXPECTED_DIM - N_HARMONY, self.channels)
        n_channels = 2 * N_OCTAVES + 2 * N_HARMONY // N_CLASSES
        self.harmony = Circulant(N_CLASSES * n_channels, c.width, N_CLASSES)
        self.stack = Stack(c, memory)
        self.to_chord = Circulant(c.width, N_CLASSES * N_QUALITIES, N_CLASSES)
        self.to_none = nn.Linear(self.channels, 1)
        self.to_bass = Circulant(c.width, N_CLASSES * N_CLASSES, N_CLASSES)
        self.of_quality = nn.Embedding(N_QUALITIES, N_CLASSES)

    def read(self, observed: Tensor, expected: Tensor, where: Situation) -> Tensor:
        """Return the stack's input of late posteriors (B, S, 220) and expectation (B, S, 38)."""
        keys, summary = observed[..., : 2 * N_PITCHES], observed[..., 2 * N_PITCHES :]
        octaves = functional.pad(keys, (2 * LOWEST_CLASS, 2 * (N_CLASSES - 1 - HIGHEST_CLASS)))
        octaves = octaves.reshape(*keys.shape[:-1], N_OCTAVES, N_CLASSES, 2)
        octaves = octaves.transpose(-1, -2).flatten(-3)
        harmony = torch.cat([octaves, summary[..., :N_HARMONY], expected[..., :N_HARMONY]], -1)
        rest = torch.cat([summary[..., N_HARMONY:], expected[..., N_HARMONY:]], -1)
        of_all = self.loudness(rest) + self.situation(where)
        return torch.as_tensor(self.harmony(harmony) + each(of_all, N_CLASSES))

    def forward(self, observed: Tensor, expected: Tensor, where: Situation) -> Tensor:
        """Return the hidden plan (B, S, W)."""
        return torch.as_tensor(self.stack(self.read(observed, expected, where)))

    def chord(self, hidden: Tensor) -> Tensor:
        """Return the logits (..., 97) of the chord's class: root by root, and none."""
        shape = hidden.shape[:-1]
        by_root = self.to_chord(hidden).reshape(*shape, N_QUALITIES, N_CLASSES)
        none = self.to_none(hidden.reshape(*shape, self.channels, N_CLASSES).mean(-1))
        return torch.cat([by_root.transpose(-1, -2).flatten(-2), none], -1)

    def bass(self, hidden: Tensor, chord: Tensor) -> Tensor:
        """Return the logits (n, 12) of the lowest pitch class of hidden (n, W) under chords (n,).

        As an interval above the root; of no chord they mean nothing.
        """
        root, quality = chord // N_QUALITIES % N_CLASSES, chord % N_QUALITIES
        intervals = self.to_bass(hidden).reshape(-1, N_CLASSES, N_CLASSES)
        at_root = intervals.gather(2, root[:, None, None].expand(-1, N_CLASSES, 1))[..., 0]
        above = (torch.arange(N_CLASSES, device=chord.device) - root[:, None]) % N_CLASSES
        return torch.as_tensor((at_root + self.of_quality(quality)).gather(1, above))


class Player(nn.Module):
    """What was played, planned, observed and asked for -> the texture's hidden state (B, S, W)."""

    def __init__(self, c: StackConfig, memory: int) -> None:
        super().__init__()
        self.situation = Placed(c.width)
        self.own = nn.Linear(2 * N_PITCHES, c.width)
        self.plan = nn.Linear(CHORD_DIM + 1, c.width)
        self.heard = nn.Linear(SUMMARY_DIM, c.width)
        self.style = nn.Linear(2 * N_STYLES, c.width)
        self.part = nn.Embedding(2, c.width)
        self.stack = Stack(c, memory)

    def read(
        self,
        own: Tensor,
        plan: Tensor,
        observed: Tensor,
        style: Tensor,
        part: Tensor,
        where: Situation,
    ) -> Tensor:
        """Return the stack's input.

        Parameters
        ----------
        own
            (B, S, 176) velocity of what was struck on the step before, what is still held.
        plan
            (B, S, 37) the planned chord, and whether it is another than before.
        observed
            (B, S, 44) the summary of late posteriors.
        style
            (B, S, 12) values, and which of them are asked for.
        part
            (B,) 0 accompaniment alone, 1 with the melody.
        where
            Of the step.
        """
        x = self.own(own) + self.plan(plan) + self.heard(observed) + self.style(style)
        return torch.as_tensor(x + self.situation(where) + self.part(part)[:, None])


class NoteWriter(nn.Module):
    """A step's notes, one after another, low to high.

    ``struck`` (N, P) holds the notes that the step has so far; ``last`` (N,) the highest of them,
    ``DONE`` before the first. ``hidden`` (N, W) is the player's, ``plan`` (N, 36) the chord.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.of_player = nn.Linear(width, 2 * hidden)
        self.of_plan = nn.Linear(CHORD_DIM, 2 * hidden)
        self.of_struck = nn.Linear(N_PITCHES, 2 * hidden)
        self.of_last = nn.Embedding(N_PITCHES + 1, hidden)
        self.of_pitch = nn.Embedding(N_PITCHES, hidden)
        self.to_pitch = nn.Sequential(
            nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, N_PITCHES + 1)
        )
        self.to_rest = nn.Sequential(
            nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, N_LENGTHS + N_VELOCITIES + 1),
        )  # fmt: skip

    def forward(
        self, hidden: Tensor, plan: Tensor, struck: Tensor, last: Tensor, pitch: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return logits of the next pitch (N, 89), and of length, velocity, hand (N, 33).

        The latter are those of ``pitch`` (N,); pitches up to the last are impossible.
        """
        seen = self.of_player(hidden) + self.of_plan(plan) + self.of_struck(struck)
        for_pitch, for_rest = seen.chunk(2, -1)
        logits = self.to_pitch(for_pitch + self.of_last(last))
        keys = torch.arange(N_PITCHES + 1, device=last.device)
        is_below = (keys <= last[:, None]) & (last[:, None] != DONE) & (keys != DONE)
        rest = self.to_rest(for_rest + self.of_pitch(pitch))
        return logits.masked_fill(is_below, -1e9), rest


class Accompanist(nn.Module):
    """Planner, player and note writer; they share no weights, so each can learn on its own."""

    def __init__(self, config: AccompanistConfig) -> None:
        super().__init__()
        self.config = config
        self.planner = Planner(config.planner, config.memory)
        self.player = Player(config.player, config.memory)
        self.writer = NoteWriter(config.player.width, config.writer)
