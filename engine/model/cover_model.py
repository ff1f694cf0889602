"""Cover models: feature frames in, posteriors out, step by step.

Here: the protocol and what both kinds share (``stateful_model``, ``window_model``). Not here:
opening by name (``model_files``).
Shapes: n frames, F bins, 88 pitches, style (24,). Everything belongs to the worker thread.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ModelError
from engine.core.notes import Posteriors
from engine.model.graph import Graph
from models.spec import N_PITCHES, ModelSpec

Array = NDArray[np.float32]
Frames = NDArray[np.int64]

REQUIRED_OUTPUTS = ("onset", "frame", "velocity")
TRANSCRIPTION = ("transcription_onset", "transcription_frame")  # both, or none


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
        """Return the pending frames, as if silence followed."""
        ...

    def reset(self) -> None:
        """Begin a new stream."""
        ...

    @property
    def least_spec(self) -> ModelSpec:
        """The same of the model that waits for nothing."""
        ...

    @property
    def wait_frames(self) -> int:
        """Frames of later sound that it waits for beyond the least."""
        ...

    def waiting(self, n_frames: int) -> "CoverModel":
        """Return a model that waits for so many, as far as it can."""
        ...

    def offline_variant(self) -> "CoverModel":
        """Return a model for whole files, where latency does not matter."""
        ...


def silent_features(spec: ModelSpec, n_frames: int) -> Array:
    """Return (n_frames, F) features of digital silence: log(0 + log_floor)."""
    shape = (n_frames, spec.features.n_bins)
    return np.full(shape, np.log(spec.features.log_floor), np.float32)


def join_posteriors(parts: Sequence[Posteriors]) -> Posteriors:
    """Return posteriors that follow each other as one, with what every part has of the rest."""
    parts = [part for part in parts if len(part)]
    none = np.zeros((0, N_PITCHES), np.float32)
    return Posteriors(
        frames=np.concatenate([np.zeros(0, np.int64), *(p.frames for p in parts)]),
        onset=np.concatenate([none, *(p.onset for p in parts)]),
        frame=np.concatenate([none, *(p.frame for p in parts)]),
        velocity=np.concatenate([none, *(p.velocity for p in parts)]),
        melody=_joined([p.melody for p in parts]),
        transcription=_joined([p.transcription for p in parts]),
    )


def _joined(parts: Sequence[Array | None]) -> Array | None:
    """Return parts that follow each other as one, None where one is missing."""
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there and len(there) == len(parts) else None


class StepQueue:
    """Collects frames to whole steps, and matches the model's rows to their frame indices.

    Row t of a model's outputs describes input t - lookahead_frames, so the first
    ``lookahead_frames`` rows of a stream are dropped.

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
        """Return the last rows, padded with silence until every frame has its row."""
        if not len(self._unanswered):
            return self._waiting
        step = self._spec.step_frames
        n_pad = self._spec.lookahead_frames
        n_pad += -(len(self._waiting) + n_pad) % step
        rows = np.concatenate((self._waiting, silent_features(self._spec, n_pad)))
        self._waiting = rows[:0]
        return rows

    def to_posteriors(self, outputs: Mapping[str, Array]) -> Posteriors:
        """Return the model's next rows {name: (n, 88)} as posteriors of their frames."""
        n_dropped = min(self._n_before, len(outputs["onset"]))
        self._n_before -= n_dropped
        n_answered = min(len(outputs["onset"]) - n_dropped, len(self._unanswered))
        rows = slice(n_dropped, n_dropped + n_answered)
        frames, self._unanswered = np.split(self._unanswered, [n_answered])
        melody = outputs.get("melody")
        transcription = [outputs[name][rows] for name in TRANSCRIPTION if name in outputs]
        return Posteriors(
            frames=frames,
            onset=outputs["onset"][rows],
            frame=outputs["frame"][rows],
            velocity=outputs["velocity"][rows],
            melody=None if melody is None else melody[rows],
            transcription=np.stack(transcription, 1) if transcription else None,
        )


class StepModel:
    """A cover model whose frames wait for whole steps: a subclass runs them (``_advance``).

    Parameters
    ----------
    spec : ModelSpec
        Of the model.
    graph : Graph
        The opened file that gives the outputs.

    Raises
    ------
    ModelError
        If the spec lacks an output that every model must give.
    """

    def __init__(self, spec: ModelSpec, graph: Graph) -> None:
        check_outputs(spec, graph)
        self._spec, self._graph = spec, graph
        self._queue = StepQueue(spec)

    @property
    def spec(self) -> ModelSpec:
        """What the model takes and gives."""
        return self._spec

    @property
    def least_spec(self) -> ModelSpec:
        """The same of the model that waits for nothing: this one."""
        return self._spec

    @property
    def wait_frames(self) -> int:
        """Frames of later sound that it waits for beyond the least: none."""
        return 0

    def waiting(self, n_frames: int) -> CoverModel:
        """Return this model, which cannot wait."""
        return self

    def offline_variant(self) -> CoverModel:
        """Return this model."""
        return self

    @property
    def graph(self) -> Graph:
        """The opened file that gives the outputs."""
        return self._graph

    def step(self, frames: Frames, features: Array, style: Array) -> Posteriors:
        """Return what became final with frames (n,) int64, features (n, F) and style (24,)."""
        return self._advance(self._queue.push(frames, features), style)

    def flush(self, style: Array) -> Posteriors:
        """Return the pending frames, as if silence followed; begin a new stream."""
        posteriors = self._advance(self._queue.finish(), style)
        self.reset()
        return posteriors

    def reset(self) -> None:
        """Begin a new stream."""
        self._queue.clear()

    def _advance(self, rows: Array, style: Array) -> Posteriors:
        """Return the posteriors of rows (n, F) of whole steps."""
        raise NotImplementedError


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
