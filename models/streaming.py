"""The default cover network: causal, stateful, made for streaming on one laptop core.

A song's log-frequency spectrum goes in, piano posteriors come out, ``lookahead_frames`` later.
Weights are shared along pitch, so a timbre learned in one register holds in another:

1. one strided convolution turns three bins a semitone into one pitch axis, two frames into a step;
2. a harmonic gather lines up each pitch with its octave below and its first overtones
   (HPPNet, Wei et al., ISMIR 2022, does this with dilated convolutions);
3. a convolution over time and pitch;
4. a context path, one GRU over the whole keyboard, that hears metre, chord and loudness;
5. the style vector through a gate (AMT-APC, Komiya and Fukuhara, 2024);
6. a GRU along time for each pitch, its weights shared by all pitches;
7. a depthwise convolution along pitch, and heads for onset, frame, velocity and melody, which
   hear the style once more: how loud and how dense is a matter of the whole cover.

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
OUTPUTS = ("onset", "frame", "velocity", "melody")
HARMONICS = (-12, 0, 12, 19, 24, 28, 31, 34, 36)  # semitones from a pitch to what it sounds like

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class StreamingConfig:
    """Sizes of the network; ``lookahead_frames`` is how late its targets are in training."""

    n_bins: int = 291
    bins_per_semitone: int = 3
    conv_channels: int = 16
    channels: int = 48
    context: int = 160
    hidden: int = 64
    lookahead_frames: int = 4
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


class StreamingCover(nn.Module):
    """Features (B, T, F), style (B, 24), state -> logits {name: (B, T, 88)}, next state.

    T is a multiple of ``STEP_FRAMES``; row t describes frame t - lookahead_frames.
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
        self.to_context = nn.Linear(c, 8)
        self.context_in = nn.Linear(8 * N_PITCHES, config.context)
        self.context_gru = nn.GRU(config.context, config.context, batch_first=True)
        self.from_context = nn.Linear(config.context, 8 * N_PITCHES)
        self.style_gate = StyleGate(c)
        self.pitch_gru = nn.GRU(c + 8, config.hidden, batch_first=True)
        self.along_pitch = nn.Conv1d(
            config.hidden, config.hidden, 25, padding=12, groups=config.hidden
        )
        last = nn.Linear(config.hidden, STEP_FRAMES * len(OUTPUTS))
        # Onsets and frames begin as rare as they are: the order is that of OUTPUTS.
        last.bias.data = torch.tensor([-4.0, -2.5, 0.5, -1.0]).repeat(STEP_FRAMES)
        self.head_in = nn.Linear(2 * config.hidden, config.hidden)
        self.head_out = last
        self.style_head = nn.Linear(STYLE_DIM, config.hidden)
        nn.init.zeros_(self.style_head.weight)
        nn.init.zeros_(self.style_head.bias)

    def init_state(self, batch: int) -> State:
        """Return the state before the first frame."""
        c = self.config
        return {
            "spectrum": torch.zeros(batch, STEP_FRAMES, c.n_bins),
            "local": torch.zeros(batch, c.channels, 2, N_PITCHES),
            "context": torch.zeros(1, batch, c.context),
            "pitch": torch.zeros(1, batch * N_PITCHES, c.hidden),
        }

    def forward(self, features: Tensor, style: Tensor, state: State) -> tuple[State, State]:
        """Return logits by output name and the state after the last frame."""
        batch = features.shape[0]
        x = (features - self.config.feature_mean) / self.config.feature_scale
        x = torch.cat([state["spectrum"], x], 1)
        next_state = {"spectrum": x[:, -STEP_FRAMES:]}
        around = functional.avg_pool1d(x, 73, 1, 36, count_include_pad=False)
        x = torch.stack([x, x - around], 1)  # level, and what stands out: (B, 2, T + 2, F)
        x = torch.relu(self.spectrum_norm(self.spectrum(x)))  # (B, C1, S, semitones)

        x = functional.pad(x, (12, 36))
        offsets = [12 + h for h in HARMONICS]
        x = torch.cat([x[..., o : o + N_PITCHES] for o in offsets], 1)
        x = torch.relu(self.harmonics_norm(self.harmonics(x) + self.register_bias))

        with_past = torch.cat([state["local"], x], 2)
        next_state["local"] = with_past[:, :, -2:]
        x = x + torch.relu(self.local_norm(self.local(with_past)))
        x = x.permute(0, 2, 3, 1)  # (B, S, P, C)

        context = torch.relu(self.context_in(self.to_context(x).flatten(2)))
        context, next_state["context"] = self.context_gru(context, state["context"])
        hint = self.from_context(context).reshape(batch, -1, N_PITCHES, 8)
        x = torch.cat([self.style_gate(x, style), torch.relu(hint)], 3)

        x = x.transpose(1, 2).flatten(0, 1)  # (B P, S, C + 8)
        x, next_state["pitch"] = self.pitch_gru(x, state["pitch"])
        x = x.reshape(batch, N_PITCHES, -1, self.config.hidden).transpose(1, 2)  # (B, S, P, H)
        across = x.reshape(-1, N_PITCHES, self.config.hidden).transpose(1, 2)
        across = self.along_pitch(across).transpose(1, 2)
        x = torch.cat([x, torch.relu(across).reshape(batch, -1, *x.shape[2:])], 3)

        x = torch.relu(self.head_in(x) + self.style_head(style)[:, None, None, :])
        logits = self.head_out(x).reshape(batch, -1, N_PITCHES, STEP_FRAMES, len(OUTPUTS))
        logits = logits.transpose(2, 3).reshape(batch, -1, N_PITCHES, len(OUTPUTS))  # (B, T, P, 4)
        return {name: logits[..., k] for k, name in enumerate(OUTPUTS)}, next_state
