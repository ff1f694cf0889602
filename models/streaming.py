"""The default cover network: causal, stateful, made for streaming on one laptop core.

A song's log-frequency spectrum goes in, piano posteriors come out, ``lookahead_frames`` later.
Weights are shared along pitch, so a timbre learned in one register holds in another. A trunk
transcribes, and a cover part arranges:

1. the trunk (``models.trunk``), whose own heads transcribe (onset, frame, velocity), trained on any
   sound that has labels or a teacher;
2. a context path, one GRU over the whole keyboard, for metre, chord and loudness;
3. the style vector through a gate (AMT-APC, Komiya and Fukuhara, 2024);
4. a second GRU for each pitch, a depthwise convolution along pitch, and the cover's heads: onset,
   frame, velocity and melody, which get the style once more: loudness and density are a matter of
   the whole cover. Onset and frame are residuals: ``transcription_residual_weight`` times the
   trunk's logits is added, so that notes still come through on sound unlike any in training, where
   the cover part is less confident.

Shapes: B batch, T feature frames, F bins, S = T / 2 steps, P = 88 pitches, C channels.
Every state is a tensor that streams: one forward serves training, whole files and live blocks.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.spec import N_PITCHES, STYLE_DIM
from models.trunk import (
    INITIAL_BIAS,
    STEP_FRAMES,
    TRANSCRIPTION,
    Heads,
    State,
    Transcription,
    Trunk,
    TrunkConfig,
    over_time,
)

COVER = ("onset", "frame", "velocity", "melody")
RESIDUAL = ("onset", "frame")  # outputs to which the transcription's logits are added
TRANSCRIPTION_PREFIX = "transcription_"  # of the trunk's outputs beside the cover's
AHEAD_PREFIX = "ahead_"  # of what waits in the state for later sound


@dataclass(frozen=True, slots=True)
class StreamingConfig(TrunkConfig):
    """Sizes of the network; ``lookahead_frames`` is how late its targets are in training."""

    context: int = 160
    hidden: int = 64
    lookahead_frames: int = 3
    transcription_residual_weight: float = 0.5
    ahead: int = 0  # units that read each pitch back from later sound; 0: no such part
    ahead_context: int = 64  # the same over the whole keyboard


class StyleGate(nn.Module):
    """h = z h + (1 - z) W s with z = gate(h), as in AMT-APC's code; (B, S, P, C) in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.style = nn.Linear(STYLE_DIM, channels)
        self.gate = nn.Sequential(
            nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels), nn.Sigmoid()
        )

    def forward(self, hidden: Tensor, style: Tensor) -> Tensor:
        """Return hidden (B, S, P, C) with the style (B, 24) mixed in by the gate."""
        keep: Tensor = self.gate(hidden)
        chosen: Tensor = self.style(style)[:, None, None, :]
        return keep * hidden + (1 - keep) * chosen


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


class Ahead(nn.Module):
    """What later sound adds: GRUs that read back in time, from the newest step to each.

    Each step gets what the steps behind it tell, however many there are: as many as the latency
    allows, or the rest of a song. With zero output weights, which it begins with, it adds nothing.
    """

    def __init__(self, config: StreamingConfig) -> None:
        super().__init__()
        c = self.config = config
        self.context_gru = nn.GRU(c.context, c.ahead_context, batch_first=True)
        self.from_context = nn.Linear(c.ahead_context, 8 * N_PITCHES)
        self.pitch_gru = nn.GRU(c.trunk + 16, c.ahead, batch_first=True)
        self.to_head = nn.Linear(c.ahead, c.hidden, bias=False)
        nn.init.zeros_(self.to_head.weight)

    def forward(self, context: Tensor, x: Tensor) -> Tensor:
        """Return what is added before the heads (B, S, P, hidden).

        ``context`` (B, S, context) and ``x`` (B, S, P, trunk + 8) are what the forward GRUs read.
        """
        batch, n_steps = context.shape[:2]
        first = context.new_zeros(1, batch, self.config.ahead_context)
        later, _ = self.context_gru(context.flip(1), first)
        hint = torch.relu(self.from_context(later)).reshape(batch, n_steps, N_PITCHES, 8)
        first = context.new_zeros(1, batch * N_PITCHES, self.config.ahead)
        later, _ = over_time(self.pitch_gru, torch.cat([x.flip(1), hint], 3), first)
        added: Tensor = self.to_head(later).flip(1)
        return added

    def by_segments(self, context: Tensor, x: Tensor, n_steps: int) -> Tensor:
        """Return the same where each segment of ``n_steps``, or less, is all that there is."""
        n_whole = context.shape[1] - context.shape[1] % n_steps
        added = []
        if n_whole:
            parts = [v[:, :n_whole].reshape(-1, n_steps, *v.shape[2:]) for v in (context, x)]
            found = self(*parts)
            added.append(found.reshape(len(x), n_whole, *found.shape[2:]))
        if n_whole < context.shape[1]:
            added.append(self(context[:, n_whole:], x[:, n_whole:]))
        return torch.cat(added, 1)


