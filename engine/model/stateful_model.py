"""The stateful kind of cover model: a recurrent graph whose state is carried from step to step.

Shapes: n frames, F bins, 88 pitches, style (24,). Everything belongs to the worker thread.
"""

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


class StatefulModel(StepModel):
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
        super().__init__(spec, graph)
        self._stateful = StatefulGraph(graph, ["features", "style"], spec.outputs)
        self._state = self._stateful.first_state()
        silence = silent_features(spec, spec.step_frames)  # warm
        self._run(silence, np.zeros(spec.style_dim, np.float32), self._state)

    def reset(self) -> None:
        """Begin a new stream."""
        super().reset()
        self._state = self._stateful.first_state()

    def offline(self, features: Array, style: Array) -> Posteriors:
        """Return posteriors of a whole song (n, F) from one call of the graph.

        The present stream is not touched. The memory taken grows with the song; this is what
        streaming is compared with.
        """
        queue = StepQueue(self._spec)
        ready = queue.push(np.arange(len(features), dtype=np.int64), features)
        rows = np.concatenate((ready, queue.finish()))
        if not len(rows):
            return join_posteriors([])
        outputs, _ = self._run(rows, style, self._stateful.first_state())
        return queue.to_posteriors(outputs)

    def _advance(self, rows: Array, style: Array) -> Posteriors:
        chunk = max(1, MAX_CALL_FRAMES // self._spec.step_frames) * self._spec.step_frames
        parts = []
        for start in range(0, len(rows), chunk):
            outputs, self._state = self._run(rows[start : start + chunk], style, self._state)
            parts.append(self._queue.to_posteriors(outputs))
        return parts[0] if len(parts) == 1 else join_posteriors(parts)

    def _run(self, rows: Array, style: Array, state: State) -> tuple[dict[str, Array], State]:
        inputs = {"features": rows[None], "style": style_row(self._spec, style)}
        arrays, state = self._stateful.run(inputs, state)
        return {name: a[0] for name, a in zip(self._spec.outputs, arrays, strict=True)}, state
