"""What hears: the part of the streaming network that transcribes, on which the cover is built.

1. One strided convolution turns three bins a semitone into one pitch axis, two frames into a step;
2. a harmonic gather lines up each pitch with its octave below and its first partials
   (HPPNet, Wei et al., ISMIR 2022, does this with dilated convolutions);
3. a convolution over time and pitch;
4. a GRU along time for each pitch, its weights shared by all pitches: ``Trunk`` ends here;
5. ``Transcription``: each pitch looks at those whose overtone it may be and at its own overtones,
   since most of what is heard wrongly is an octave or a twelfth of what sounds, listens a second
   time where it has the units for it, and says what it hears: onset, frame, velocity.

Shapes: B batch, T feature frames, F bins, S = T / 2 steps, P = 88 pitches, C channels.
"""

from math import log2
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.spec import N_PITCHES

if TYPE_CHECKING:
    from models.streaming import StreamingConfig

STEP_FRAMES = 2
TRANSCRIPTION = ("onset", "frame", "velocity")
RELATED = tuple(sign * k for k in (1, 2, 12, 19, 24, 28, 31, 34, 36) for sign in (-1, 1))
"""Semitones from a pitch to those that it is taken for, or that are taken for it."""
FIRST_BIAS = {"onset": -4.0, "frame": -2.5, "velocity": 0.5, "melody": -1.0}  # as rare as they are

State = dict[str, Tensor]


def sounds_like(partials: int) -> tuple[int, ...]:
    """Return the semitones from a pitch to what it sounds like: its octave below, its partials.

    >>> sounds_like(8)
    (-12, 0, 12, 19, 24, 28, 31, 34, 36)
    """
    return -12, *(round(12 * log2(k)) for k in range(1, partials + 1))


