"""The trunk of the streaming network and its transcription, on which the cover is built.

1. One strided convolution turns three bins a semitone into one pitch axis, two frames into a step;
2. a harmonic gather lines up each pitch with its octave below and its first partials
   (HPPNet, Wei et al., ISMIR 2022, does this with dilated convolutions);
3. a convolution over time and pitch;
4. a GRU along time for each pitch, its weights shared by all pitches: ``Trunk`` ends here;
5. ``Transcription``: each pitch sees the pitches whose overtone it may be and its own overtones,
   since most wrong notes are an octave or a twelfth of one that sounds; twice, if there are
   ``refine_hidden`` units, the second time knowing what the whole keyboard does, if there are
   ``keyboard`` units; heads give onset, frame, velocity.

Shapes: B batch, T feature frames, F bins, S = T / 2 steps, P = 88 pitches, C channels.
"""

from dataclasses import asdict, dataclass
from math import log2
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.spec import N_PITCHES

STEP_FRAMES = 2
TRANSCRIPTION = ("onset", "frame", "velocity")
RELATED = tuple(sign * k for k in (1, 2, 12, 19, 24, 28, 31, 34, 36) for sign in (-1, 1))
"""Semitones from a pitch to those that it is mistaken for, or that are mistaken for it."""
INITIAL_BIAS = {"onset": -4.0, "frame": -2.5, "velocity": 0.5, "melody": -1.0}
"""Of the heads: logits of how rare onsets and frames are."""

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class TrunkConfig:
    """Sizes of the trunk and the transcription."""

    n_bins: int = 291
    bins_per_semitone: int = 3
    conv_channels: int = 16
    channels: int = 48
    partials: int = 8  # gathered for each pitch; low keys are distinguished by high ones
    trunk: int = 48
    related: int = 16  # channels that each pitch passes to related pitches
    compared: int = 64
    refine_hidden: int = 0  # units of the transcription's second GRU; 0 for none
    keyboard: int = 0  # units that follow the keyboard as a whole; 0 for none
    feature_mean: float = -1.5
    feature_scale: float = 2.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)


def harmonic_offsets(partials: int) -> tuple[int, ...]:
    """Return the semitones from a pitch to its octave below and its partials.

    >>> harmonic_offsets(8)
    (-12, 0, 12, 19, 24, 28, 31, 34, 36)
    """
    return -12, *(round(12 * log2(k)) for k in range(1, partials + 1))


class Heads(nn.Module):
    """Hidden (B, S, P, C) -> logits {name: (B, T, P)}, ``STEP_FRAMES`` frames from each step."""

    def __init__(self, hidden: int, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
        self.linear = nn.Linear(hidden, STEP_FRAMES * len(names))
        self.linear.bias.data = torch.tensor([INITIAL_BIAS[n] for n in names]).repeat(STEP_FRAMES)

    def forward(self, hidden: Tensor) -> dict[str, Tensor]:
        """Return logits by name."""
        batch, _, n_pitches, _ = hidden.shape
        out = self.linear(hidden).reshape(batch, -1, n_pitches, STEP_FRAMES, len(self.names))
        out = out.transpose(2, 3).reshape(batch, -1, n_pitches, len(self.names))
        return {name: out[..., k] for k, name in enumerate(self.names)}


class Trunk(nn.Module):
    """Features (B, T, F) -> hidden of each pitch (B, S, P, trunk).

    T is a multiple of ``STEP_FRAMES``.
    """

    def __init__(self, config: TrunkConfig) -> None:
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
        self.offsets = harmonic_offsets(config.partials)
        self.harmonics = nn.Conv2d(config.conv_channels * len(self.offsets), c, 1)
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
        x = torch.stack(
            [x, x - around], 1
        )  # level, and level over the neighbours: (B, 2, T + 2, F)
        x = torch.relu(self.spectrum_norm(self.spectrum(x)))  # (B, C1, S, semitones)

        below, above = -min(self.offsets), max(self.offsets)
        x = functional.pad(x, (below, above))
        x = torch.cat([x[..., below + k : below + k + N_PITCHES] for k in self.offsets], 1)
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
    """Hidden (B, S, P, C) -> (B, S, P, compared): each pitch with its related pitches."""

    def __init__(self, channels: int, related: int, compared: int) -> None:
        super().__init__()
        self.tell = nn.Linear(channels, related)
        self.compare = nn.Linear(channels + related * len(RELATED), compared)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return each pitch's features, given those of its related pitches."""
        reach = max(RELATED)
        messages = functional.pad(torch.relu(self.tell(hidden)), (0, 0, reach, reach))
        others = [messages[:, :, reach + k : reach + k + N_PITCHES] for k in RELATED]
        return torch.relu(self.compare(torch.cat([hidden, *others], 3)))


class Keyboard(nn.Module):
    """Compared pitches (B, S, P, C) -> (B, S, 1, C): what all keys do together, for each of them.

    A pedal that is lifted ends many notes at once, and how loud the room is tells how far a string
    has to fall. With zero output weights, which it begins with, it adds nothing.
    """

    def __init__(self, channels: int, units: int) -> None:
        super().__init__()
        self.tell = nn.Linear(channels, units)
        self.gru = nn.GRU(2 * units, units, batch_first=True)
        self.out = nn.Linear(units, channels, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, compared: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is added to each pitch, and the state (1, B, units) after the last step."""
        told = torch.relu(self.tell(compared))
        followed, state = self.gru(torch.cat([told.mean(2), told.amax(2)], 2), state)
        return self.out(followed)[:, :, None], state


class Transcription(nn.Module):
    """Hidden of the trunk (B, S, P, trunk) -> logits {name: (B, T, P)}, related pitches compared.

    With ``refine_hidden`` units a second GRU follows each compared pitch over time, with
    ``keyboard`` units (only beside those) also told of the keyboard as a whole, and pitches are
    compared once more. All weights are shared along pitch but a bias of each key.
    """

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        c = self.config = config
        self.comparison = Comparison(c.trunk, c.related, c.compared)
        self.keyboard = Keyboard(c.compared, c.keyboard) if c.keyboard else None
        if c.refine_hidden:
            self.gru = nn.GRU(c.compared, c.refine_hidden, batch_first=True)
            self.refined_comparison = Comparison(c.refine_hidden, c.related, c.compared)
        n_comparisons = 2 if c.refine_hidden else 1
        self.heads = Heads(c.trunk + c.refine_hidden + n_comparisons * c.compared, TRANSCRIPTION)
        self.register_bias = nn.Parameter(torch.zeros(len(TRANSCRIPTION), N_PITCHES))

    def init_state(self, batch: int) -> State:
        """Return the state before the first frame."""
        c, state = self.config, {}
        if c.refine_hidden:
            state["refine"] = torch.zeros(1, batch * N_PITCHES, c.refine_hidden)
            if c.keyboard:
                state["keyboard"] = torch.zeros(1, batch, c.keyboard)
        return state

    def forward(self, hidden: Tensor, state: State) -> tuple[State, State]:
        """Return logits by name and the state after the last frame."""
        parts, next_state = [hidden, self.comparison(hidden)], {}
        if self.config.refine_hidden:
            compared = parts[-1]
            if self.keyboard is not None:
                told, next_state["keyboard"] = self.keyboard(compared, state["keyboard"])
                compared = compared + told
            refined, next_state["refine"] = over_time(self.gru, compared, state["refine"])
            parts += [refined, self.refined_comparison(refined)]
        logits = self.heads(torch.cat(parts, 3))
        for name, bias in zip(TRANSCRIPTION, self.register_bias, strict=True):
            logits[name] = logits[name] + bias
        return logits, next_state
