"""The default cover network: causal, stateful, made for streaming on one laptop core.

A song's log-frequency spectrum goes in, piano posteriors come out, ``lookahead_frames`` later.
Weights are shared along pitch, so a timbre learned in one register holds in another. A trunk
hears what sounds, and a cover part plays what it would play to that:

1. one strided convolution turns three bins a semitone into one pitch axis, two frames into a step;
2. a harmonic gather lines up each pitch with its octave below and its first overtones
   (HPPNet, Wei et al., ISMIR 2022, does this with dilated convolutions);
3. a convolution over time and pitch;
4. a GRU along time for each pitch, its weights shared by all pitches: the trunk ends here, and its
   own heads transcribe (onset, frame, velocity), on any sound that has labels or a teacher;
5. a context path, one GRU over the whole keyboard, that hears metre, chord and loudness;
6. the style vector through a gate (AMT-APC, Komiya and Fukuhara, 2024);
7. a second GRU for each pitch, a depthwise convolution along pitch, and the cover's heads: onset,
   frame, velocity and melody, which hear the style once more: how loud and how dense is a matter
   of the whole cover. Onset and frame are said against what is heard: ``heard_share`` of the
   trunk's own logits is added, so that on sound unlike any in training, where the cover part
   trusts itself less, what sounds still comes through.

Shapes: B batch, T feature frames, F bins, S = T / 2 steps, P = 88 pitches, C channels.
Every state is a tensor that streams: one forward serves training, whole files and live blocks.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.spec import N_PITCHES, STYLE_DIM

STEP_FRAMES = 2
COVER = ("onset", "frame", "velocity", "melody")
TRANSCRIPTION = ("onset", "frame", "velocity")
SHARED = ("onset", "frame")  # of these the cover says how it differs from what is heard
PREFIX = "heard_"  # what the trunk's own outputs are called beside the cover's
HARMONICS = (-12, 0, 12, 19, 24, 28, 31, 34, 36)  # semitones from a pitch to what it sounds like
_FIRST_BIAS = {"onset": -4.0, "frame": -2.5, "velocity": 0.5, "melody": -1.0}  # as rare as they are

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class StreamingConfig:
    """Sizes of the network; ``lookahead_frames`` is how late its targets are in training."""

    n_bins: int = 291
    bins_per_semitone: int = 3
    conv_channels: int = 16
    channels: int = 48
    trunk: int = 48
    context: int = 160
    hidden: int = 64
    lookahead_frames: int = 3
    heard_share: float = 0.5
    feature_mean: float = -1.5
    feature_scale: float = 2.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)


class StyleGate(nn.Module):
    """h = z h + (1 - z) W s with z = gate(h), as in AMT-APC's code; (B, S, P, C) in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.style = nn.Linear(STYLE_DIM, channels)
        self.gate = nn.Sequential(
            nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels), nn.Sigmoid()
        )

    def forward(self, hidden: Tensor, style: Tensor) -> Tensor:
        """Return hidden (B, S, P, C) with the style (B, 24) let in through the gate."""
        keep: Tensor = self.gate(hidden)
        chosen: Tensor = self.style(style)[:, None, None, :]
        return keep * hidden + (1 - keep) * chosen


