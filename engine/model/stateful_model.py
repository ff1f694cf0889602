"""Cover models: feature frames in, posteriors out, step by step.

Here: the protocol, the bookkeeping shared by both kinds, and ``StatefulModel``. The other kind is
in ``engine.model.window_model``, opening by name in ``engine.model.model_files``.
Shapes: n frames, F bins, 88 pitches, style (24,). Everything belongs to the worker thread.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ModelError
from engine.core.notes import Posteriors
from engine.model.graph import Graph, Value
from models.spec import N_PITCHES, ModelSpec

Array = NDArray[np.float32]
Frames = NDArray[np.int64]

MAX_CALL_FRAMES = 256  # in one call of a graph: bounds the memory that a whole file takes
REQUIRED_OUTPUTS = ("onset", "frame", "velocity")


class CoverModel(Protocol):
    """A model that streams. After ``reset`` or ``flush`` the next frame begins a new song."""

    @property
    def spec(self) -> ModelSpec:
        """What the model takes and gives."""
        ...

    def step(self, frames: Frames, features: Array, style: Array) -> Posteriors:
        """Return what became final with frames (n,) int64, features (n, F) and style (24,)."""
        ...

    def flush(self, style: Array) -> Posteriors:
        """Return the frames still underway, as if silence followed."""
        ...

    def reset(self) -> None:
        """Forget everything heard."""
        ...


def silent_features(spec: ModelSpec, n_frames: int) -> Array:
    """Return (n_frames, F) features of digital silence: log(0 + log_floor)."""
    shape = (n_frames, spec.features.n_bins)
    return np.full(shape, np.log(spec.features.log_floor), np.float32)


def join_posteriors(parts: Sequence[Posteriors]) -> Posteriors:
    """Return posteriors that follow each other as one, with ``melody`` if every part has it."""
    parts = [part for part in parts if len(part)]
    none = np.zeros((0, N_PITCHES), np.float32)
    melodies = [p.melody for p in parts if p.melody is not None]
    return Posteriors(
        frames=np.concatenate([np.zeros(0, np.int64), *(p.frames for p in parts)]),
        onset=np.concatenate([none, *(p.onset for p in parts)]),
        frame=np.concatenate([none, *(p.frame for p in parts)]),
        velocity=np.concatenate([none, *(p.velocity for p in parts)]),
        melody=np.concatenate(melodies) if melodies and len(melodies) == len(parts) else None,
    )


class StepQueue:
    """Frames wait here for a whole step, and their indices for the answer.

    Row t of a model's answers describes input t - lookahead_frames, so the first
    ``lookahead_frames`` rows of a stream describe nothing.

    Parameters
    ----------
    spec : ModelSpec
        Gives ``step_frames``, ``lookahead_frames`` and the outputs.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self.clear()

    def clear(self) -> None:
        """Begin a new stream."""
        self._waiting: Array = np.zeros((0, self._spec.features.n_bins), np.float32)
        self._unanswered: Frames = np.zeros(0, np.int64)
        self._n_before = self._spec.lookahead_frames

    def push(self, frames: Frames, features: Array) -> Array:
        """Take frames (n,) with features (n, F); return the rows of all whole steps, in order."""
        assert features.shape == (len(frames), self._spec.features.n_bins), features.shape
        self._unanswered = np.concatenate((self._unanswered, frames))
        rows = np.concatenate((self._waiting, features))
        n_ready = len(rows) - len(rows) % self._spec.step_frames
        self._waiting = rows[n_ready:]
        return rows[:n_ready]

    def finish(self) -> Array:
        """Return the last rows, padded with silence until every frame has its answer."""
        if not len(self._unanswered):
            return self._waiting
        step = self._spec.step_frames
        n_pad = self._spec.lookahead_frames
        n_pad += -(len(self._waiting) + n_pad) % step
        rows = np.concatenate((self._waiting, silent_features(self._spec, n_pad)))
        self._waiting = rows[:0]
        return rows

    def answer(self, outputs: Mapping[str, Array]) -> Posteriors:
        """Return the model's next rows {name: (n, 88)} as posteriors of their frames."""
        n_dropped = min(self._n_before, len(outputs["onset"]))
        self._n_before -= n_dropped
        n_answered = min(len(outputs["onset"]) - n_dropped, len(self._unanswered))
        rows = slice(n_dropped, n_dropped + n_answered)
        frames, self._unanswered = np.split(self._unanswered, [n_answered])
        melody = outputs.get("melody")
        return Posteriors(
            frames=frames,
            onset=outputs["onset"][rows],
            frame=outputs["frame"][rows],
            velocity=outputs["velocity"][rows],
            melody=None if melody is None else melody[rows],
        )


