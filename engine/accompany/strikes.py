"""Which keys a pianist strikes on each sixteenth of a passage, from the exported network.

What was heard of a sixteenth is gathered in halves: the one before it, and the one after it. Not
here: the network (``models.strikes``), where sixteenths lie, what is played.

Shapes: T frames, S steps (sixteenths), P = 88 pitches.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.beat.gathering import over_windows, windows
from engine.model.graph import Graph

Array = NDArray[np.float32]
Times = NDArray[np.floating]

NAME = "strikes.onnx"
LAST_PLACE = 15  # sixteenths since the bar began, of longer bars as well


class Strikes(NamedTuple):
    """How likely each key is struck, (S, P) each."""

    tune: Array
    accompaniment: Array


class StrikeModel:
    """The exported strike network.

    Parameters
    ----------
    graph
        Inputs ``heard`` (1, S, 5, P) and ``place`` (1, S), output ``strikes`` (1, S, 2, P), in
        [0, 1]: tune and accompaniment.

    Raises
    ------
    ModelError
        If the graph has others.
    """

    def __init__(self, graph: Graph) -> None:
        graph.check(("heard", "place"), ("strikes",))
        self._graph = graph

    def read(self, heard: Array, places: NDArray[np.integer]) -> Strikes:
        """Return the strikes of a passage: what was heard (S, 5, P), sixteenths of the bar (S,)."""
        place = np.minimum(places, LAST_PLACE).astype(np.int64)
        (found,) = self._graph.run({"heard": heard[None], "place": place[None]}, ("strikes",))
        return Strikes(found[0, :, 0], found[0, :, 1])


def load_strike_model(path: Path, threads: int = 1) -> StrikeModel:
    """Return the strike network of a file. Every failure is a ModelError."""
    return StrikeModel(Graph(path, threads=threads))


def gather_strikes(
    onset: Array, melody: Array, frame: Array, frame_s: float, steps: Times
) -> Array:
    """Return what was heard on each step but the last, (S - 1, 5, P) in [0, 1].

    Highest onset of the half step before it and of the one after it, the same of the tune's, and
    what sounds in the half after it, in the mean.

    Parameters
    ----------
    onset, melody, frame
        (T, P) posteriors, row t at t * frame_s seconds.
    frame_s
        Seconds of a frame.
    steps
        (S,) seconds of the steps, rising; the last one ends the one before.
    """
    around, after = windows(steps, frame_s)
    before = np.stack([around[:, 0], after[:, 0]], 1)
    n_frames = np.maximum(np.minimum(after[:, 1], len(frame)) - after[:, 0], 1)
    highest = [
        over_windows(np.maximum, rows, half) for rows in (onset, melody) for half in (before, after)
    ]
    sounding = over_windows(np.add, frame, after) / n_frames[:, None].astype(np.float32)
    return np.stack([*highest, sounding], 1)