class Heads(nn.Module):
    """Hidden (B, S, P, C) -> logits {name: (B, T, P)}, ``STEP_FRAMES`` frames from each step."""

    def __init__(self, hidden: int, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
        self.linear = nn.Linear(hidden, STEP_FRAMES * len(names))
        self.linear.bias.data = torch.tensor([_FIRST_BIAS[n] for n in names]).repeat(STEP_FRAMES)

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

    def __init__(self, config: StreamingConfig) -> None:
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
        self.harmonics = nn.Conv2d(config.conv_channels * len(HARMONICS), c, 1)
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

        x = functional.pad(x, (12, 36))
        offsets = [12 + h for h in HARMONICS]
        x = torch.cat([x[..., o : o + N_PITCHES] for o in offsets], 1)
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


class AlongPitch(nn.Module):
    """A convolution along pitch for each channel, an octave to either side; (B, S, P, H) to same.

    Written as a product with a banded matrix, which trains several times faster on a CPU.
    """

    band: Tensor

    def __init__(self, channels: int, reach: int = 12) -> None:
        super().__init__()
        bound = (2 * reach + 1) ** -0.5
        self.weight = nn.Parameter(torch.empty(channels, 2 * reach + 1).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(channels))
        apart = torch.arange(N_PITCHES)[:, None] - torch.arange(N_PITCHES)
        is_near = apart.abs() <= reach
        self.register_buffer("band", torch.where(is_near, apart + reach, 2 * reach + 1), False)

    def forward(self, x: Tensor) -> Tensor:
        """Return, at each pitch, the weighted sum of its neighbours in the same channel."""
        batch, n_steps, n_pitches, channels = x.shape
        matrix = functional.pad(self.weight, (0, 1))[:, self.band]  # (H, P, P)
        columns = x.permute(3, 0, 1, 2).reshape(channels, -1, n_pitches)
        out = torch.baddbmm(self.bias[:, None, None], columns, matrix)
        return out.reshape(channels, batch, n_steps, n_pitches).permute(1, 2, 3, 0)


class StreamingCover(nn.Module):
    """Features (B, T, F), style (B, 24), state -> logits {name: (B, T, 88)}, next state.

    T is a multiple of ``STEP_FRAMES``; row t describes frame t - lookahead_frames. The cover's
    logits are named as in ``COVER``, the trunk's transcription as in ``TRANSCRIPTION`` after
    ``PREFIX``.
    """

    def __init__(self, config: StreamingConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = Trunk(config)
        self.transcription = Heads(config.trunk, TRANSCRIPTION)
        self.to_context = nn.Linear(config.trunk, 8)
        self.context_in = nn.Linear(8 * N_PITCHES, config.context)
        self.context_gru = nn.GRU(config.context, config.context, batch_first=True)
        self.from_context = nn.Linear(config.context, 8 * N_PITCHES)
        self.style_gate = StyleGate(config.trunk)
        self.pitch_gru = nn.GRU(config.trunk + 8, config.hidden, batch_first=True)
        self.along_pitch = AlongPitch(config.hidden)
        self.head_in = nn.Linear(2 * config.hidden, config.hidden)
        self.cover = Heads(config.hidden, COVER)
        self.style_head = nn.Linear(STYLE_DIM, config.hidden)
        said = torch.tensor([config.heard_share * _FIRST_BIAS[n] * (n in SHARED) for n in COVER])
        self.cover.linear.bias.data -= said.repeat(STEP_FRAMES)  # as rare as they are, in all
        nn.init.zeros_(self.style_head.weight)
        nn.init.zeros_(self.style_head.bias)

    def init_state(self, batch: int) -> State:
        """Return the state before the first frame."""
        c = self.config
        return {
            **self.trunk.init_state(batch),
            "context": torch.zeros(1, batch, c.context),
            "pitch": torch.zeros(1, batch * N_PITCHES, c.hidden),
        }

    def forward(self, features: Tensor, style: Tensor, state: State) -> tuple[State, State]:
        """Return logits by output name and the state after the last frame."""
        batch = features.shape[0]
        x, next_state = self.trunk(features, state)
        heard = {PREFIX + name: value for name, value in self.transcription(x).items()}

        context = torch.relu(self.context_in(self.to_context(x).flatten(2)))
        context, next_state["context"] = self.context_gru(context, state["context"])
        hint = self.from_context(context).reshape(batch, -1, N_PITCHES, 8)
        x = torch.cat([self.style_gate(x, style), torch.relu(hint)], 3)

        x, next_state["pitch"] = over_time(self.pitch_gru, x, state["pitch"])
        x = torch.cat([x, torch.relu(self.along_pitch(x))], 3)
        x = torch.relu(self.head_in(x) + self.style_head(style)[:, None, None, :])
        cover = self.cover(x)
        for name in SHARED:
            cover[name] = cover[name] + self.config.heard_share * heard[PREFIX + name].detach()
        return {**cover, **heard}, next_state


class Transcriber(nn.Module):
    """The trunk of a cover network alone, its transcription named as a model's outputs are.

    Features (B, T, F), style (B, 24), which changes nothing, state -> logits, next state.
    """

    def __init__(self, cover: StreamingCover) -> None:
        super().__init__()
        self.config = cover.config
        self.trunk, self.transcription = cover.trunk, cover.transcription

    def init_state(self, batch: int) -> State:
        """Return the state before the first frame."""
        return self.trunk.init_state(batch)

    def forward(self, features: Tensor, style: Tensor, state: State) -> tuple[State, State]:
        """Return logits of what sounds and the state after the last frame."""
        hidden, next_state = self.trunk(features, state)
        kept = 0 * style.sum()  # an exported graph loses an input that nothing uses
        return self.transcription(hidden + kept), next_state
