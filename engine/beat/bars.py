"""Where bars begin, by what the cover's model hears: a network on the posteriors of each beat.

It is asked once a beat, as soon as the posteriors of the beat's last sixteenth are there. Not
here: the beat itself, what is made of the answer (``tracker``). Belongs to the worker thread.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.beat.activations import FOLDER
from engine.beat.attacks import N_BANDS, AttackGatherer
from engine.beat.clock import BeatClock
from engine.beat.gathering import StepGatherer
from engine.beat.summary import SUMMARY_DIM, summarise
from engine.core.errors import ModelError
from engine.core.tempo import BeatState
from engine.model.graph import Graph
from models import shipped

Array = NDArray[np.float32]

NAME = "bar.onnx"
STEPS = 4  # of a beat
STEP_DIM = SUMMARY_DIM + N_BANDS
BEAT_DIM = STEPS * STEP_DIM + 1
USUAL_BPM = 90.0
LEVELS = (0.5, 2 / 3, 0.75, 1.0, 4 / 3, 1.5, 2.0)
"""How many times faster than the song's the beats may be."""
RIGHT = LEVELS.index(1.0)
OTHER_BEATS = 1.25  # from which on beats are other beats: the network begins anew
_INPUTS, _OUTPUTS = ("beats", "state"), ("downbeat", "level", "next_state")


class BarModel:
    """The exported bar network, with its state.

    Parameters
    ----------
    graph
        Inputs ``beats`` (1, T, 201) and ``state``, outputs ``downbeat`` (1, T) and ``level``
        (1, T, 7), logits, and ``next_state``.

    Raises
    ------
    ModelError
        If the graph has others, or another number of levels.
    """

    def __init__(self, graph: Graph) -> None:
        graph.check(_INPUTS, _OUTPUTS)
        self._graph = graph
        self.reset()
        n_levels = self.step(np.zeros((1, BEAT_DIM), np.float32))[1].shape[1]
        if n_levels != len(LEVELS):
            raise ModelError(
                f"{graph.path} knows {n_levels} levels of a beat, not {len(LEVELS)}: train and"
                " export it with this version of livecover"
            )
        self.reset()

    def reset(self) -> None:
        """Begin a new stream of beats."""
        self._state = self._graph.zeros("state").numpy()

    def step(self, beats: Array) -> tuple[Array, Array]:
        """Return the logits that beats (T, 201) are downbeats (T,), and of their levels (T, 7)."""
        inputs = {"beats": beats[None], "state": self._state}
        downbeat, level, self._state = self._graph.run(inputs, _OUTPUTS)
        return np.asarray(downbeat[0]), np.asarray(level[0])


class BeatInBar(NamedTuple):
    """What the network finds of a beat of the clock."""

    beat: int
    downbeat: float  # log odds
    level: Array  # (7,) log odds of ``LEVELS`` against the right one
    is_first: bool  # of beats that are other beats than before


class BarTracker:
    """Asks the network about each beat of a clock, in order.

    Parameters
    ----------
    model
        The network; used by this tracker alone.
    """

    def __init__(self, model: BarModel) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Begin a new stream."""
        self._model.reset()
        self._next: int | None = None
        self._is_first = True
        self._period = math.inf

    def update(
        self, clock: BeatClock, gatherer: StepGatherer, attacks: AttackGatherer
    ) -> list[BeatInBar]:
        """Return what is found of the beats whose posteriors are there now."""
        if clock.state is BeatState.LOST:
            self.reset()
            return []
        newest = math.floor(clock.position(gatherer.until)) - 1
        ratio = clock.period / self._period
        if self._next is None or not 1 / OTHER_BEATS < ratio < OTHER_BEATS:
            self._model.reset()
            self._next = newest
            self._is_first = True
        self._period = clock.period
        found = []
        while self._next <= newest:
            beat = self._beat(self._next, clock, gatherer, attacks)
            if beat is None:
                break
            downbeat, level = self._model.step(beat)
            odds = level[0] - level[0, RIGHT]
            found.append(BeatInBar(self._next, float(downbeat[0]), odds, self._is_first))
            self._next, self._is_first = self._next + 1, False
        return found

    def _beat(
        self, beat: int, clock: BeatClock, gatherer: StepGatherer, attacks: AttackGatherer
    ) -> Array | None:
        """Return the input (1, 201) of a beat; None where its end is not known yet."""
        times = [clock.time_of(beat + k / STEPS) for k in range(STEPS + 1)]
        steps = list(zip(times, times[1:], strict=False))
        rows = [gatherer.gather(*step) for step in steps]
        known = [row for row in rows if row is not None]
        if len(known) < STEPS:
            return None
        struck = np.stack([attacks.gather(*step) for step in steps])
        summaries = np.concatenate([summarise(np.stack(known)), struck], 1)
        tempo = np.full((1, 1), np.log2(clock.bpm / USUAL_BPM), np.float32)
        return np.concatenate([summaries.reshape(1, -1), tempo], 1)


def load_bar_model(path: Path | None = None, threads: int = 1) -> BarModel:
    """Return the bar network of a file, or the one that ships. Every failure is a ModelError."""
    return BarModel(Graph(path or shipped.path() / FOLDER / NAME, threads=threads))