class StatefulModel:
    """A graph that is causal in time and carries its state from step to step.

    Inputs ``features`` (1, T, F), ``style`` (1, 24) and ``state_*``, which start at zero; outputs
    (1, T, 88) named in the spec and a ``next_*`` for each state, which stays on the graph's device.

    Parameters
    ----------
    spec : ModelSpec
        Of kind ``stateful``.
    graph : Graph
        The opened file.

    Raises
    ------
    ModelError
        If the graph is not what the spec says.
    """

    def __init__(self, spec: ModelSpec, graph: Graph) -> None:
        self._spec = spec
        self._graph = graph
        names = [n.removeprefix("state_") for n in graph.inputs if n.startswith("state_")]
        self._states = [f"state_{name}" for name in names]
        self._next_states = [f"next_{name}" for name in names]
        check_outputs(spec, graph)
        graph.check(["features", "style", *self._states], [*spec.outputs, *self._next_states])
        self._queue = StepQueue(spec)
        self._state = self._zero_state()
        silence = silent_features(spec, spec.step_frames)  # warm
        self._run(silence, np.zeros(spec.style_dim, np.float32), self._state)

    @property
    def spec(self) -> ModelSpec:
        """What the model takes and gives."""
        return self._spec

    @property
    def graph(self) -> Graph:
        """The opened file."""
        return self._graph

    def step(self, frames: Frames, features: Array, style: Array) -> Posteriors:
        """Return what became final with frames (n,) int64, features (n, F) and style (24,)."""
        return self._advance(self._queue.push(frames, features), style)

    def flush(self, style: Array) -> Posteriors:
        """Return the frames still underway, as if silence followed, and begin a new stream."""
        posteriors = self._advance(self._queue.finish(), style)
        self.reset()
        return posteriors

    def reset(self) -> None:
        """Forget everything heard."""
        self._queue.clear()
        self._state = self._zero_state()

    def offline(self, features: Array, style: Array) -> Posteriors:
        """Return posteriors of a whole song (n, F) from one call of the graph.

        The stream underway is not touched. The memory taken grows with the song; this is what
        streaming is compared with.
        """
        queue = StepQueue(self._spec)
        ready = queue.push(np.arange(len(features), dtype=np.int64), features)
        rows = np.concatenate((ready, queue.finish()))
        if not len(rows):
            return join_posteriors([])
        outputs, _ = self._run(rows, style, self._zero_state())
        return queue.answer(outputs)

    def _advance(self, rows: Array, style: Array) -> Posteriors:
        chunk = max(1, MAX_CALL_FRAMES // self._spec.step_frames) * self._spec.step_frames
        parts = []
        for start in range(0, len(rows), chunk):
            outputs, self._state = self._run(rows[start : start + chunk], style, self._state)
            parts.append(self._queue.answer(outputs))
        return parts[0] if len(parts) == 1 else join_posteriors(parts)

    def _run(
        self, rows: Array, style: Array, state: Mapping[str, Value]
    ) -> tuple[dict[str, Array], dict[str, Value]]:
        inputs = {"features": rows[None], "style": style_row(self._spec, style)}
        arrays, values = self._graph.run_with_state(
            inputs, state, self._spec.outputs, self._next_states
        )
        outputs = {name: a[0] for name, a in zip(self._spec.outputs, arrays, strict=True)}
        return outputs, dict(zip(self._states, values, strict=True))

    def _zero_state(self) -> dict[str, Value]:
        return {name: self._graph.zeros(name) for name in self._states}


def style_row(spec: ModelSpec, style: Array) -> Array:
    """Return the style (24,) as a graph takes it, (1, 24) float32."""
    assert style.shape == (spec.style_dim,), style.shape
    return style[None].astype(np.float32, copy=False)


def check_outputs(spec: ModelSpec, graph: Graph) -> None:
    """Raise ModelError unless the spec names the outputs that every model must give."""
    missing = [name for name in REQUIRED_OUTPUTS if name not in spec.outputs]
    if missing:
        raise ModelError(
            f"{graph.path}: a model must give {', '.join(REQUIRED_OUTPUTS)};"
            f" its metadata lacks {', '.join(missing)}. Export it again"
        )
