"""The stateful kind of cover model: a recurrent graph whose state is carried from step to step.

Shapes: n frames, F bins, 88 pitches, style (24,). Everything belongs to the worker thread.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import Posteriors
from engine.model.cover_model import (
    StepModel,
    StepQueue,
    join_posteriors,
    silent_features,
    style_row,
)
from engine.model.graph import Graph
from engine.model.stateful_graph import State, StatefulGraph
from models.spec import ModelSpec

Array = NDArray[np.float32]

MAX_CALL_FRAMES = 256  # in one call of a graph: bounds the memory that a whole file takes
FILE_AHEAD_FRAMES = 94  # that a file waits for, where the model can
STEPS_AHEAD = 4  # a longer wait is passed in as many steps: what lies ahead is read at each


class StatefulModel(StepModel):
    """A graph that is causal in time and carries its state from step to step.

    Inputs ``features`` (1, T, F), ``style`` (1, 24) and ``state_*``, which start at zero; outputs
    (1, T, 88) named in the spec and a ``next_*`` for each state, which stays on the graph's device.
    A model with ``ahead_frames`` reads back, at each step, from the newest frame to the answered
    ones, whose outputs depend on how many came later; it takes one step in each call.

    Parameters
    ----------
    spec : ModelSpec
        Of kind ``stateful``.
    graph : Graph
        The opened file.
    wait_frames : int
        Frames that it waits for beyond the least, at most the spec's ``ahead_frames``.

    Raises
    ------
    ModelError
        If the graph is not what the spec says.
    """

    def __init__(self, spec: ModelSpec, graph: Graph, wait_frames: int = 0) -> None:
        self._least_spec = spec
        self._wait_frames = wait_frames
        step, ahead = _split(self._wait_frames, spec.step_frames)
        self._sizes = {"n_ahead": ahead // spec.step_frames}
        lookahead = spec.lookahead_frames + ahead
        spec = replace(spec, step_frames=step, lookahead_frames=lookahead)
        super().__init__(spec, graph)
        self._stateful = StatefulGraph(graph, ["features", "style"], spec.outputs)
        self._state = self._stateful.first_state(self._sizes)
        silence = silent_features(spec, spec.step_frames)  # warm
        self._run(silence, np.zeros(spec.style_dim, np.float32), self._state)

    @property
    def least_spec(self) -> ModelSpec:
        """The same of the model that waits for nothing."""
        return self._least_spec

    @property
    def wait_frames(self) -> int:
        """Frames of later sound that it waits for beyond the least."""
        return self._wait_frames

    def waiting(self, n_frames: int) -> "StatefulModel":
        """Return a model of the same graph that waits for so many frames, this one if it does."""
        n_frames = min(n_frames, self._spec.ahead_frames)
        if n_frames == self._wait_frames:
            return self
        return StatefulModel(self._least_spec, self._graph, n_frames)

    def offline_variant(self) -> "StatefulModel":
        """Return a model of the same graph for whole files, where latency does not matter."""
        return self.waiting(FILE_AHEAD_FRAMES)

    def reset(self) -> None:
        """Begin a new stream."""
        super().reset()
        self._state = self._stateful.first_state(self._sizes)

    def offline(self, features: Array, style: Array) -> Posteriors:
        """Return posteriors of a whole song (n, F), from one call of the graph if they can be.

        The present stream is not touched. The memory taken grows with the song; this is what
        streaming is compared with.
        """
        queue = StepQueue(self._spec)
        ready = queue.push(np.arange(len(features), dtype=np.int64), features)
        rows = np.concatenate((ready, queue.finish()))
        if not len(rows):
            return join_posteriors([])
        state, parts = self._stateful.first_state(self._sizes), []
        chunk = self._spec.step_frames if self._spec.ahead_frames else len(rows)
        for start in range(0, len(rows), chunk):
            outputs, state = self._run(rows[start : start + chunk], style, state)
            parts.append(queue.to_posteriors(outputs))
        return join_posteriors(parts)

    def one_window(self, rows: Array, style: Array) -> dict[str, Array]:
        """Return the outputs of rows (n, F) from one call, as if the song began and ended there.

        The present stream is not touched; this is what a window without memory would cost.
        """
        first = self._stateful.first_state({"n_ahead": 0})
        return self._run(rows, style, first)[0]

    def _advance(self, rows: Array, style: Array) -> Posteriors:
        chunk = self._spec.step_frames
        if not self._spec.ahead_frames:
            chunk *= max(1, MAX_CALL_FRAMES // chunk)
        parts = []
        for start in range(0, len(rows), chunk):
            outputs, self._state = self._run(rows[start : start + chunk], style, self._state)
            parts.append(self._queue.to_posteriors(outputs))
        return parts[0] if len(parts) == 1 else join_posteriors(parts)

    def _run(self, rows: Array, style: Array, state: State) -> tuple[dict[str, Array], State]:
        inputs = {"features": rows[None], "style": style_row(self._spec, style)}
        arrays, state = self._stateful.run(inputs, state)
        return {name: a[0] for name, a in zip(self._spec.outputs, arrays, strict=True)}, state


def _split(wait_frames: int, step_frames: int) -> tuple[int, int]:
    """Return the frames of a step and those ahead of it, together ``wait_frames`` later.

    >>> _split(0, 2), _split(6, 2), _split(51, 2)
    ((2, 0), (2, 6), (12, 40))
    """
    step = max(step_frames, wait_frames // STEPS_AHEAD // step_frames * step_frames)
    ahead = wait_frames - (step - step_frames)
    return step, ahead - ahead % step_frames
