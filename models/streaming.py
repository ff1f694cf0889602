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

from models.ahead import AHEAD_PREFIX, CoverAhead, TranscriptionAhead, behind, by_segments
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
    by_frames,
    by_steps,
    over_time,
)

COVER = ("onset", "frame", "velocity", "melody")
RESIDUAL = ("onset", "frame")  # outputs to which the transcription's logits are added
TRANSCRIPTION_PREFIX = "transcription_"  # of the trunk's outputs beside the cover's


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


class StreamingCover(nn.Module):
    """Features (B, T, F), style (B, 24), state -> logits {name: (B, T, 88)}, next state.

    T is a multiple of ``STEP_FRAMES``; row t describes frame t - lookahead_frames. The cover's
    logits are named as in ``COVER``, the trunk's transcription as in ``TRANSCRIPTION`` after
    ``TRANSCRIPTION_PREFIX``.
    """

    def __init__(self, config: StreamingConfig) -> None:
        super().__init__()
        c = self.config = config
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
        sizes = c.context, c.trunk + 8, c.hidden, c.ahead, c.ahead_context
        self.ahead = CoverAhead(*sizes) if c.ahead else None
        self.transcription_ahead = (  # of a ``Transcriber``: a cover is told what is heard at once
            TranscriptionAhead(c, self.transcription.width) if c.refine_ahead else None
        )

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

    def forward(
        self, features: Tensor, style: Tensor, state: State, segment_steps: int | None = None
    ) -> tuple[State, State]:
        """Return logits by output name and the state after the last frame.

        A network with ``ahead`` answers as much later as its state holds steps. With
        ``segment_steps`` it answers at once, and each segment of so many steps sees itself alone:
        in training, so that all distances to the newest frame are met.
        """
        x, next_state = self.trunk(features, state)
        transcribed, later = self.transcription(x, state)
        next_state |= later

        heard = torch.relu(self.context_in(self.to_context(x).flatten(2)))
        context, next_state["context"] = self.context_gru(heard, state["context"])
        hint = self.from_context(context).reshape(features.shape[0], -1, N_PITCHES, 8)
        x = torch.cat([self.style_gate(x, style), torch.relu(hint)], 3)

        y, next_state["pitch"] = over_time(self.pitch_gru, x, state["pitch"])
        y = self.head_in(torch.cat([y, torch.relu(self.along_pitch(y))], 3))
        if self.ahead is not None and segment_steps is not None:
            y = y + by_segments(self.ahead, segment_steps, heard, x)
        elif self.ahead is not None:
            new = {"context": heard, "x": x, "head": y, "transcribed": by_steps(transcribed)}
            kept, waiting = behind(state, new)
            next_state |= waiting
            n_steps = heard.shape[1]
            y = (kept["head"] + self.ahead(kept["context"], kept["x"]))[:, :n_steps]
            transcribed = by_frames(kept["transcribed"][:, :n_steps])
        cover = self.cover(torch.relu(y + self.style_head(style)[:, None, None, :]))
        for name in RESIDUAL:
            residual = transcribed[name].detach()
            cover[name] = cover[name] + self.config.transcription_residual_weight * residual
        return cover | prefixed(transcribed), next_state


def prefixed(transcribed: State) -> State:
    """Return a transcription's logits under the names that they have beside a cover's."""
    return {TRANSCRIPTION_PREFIX + name: value for name, value in transcribed.items()}


class Transcriber(nn.Module):
    """The trunk of a cover network alone, its transcription named as a model's outputs are.

    Features (B, T, F), style (B, 24), which changes nothing, state -> logits, next state. With
    ``refine_ahead`` units it answers as much later as its state holds steps, as the cover does.
    """

    def __init__(self, cover: StreamingCover) -> None:
        super().__init__()
        self.config = cover.config
        self.trunk, self.transcription = cover.trunk, cover.transcription
        self.ahead = cover.transcription_ahead

    def init_state(self, batch: int, ahead_steps: int = 0) -> State:
        """Return the state before the first frame, for answers ``ahead_steps`` steps later."""
        state = {**self.trunk.init_state(batch), **self.transcription.init_state(batch)}
        if self.ahead is not None:
            sizes = {"taken": self.config.compared, "logits": STEP_FRAMES * len(TRANSCRIPTION)}
            state |= {
                AHEAD_PREFIX + name: torch.zeros(batch, ahead_steps, N_PITCHES, size)
                for name, size in sizes.items()
            }
        return state

    def forward(
        self, features: Tensor, style: Tensor, state: State, segment_steps: int | None = None
    ) -> tuple[State, State]:
        """Return the transcription's logits and the state after the last frame.

        ``segment_steps`` as ``StreamingCover.forward`` has it.
        """
        hidden, next_state = self.trunk(features, state)
        hidden = hidden + 0 * style.sum()  # an exported graph loses an input that nothing uses
        heard, later = self.transcription.hear(hidden, state)
        next_state, logits = next_state | later, self.transcription.answer(heard)
        if self.ahead is None:
            return logits, next_state
        taken = self.ahead.take(heard)
        if segment_steps is not None:
            found = by_segments(self.ahead, segment_steps, taken)
        else:
            n_steps = taken.shape[1]
            kept, waiting = behind(state, {"taken": taken, "logits": by_steps(logits)})
            next_state |= waiting
            found = self.ahead(kept["taken"])[:, :n_steps]
            logits = by_frames(kept["logits"][:, :n_steps])
        added = self.ahead.answer(found)
        return {name: value + added[name] for name, value in logits.items()}, next_state
