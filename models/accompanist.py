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

import math
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

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
class StackConfig:
    """A causal Transformer."""

    width: int = 160
    layers: int = 4
    heads: int = 4
    feed_forward: int = 480
    dropout: float = 0.1
    classes: int = 1  # 12: each feature stands for a pitch class, and what turns them all turns all


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


class Memory(NamedTuple):
    """Keys and values (B, heads, M, D) of each layer, and how many steps came before.

    A ring: step k lies in slot ``k % M``.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    n_steps: Tensor  # (1,) int64


class Circulant(nn.Module):
    """A linear map of channels times classes (..., C * K) that commutes with turning the classes.

    A circular convolution along the K classes, written as a product with a matrix of which only
    the first column of each block is learned (Cohen and Welling, "Group equivariant convolutional
    networks", 2016, for the group of transpositions).
    """

    turned: Tensor

    def __init__(self, inputs: int, outputs: int, classes: int) -> None:
        super().__init__()
        n_in, n_out = inputs // classes, outputs // classes
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(n_out, n_in, classes).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_out).uniform_(-bound, bound))
        apart = (torch.arange(classes)[:, None] - torch.arange(classes)) % classes
        self.register_buffer("turned", apart, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map of features, the last axis channel by channel."""
        n_out, n_in, classes = self.weight.shape
        matrix = self.weight[:, :, self.turned].permute(0, 2, 1, 3)
        matrix = matrix.reshape(n_out * classes, n_in * classes)
        return functional.linear(x, matrix, each(self.bias, classes))


def each(x: Tensor, classes: int) -> Tensor:
    """Return channels (..., C) for each class, (..., C * K)."""
    return x[..., None].expand(*x.shape, classes).flatten(-2)


class Norm(nn.Module):
    """A LayerNorm over all features, its scale and shift one a channel."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.weight = nn.Parameter(torch.ones(width // classes))
        self.bias = nn.Parameter(torch.zeros(width // classes))

    def forward(self, x: Tensor) -> Tensor:
        """Return x (..., W) normalised."""
        weight, bias = each(self.weight, self.classes), each(self.bias, self.classes)
        return functional.layer_norm(x, x.shape[-1:], weight, bias)


def linear(inputs: int, outputs: int, classes: int) -> nn.Module:
    """Return a linear map, equivariant where there are classes."""
    return nn.Linear(inputs, outputs) if classes == 1 else Circulant(inputs, outputs, classes)


class Layer(nn.Module):
    """Attention and feed-forward, each behind a LayerNorm; (B, S, W) to same."""

    def __init__(self, c: StackConfig) -> None:
        super().__init__()
        self.heads = c.heads
        k = c.classes
        self.attention_norm, self.feed_norm = Norm(c.width, k), Norm(c.width, k)
        self.to_qkv = linear(c.width, 3 * c.width, k)
        self.from_heads = linear(c.width, c.width, k)
        self.feed = nn.Sequential(
            linear(c.width, c.feed_forward, k), nn.GELU(), linear(c.feed_forward, c.width, k)
        )
        self.drop = nn.Dropout(c.dropout)

    def forward(self, x: Tensor, turn: Tensor) -> Tensor:
        """Return a whole sequence's next layer; ``turn`` (heads, S, D / 2, 2) are its angles."""
        query, key, value = self._split(self.attention_norm(x))
        # Without dropout of its own, or the fast kernel is not taken.
        mixed = functional.scaled_dot_product_attention(
            rotated(query, turn), rotated(key, turn), value, is_causal=True
        )
        return self._rest(x, mixed)

    def step(
        self, x: Tensor, turn: Tensor, keys: Tensor, values: Tensor, is_there: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return one position (B, 1, W) after a memory, and its own key and value.

        ``keys`` and ``values`` (B, heads, M, D) are turned already, in any order; ``is_there``
        (M,) says which of them are of steps that were.
        """
        query, key, value = self._split(self.attention_norm(x))
        query, key = rotated(query, turn), rotated(key, turn)
        scores = (query @ keys.transpose(2, 3)).masked_fill(~is_there, -1e9)
        scores = torch.cat([scores, (query * key).sum(-1, keepdim=True)], -1)
        weight = (scores / math.sqrt(key.shape[-1])).softmax(-1)
        mixed = weight[..., :-1] @ values + weight[..., -1:] * value
        return self._rest(x, mixed), key, value

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch, n_steps, width = x.shape
        qkv = self.to_qkv(x).reshape(batch, n_steps, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        return query, key, value

    def _rest(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + self.drop(self.from_heads(mixed.transpose(1, 2).flatten(2)))
        return torch.as_tensor(x + self.drop(self.feed(self.feed_norm(x))))


def rotated(x: Tensor, turn: Tensor) -> Tensor:
    """Return queries or keys (B, heads, S, D) turned by their positions (Su et al., 2021)."""
    first, second = x.chunk(2, -1)
    cos, sin = turn.unbind(-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)


def rotary_rates(c: StackConfig, memory: int) -> Tensor:
    """Return the angles (heads, D / 2) by which a step turns each pair of features.

    From a turn in four steps to one in twice the memory. All classes of a channel turn alike; with
    classes there are few channels, so heads turn at different rates.
    """
    pairs = c.width // c.heads // 2 // c.classes
    heads = c.heads if c.classes > 1 else 1
    share = torch.arange(heads * pairs).reshape(pairs, heads).T / max(heads * pairs - 1, 1)
    rates = 2 * math.pi / (4 * (memory / 2) ** share)
    return rates.repeat_interleave(c.classes, 1).expand(c.heads, -1).contiguous()


class Stack(nn.Module):
    """Layers over sixteenths; (B, S, W) to same, each step from those up to it."""

    rates: Tensor

    def __init__(self, c: StackConfig, memory: int) -> None:
        super().__init__()
        self.config, self.memory = c, memory
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.layers))
        self.norm = Norm(c.width, c.classes)
        self.register_buffer("rates", rotary_rates(c, memory), persistent=False)

    def turns(self, positions: Tensor) -> Tensor:
        """Return cosine and sine (heads, S, D / 2, 2) of positions (S,)."""
        angles = positions[:, None].float() * self.rates[:, None]
        return torch.stack([angles.cos(), angles.sin()], -1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the last layer of a whole sequence, which must not be longer than the memory."""
        turn = self.turns(torch.arange(x.shape[1], device=x.device))
        for layer in self.layers:
            x = layer(x, turn)
        return torch.as_tensor(self.norm(x))

    def init_memory(self, batch: int) -> Memory:
        """Return the memory before the first step: of all that a step may see but itself."""
        c = self.config
        shape = batch, c.heads, self.memory - 1, c.width // c.heads
        keys, values = (tuple(torch.zeros(shape) for _ in self.layers) for _ in range(2))
        return Memory(keys, values, torch.zeros(1, dtype=torch.int64))

    def advance(self, x: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """Return the last layer of one more step (B, 1, W), its keys and values.

        These are (layers, B, heads, 1, D), and belong into slot ``n_steps % M`` of the memory.
        """
        turn = self.turns(memory.n_steps)
        is_there = torch.arange(self.memory - 1, device=x.device) < memory.n_steps
        keys, values = [], []
        for k, layer in enumerate(self.layers):
            assert isinstance(layer, Layer)
            x, key, value = layer.step(x, turn, memory.keys[k], memory.values[k], is_there)
            keys.append(key)
            values.append(value)
        return torch.as_tensor(self.norm(x)), torch.stack(keys), torch.stack(values)

    def step(self, x: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """Return the last layer of one more step (B, 1, W), and the memory with it."""
        hidden, key, value = self.advance(x, memory)
        slot = int(memory.n_steps) % (self.memory - 1)
        keys, values = (tuple(x.clone() for x in kept) for kept in memory[:2])
        for k in range(len(self.layers)):
            keys[k][:, :, slot], values[k][:, :, slot] = key[k, :, :, 0], value[k, :, :, 0]
        return hidden, Memory(keys, values, memory.n_steps + 1)


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
