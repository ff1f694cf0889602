"""Beat and downbeat activations of a stream of features, from the exported beat network.

Input frames come in any number; row t of an answer describes frame t - ``lookahead_frames``. Not
here: the network (``models.beat``), what is made of its activations (``filter``).

Shapes: n frames, F bins. Belongs to the worker thread.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ModelError
from engine.model.graph import Graph
from engine.model.stateful_graph import StatefulGraph
from models import shipped
from models.spec import BeatSpec

Array = NDArray[np.float32]

FOLDER = "beat"  # of the shipped models
NAME = "beat.onnx"
OUTPUTS = ("beat", "downbeat")
MAX_CALL_FRAMES = 256


class BeatModel:
    """A graph that is causal in time and carries its state from call to call.

    Inputs ``features`` (1, T, F) and ``state_*``, which start at zero; outputs ``beat`` and
    ``downbeat`` (1, T), 0 to 1, and a ``next_*`` for each state.

    Raises
    ------
    ModelError
        If the graph is not what the spec says.
    """

    def __init__(self, spec: BeatSpec, graph: Graph) -> None:
        self.spec = spec
        self._graph = StatefulGraph(graph, ["features"], OUTPUTS)
        self.reset()

    def reset(self) -> None:
        """Begin a new stream."""
        self._state = self._graph.first_state()
        self._n_before = self.spec.lookahead_frames

    def step(self, features: Array) -> Array:
        """Return activations (m, 2) of the frames that became final with features (n, F)."""
        parts = [np.zeros((0, len(OUTPUTS)), np.float32)]
        for start in range(0, len(features), MAX_CALL_FRAMES):
            rows = features[None, start : start + MAX_CALL_FRAMES]
            arrays, self._state = self._graph.run({"features": rows}, self._state)
            parts.append(np.stack([array[0] for array in arrays], 1))
        answered = np.concatenate(parts)
        n_dropped = min(self._n_before, len(answered))
        self._n_before -= n_dropped
        return answered[n_dropped:]


def load_beat_model(path: Path | None = None, provider: str = "cpu", threads: int = 1) -> BeatModel:
    """Return the beat network of a file, or the one that ships. Every failure is a ModelError."""
    path = path or shipped.path() / FOLDER / NAME
    graph = Graph(path, provider, threads)
    try:
        spec = BeatSpec.from_metadata(graph.metadata())
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} is not a beat network ({error}): give one that offline_train exported"
        ) from error
    return BeatModel(spec, graph)