class Heads(nn.Module):
    """Hidden (B, S, P, C) -> logits {name: (B, T, P)}, ``STEP_FRAMES`` frames from each step."""

    def __init__(self, hidden: int, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
        self.linear = nn.Linear(hidden, STEP_FRAMES * len(names))
        self.linear.bias.data = torch.tensor([FIRST_BIAS[n] for n in names]).repeat(STEP_FRAMES)

    def forward(self, hidden: Tensor) -> dict[str, Tensor]:
        """Return logits by name."""
        batch, _, n_pitches, _ = hidden.shape
        out = self.linear(hidden).reshape(batch, -1, n_pitches, STEP_FRAMES, len(self.names))
        out = out.transpose(2, 3).reshape(batch, -1, n_pitches, len(self.names))
        return {name: out[..., k] for k, name in enumerate(self.names)}


class Trunk(nn.Module):
    """Features (B, T, F) -> what sounds at each pitch, hidden (B, S, P, trunk).

    T is a multiple of ``STEP_FRAMES``.
    """

    def __init__(self, config: "StreamingConfig") -> None:
        super().__init__()
        self.config = config
        c = config.channels
        width = 2 * config.bins_per_semitone + 1
        self.spectrum = nn.Conv2d(
            2,
            config.conv_channels,
            (2 * STEP_FRAMES, width),
            stride=(STEP_FRAMES, config.bins_per_semitone),
            padding=(0, (width - config.bins_per_semitone) // 2),
        )
        self.spectrum_norm = nn.BatchNorm2d(config.conv_channels)
        self.sounds_like = sounds_like(config.partials)
        self.harmonics = nn.Conv2d(config.conv_channels * len(self.sounds_like), c, 1)
        self.register_bias = nn.Parameter(torch.zeros(1, c, 1, N_PITCHES))
        self.harmonics_norm = nn.BatchNorm2d(c)
        self.local = nn.Conv2d(c, c, (3, 3), padding=(0, 1))
        self.local_norm = nn.BatchNorm2d(c)
        self.gru = nn.GRU(c, config.trunk, batch_first=True)

    def init_state(self, batch: int) -> State:
        """Return the state before the first frame."""
        c = self.config
        return {
            "spectrum": torch.zeros(batch, STEP_FRAMES, c.n_bins),
            "local": torch.zeros(batch, c.channels, 2, N_PITCHES),
            "trunk": torch.zeros(1, batch * N_PITCHES, c.trunk),
        }

    def forward(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Return hidden and the state after the last frame."""
        x = (features - self.config.feature_mean) / self.config.feature_scale
        x = torch.cat([state["spectrum"], x], 1)
        next_state = {"spectrum": x[:, -STEP_FRAMES:]}
        around = functional.avg_pool1d(x, 73, 1, 36, count_include_pad=False)
        x = torch.stack([x, x - around], 1)  # level, and what stands out: (B, 2, T + 2, F)
        x = torch.relu(self.spectrum_norm(self.spectrum(x)))  # (B, C1, S, semitones)

        below, above = -min(self.sounds_like), max(self.sounds_like)
        x = functional.pad(x, (below, above))
        x = torch.cat([x[..., below + k : below + k + N_PITCHES] for k in self.sounds_like], 1)
        x = torch.relu(self.harmonics_norm(self.harmonics(x)) + self.register_bias)

        with_past = torch.cat([state["local"], x], 2)
        next_state["local"] = with_past[:, :, -2:]
        x = x + torch.relu(self.local_norm(self.local(with_past)))  # (B, C, S, P)
        hidden, next_state["trunk"] = over_time(self.gru, x.permute(0, 2, 3, 1), state["trunk"])
        return hidden, next_state


def over_time(gru: nn.GRU, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Return (B, S, P, H) of a GRU that runs along S for each of (B, P), and its next state."""
    batch, _, n_pitches, _ = x.shape
    out, state = gru(x.transpose(1, 2).flatten(0, 1), state)
    return out.reshape(batch, n_pitches, -1, out.shape[-1]).transpose(1, 2), state


class Comparison(nn.Module):
    """Hidden (B, S, P, C) -> (B, S, P, compared): each pitch beside those it is taken for."""

    def __init__(self, channels: int, related: int, compared: int) -> None:
        super().__init__()
        self.tell = nn.Linear(channels, related)
        self.compare = nn.Linear(channels + related * len(RELATED), compared)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return what each pitch is, now that others have told what they are."""
        reach = max(RELATED)
        told = functional.pad(torch.relu(self.tell(hidden)), (0, 0, reach, reach))
        others = [told[:, :, reach + k : reach + k + N_PITCHES] for k in RELATED]
        return torch.relu(self.compare(torch.cat([hidden, *others], 3)))


class Transcription(nn.Module):
    """What the trunk hears (B, S, P, trunk) -> logits {name: (B, T, P)}, related pitches compared.

    With ``again`` units it listens twice: a second GRU follows each pitch over time, now that its
    relatives are known, and they are compared once more. What the highest and the lowest keys sound
    like is shared with the others, how readily they are believed is not.
    """

    def __init__(self, config: "StreamingConfig") -> None:
        super().__init__()
        c = self.config = config
        self.comparison = Comparison(c.trunk, c.related, c.compared)
        if c.again:
            self.gru = nn.GRU(c.compared, c.again, batch_first=True)
            self.comparison_again = Comparison(c.again, c.related, c.compared)
        n_listens = 2 if c.again else 1
        self.heads = Heads(c.trunk + c.again + n_listens * c.compared, TRANSCRIPTION)
        self.register_bias = nn.Parameter(torch.zeros(len(TRANSCRIPTION), N_PITCHES))

    def init_state(self, batch: int) -> State:
        """Return the state before the first frame."""
        c = self.config
        return {"again": torch.zeros(1, batch * N_PITCHES, c.again)} if c.again else {}

    def forward(self, hidden: Tensor, state: State) -> tuple[State, State]:
        """Return logits by name and the state after the last frame."""
        heard, next_state = [hidden, self.comparison(hidden)], {}
        if self.config.again:
            later, next_state["again"] = over_time(self.gru, heard[-1], state["again"])
            heard += [later, self.comparison_again(later)]
        logits = self.heads(torch.cat(heard, 3))
        for name, bias in zip(TRANSCRIPTION, self.register_bias, strict=True):
            logits[name] = logits[name] + bias
        return logits, next_state