class StreamingCover(nn.Module):
    """Features (B, T, F), style (B, 24), state -> logits {name: (B, T, 88)}, next state.

    T is a multiple of ``STEP_FRAMES``; row t describes frame t - lookahead_frames. The cover's
    logits are named as in ``COVER``, the trunk's transcription as in ``TRANSCRIPTION`` after
    ``TRANSCRIPTION_PREFIX``.
    """

    def __init__(self, config: StreamingConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = Trunk(config)
        self.transcription = Transcription(config)
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
        added = config.transcription_residual_weight
        bias = torch.tensor([added * INITIAL_BIAS[n] * (n in RESIDUAL) for n in COVER])
        self.cover.linear.bias.data -= bias.repeat(STEP_FRAMES)  # which the residual adds
        nn.init.zeros_(self.style_head.weight)
        nn.init.zeros_(self.style_head.bias)
        self.ahead = Ahead(config) if config.ahead else None

    def init_state(self, batch: int, ahead_steps: int = 0) -> State:
        """Return the state before the first frame, for answers ``ahead_steps`` steps later."""
        c = self.config
        state = {
            **self.trunk.init_state(batch),
            **self.transcription.init_state(batch),
            "context": torch.zeros(1, batch, c.context),
            "pitch": torch.zeros(1, batch * N_PITCHES, c.hidden),
        }
        if self.ahead is not None:
            shapes = {
                "context": (c.context,),
                "x": (N_PITCHES, c.trunk + 8),
                "head": (N_PITCHES, c.hidden),
                "transcribed": (N_PITCHES, STEP_FRAMES * len(TRANSCRIPTION)),
            }
            for name, shape in shapes.items():
                state[AHEAD_PREFIX + name] = torch.zeros(batch, ahead_steps, *shape)
        return state

    def transcribe(self, hidden: Tensor, state: State) -> tuple[State, State]:
        """Return the transcription's logits by output name, and the next state."""
        logits, next_state = self.transcription(hidden, state)
        return {TRANSCRIPTION_PREFIX + name: value for name, value in logits.items()}, next_state

    def forward(
        self, features: Tensor, style: Tensor, state: State, segment_steps: int | None = None
    ) -> tuple[State, State]:
        """Return logits by output name and the state after the last frame.

        A network with ``ahead`` answers as much later as its state holds steps. With
        ``segment_steps`` it answers at once, and each segment of so many steps sees itself alone:
        in training, so that all distances to the newest frame are met.
        """
        x, next_state = self.trunk(features, state)
        transcribed, later = self.transcribe(x, state)
        next_state |= later

        heard = torch.relu(self.context_in(self.to_context(x).flatten(2)))
        context, next_state["context"] = self.context_gru(heard, state["context"])
        hint = self.from_context(context).reshape(features.shape[0], -1, N_PITCHES, 8)
        x = torch.cat([self.style_gate(x, style), torch.relu(hint)], 3)

        y, next_state["pitch"] = over_time(self.pitch_gru, x, state["pitch"])
        y = self.head_in(torch.cat([y, torch.relu(self.along_pitch(y))], 3))
        if self.ahead is not None and segment_steps is not None:
            y = y + self.ahead.by_segments(heard, x, segment_steps)
        elif self.ahead is not None:
            kept = {"context": heard, "x": x, "head": y, "transcribed": _by_steps(transcribed)}
            kept = {n: torch.cat([state[AHEAD_PREFIX + n], v], 1) for n, v in kept.items()}
            n_steps = heard.shape[1]
            next_state |= {AHEAD_PREFIX + n: v[:, n_steps:] for n, v in kept.items()}
            y = (kept["head"] + self.ahead(kept["context"], kept["x"]))[:, :n_steps]
            transcribed = _by_frames(kept["transcribed"][:, :n_steps])
        cover = self.cover(torch.relu(y + self.style_head(style)[:, None, None, :]))
        for name in RESIDUAL:
            residual = transcribed[TRANSCRIPTION_PREFIX + name].detach()
            cover[name] = cover[name] + self.config.transcription_residual_weight * residual
        return {**cover, **transcribed}, next_state


def _by_steps(transcribed: State) -> Tensor:
    """Return the transcription's logits {name: (B, T, P)} as one (B, S, P, 2 names)."""
    stacked = torch.stack(list(transcribed.values()), 3)
    batch, _, n_pitches, n_names = stacked.shape
    by_step = stacked.reshape(batch, -1, STEP_FRAMES, n_pitches, n_names)
    return by_step.transpose(2, 3).flatten(3)


def _by_frames(stacked: Tensor) -> State:
    """Return what ``_by_steps`` was given."""
    batch, n_steps, n_pitches, _ = stacked.shape
    parts = stacked.reshape(batch, n_steps, n_pitches, STEP_FRAMES, len(TRANSCRIPTION))
    parts = parts.transpose(2, 3).flatten(1, 2)
    return {TRANSCRIPTION_PREFIX + name: parts[..., k] for k, name in enumerate(TRANSCRIPTION)}


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
        return {**self.trunk.init_state(batch), **self.transcription.init_state(batch)}

    def forward(self, features: Tensor, style: Tensor, state: State) -> tuple[State, State]:
        """Return the transcription's logits and the state after the last frame."""
        hidden, next_state = self.trunk(features, state)
        kept = 0 * style.sum()  # an exported graph loses an input that nothing uses
        logits, later = self.transcription(hidden + kept, state)
        return logits, next_state | later
