"""A causal Transformer over steps, with rotary positions, whose memory is a sliding window.

Its features may be channels of twelve pitch classes: the map then commutes with transposition.
Shapes: B batch, S steps, M memory positions, W width, D width of a head, K classes.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class StackConfig:
    """A causal Transformer."""

    width: int = 160
    layers: int = 4
    heads: int = 4
    feed_forward: int = 480
    dropout: float = 0.1
    classes: int = 1  # 12: each feature stands for a pitch class, and what turns them all turns all


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
