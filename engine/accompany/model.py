"""The accompanist's three graphs, with their memory: the plan, the texture, and one note.

A folder with ``plan.onnx``, ``play.onnx`` and ``note.onnx``, as ``offline_train.exporting`` leaves
it. No torch. Not here: what is decided from what they say (``planning``, ``accompanist``).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ModelError
from engine.model.graph import Graph

Array = NDArray[np.float32]

KIND = "accompanist"
GRAPHS = ("plan", "play", "note")
_MEMORY = ("keys", "values")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step lies, and how late it is heard."""

    place: int  # steps since the bar began
    lag: int  # steps from the newest that was heard to this one
    bpm: float

    def inputs(self) -> dict[str, NDArray[Any]]:
        """Return the values as the graphs take them."""
        return {
            "place": np.array([min(self.place, 31)], np.int64),
            "lag": np.array([min(self.lag, 15)], np.int64),
            "tempo": np.array([np.log2(self.bpm / 90)], np.float32),
        }


class NoteLogits(NamedTuple):
    """What the writer says next."""

    pitch: Array  # (89,), the last of which ends the step
    rest: Array  # (33,) length, velocity, hand of the pitch that was given


class _Remembering:
    """A graph with a memory of keys and values, a ring that is written in place."""

    def __init__(self, graph: Graph, outputs: tuple[str, ...]) -> None:
        self._graph, self._outputs = graph, outputs
        self.reset()

    def reset(self) -> None:
        self._position = 0
        names = [name for kind in _MEMORY for name in self._graph.inputs if name.startswith(kind)]
        shapes = {name: self._graph.zeros(name).shape() for name in names}
        self._memory = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[Array]:
        feed = {**inputs, "position": np.array([self._position], np.int64), **self._memory}
        *found, key, value = self._graph.run(feed, (*self._outputs, "key", "value"))
        for kept, own in zip(self._memory.values(), (*key, *value), strict=True):
            kept[0, :, self._position % kept.shape[2]] = own
        self._position += 1
        return found


class AccompanistModel:
    """The graphs, at the beginning of a song.

    Parameters
    ----------
    folder
        That holds them.
    threads
        Of the graphs.

    Raises
    ------
    ModelError
        If one is missing, broken or of another kind.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        graphs = {name: Graph(folder / f"{name}.onnx", threads=threads) for name in GRAPHS}
        for graph in graphs.values():
            spec = json.loads(graph.metadata())
            if spec.get("kind") != KIND:
                raise ModelError(f"{graph.path}: expected an accompanist, its metadata says {spec}")
        self._plan = _Remembering(graphs["plan"], ("chord", "bass"))
        self._play = _Remembering(graphs["play"], ("hidden",))
        self._play_unguided = _Remembering(graphs["play"], ("hidden",))
        self._note = graphs["note"]

    def reset(self) -> None:
        """Begin another song."""
        self._plan.reset()
        self._play.reset()
        self._play_unguided.reset()

    def plan(self, heard: Array, expected: Array, where: Place) -> tuple[Array, Array]:
        """Return probabilities of the step's chord (97,), and of the basses under each (97, 12).

        ``heard`` (220,) is what was heard ``lag`` steps ago and its summary, ``expected`` (38,)
        what repetition lets expect.
        """
        inputs = {"heard": heard[None], "expected": expected[None], **where.inputs()}
        chord, bass = self._plan.run(inputs)
        return chord, bass

    def play(
        self,
        own: Array,
        plan: Array,
        heard: Array,
        style: Array,
        part: int,
        where: Place,
        is_guided: bool = True,
    ) -> Array:
        """Return the hidden state (W,) of a step.

        ``own`` (176,) is what was struck before and is held, ``plan`` (37,) the chord and whether
        it is new, ``style`` (12,) what is asked for, ``part`` 0 without and 1 with the melody. One
        that is not guided has a memory of its own; its plan and sound are to be zeros.
        """
        inputs: dict[str, NDArray[Any]] = {
            "own": own[None],
            "plan": plan[None],
            "heard": heard[None],
            "style": style[None],
            "part": np.array([part], np.int64),
        }
        graph = self._play if is_guided else self._play_unguided
        (hidden,) = graph.run({**inputs, **where.inputs()})
        return np.asarray(hidden[0])

    def note(self, hidden: Array, plan: Array, struck: Array, last: int, pitch: int) -> NoteLogits:
        """Return what comes after the notes struck (88,), and the rest of the note ``pitch``."""
        inputs: dict[str, NDArray[Any]] = {
            "hidden": hidden[None],
            "plan": plan[None],
            "struck": struck[None],
            "last": np.array([last], np.int64),
            "pitch": np.array([pitch], np.int64),
        }
        logits, rest = self._note.run(inputs, ["next_pitch", "rest"])
        return NoteLogits(logits[0], rest[0])
