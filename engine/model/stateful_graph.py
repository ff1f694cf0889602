"""A graph that carries its state from call to call: ``state_*`` goes in, ``next_*`` comes out.

Every state starts at zero and stays on the graph's device. Belongs to one thread.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.model.graph import Graph, Value

Array = NDArray[np.float32]
State = Mapping[str, Value]
"""The states by the names of their inputs."""


class StatefulGraph:
    """A graph with state.

    Parameters
    ----------
    graph
        The opened file.
    inputs, outputs
        Its names beside the states', which every such graph must have.

    Raises
    ------
    ModelError
        If the graph lacks one of them, or the ``next_*`` of a ``state_*``.
    """

    def __init__(self, graph: Graph, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        names = [n.removeprefix("state_") for n in graph.inputs if n.startswith("state_")]
        self._graph, self._outputs = graph, tuple(outputs)
        self._states = [f"state_{name}" for name in names]
        self._next_states = [f"next_{name}" for name in names]
        graph.check([*inputs, *self._states], [*outputs, *self._next_states])

    def first_state(self, sizes: Mapping[str, int] | None = None) -> State:
        """Return the state before the first frame; ``sizes`` of its free axes."""
        return {name: self._graph.zeros(name, sizes) for name in self._states}

    def run(self, inputs: Mapping[str, Array], state: State) -> tuple[list[Array], State]:
        """Return the outputs in order, and the next state."""
        arrays, values = self._graph.run_with_state(inputs, state, self._outputs, self._next_states)
        return arrays, dict(zip(self._states, values, strict=True))
