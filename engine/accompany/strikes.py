"""Which keys a pianist strikes on each sixteenth of a passage, from the exported network.

What was heard of a sixteenth is gathered in halves: the one before it, and the one after it. Not
here: the network (``models.strikes``), where sixteenths lie, what is played.

Shapes: T frames, S steps (sixteenths), P = 88 pitches.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.beat.steps.gathering import over_windows, windows
from engine.core.errors import ModelError
from engine.model.graph import Graph

Array = NDArray[np.float32]
Times = NDArray[np.floating]

NAME = "strikes.onnx"
CHANNELS = 8  # of what was heard of a key on a step
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
        Inputs ``heard`` (1, S, 8, P), ``sound`` (1, S, 2, 97) and ``place`` (1, S), output
        ``strikes`` (1, S, 2, P), in [0, 1]: tune and accompaniment.

    Raises
    ------
    ModelError
        If the graph has others.
    """

    def __init__(self, graph: Graph) -> None:
        graph.check(("heard", "sound", "place"), ("strikes",))
        n_channels = graph.inputs["heard"][2]
        if n_channels != CHANNELS:
            raise ModelError(
                f"{graph.path}: expected a strike network that hears {CHANNELS} channels, it hears"
                f" {n_channels}: export it again"
            )
        self._graph = graph

    def read(self, heard: Array, sound: Array, places: NDArray[np.integer]) -> Strikes:
        """Return the strikes of a passage.

        Of what was heard (S, 8, P), the sound (S, 2, 97), zeros where it is not known, and
        sixteenths since the bar began (S,).
        """
        place = np.minimum(places, LAST_PLACE).astype(np.int64)
        (found,) = self._graph.run(
            {"heard": heard[None], "sound": sound[None], "place": place[None]}, ("strikes",)
        )
        return Strikes(found[0, :, 0], found[0, :, 1])


def load_strike_model(path: Path, threads: int = 1) -> StrikeModel:
    """Return the strike network of a file. Every failure is a ModelError."""
    return StrikeModel(Graph(path, threads=threads))


def gather_strikes(struck: Array, sounding: Array, frame_s: float, steps: Times) -> Array:
    """Return what was heard on each step but the last, (S - 1, 2 s + f, P) in [0, 1].

    Of each kind that is struck the highest of the half step before it and of the one after it; of
    each that sounds the mean of the half after it.

    Parameters
    ----------
    struck, sounding
        (s, T, P), (f, T, P) posteriors, row t at t * frame_s seconds: as the network has them,
        onset, melody and the transcription's onset, and frame and the transcription's.
    frame_s
        Seconds of a frame.
    steps
        (S,) seconds of the steps, rising; the last one ends the one before.
    """
    around, after = windows(steps, frame_s)
    before = np.stack([around[:, 0], after[:, 0]], 1)
    n_frames = np.maximum(np.minimum(after[:, 1], sounding.shape[1]) - after[:, 0], 1)
    highest = [over_windows(np.maximum, rows, half) for rows in struck for half in (before, after)]
    means = [
        over_windows(np.add, rows, after) / n_frames[:, None].astype(np.float32)
        for rows in sounding
    ]
    return np.stack([*highest, *means], 1)
