"""Where bars begin, by what the cover's model hears: a network on the posteriors of each beat.

It is asked once a beat, as soon as the posteriors of the beat's last sixteenth are there. How fast
the song is, it is asked of the same beats counted twice and half as fast, too: each count is
another look at the same question, and it mistakes few of them at once. Not here: the beat itself,
what is made of the answer (``tracker``). Belongs to the worker thread.
"""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.beat.activations import FOLDER
from engine.beat.clock import BeatClock
from engine.beat.steps.attacks import N_BANDS, AttackGatherer
from engine.beat.steps.gathering import StepGatherer
from engine.beat.steps.summary import SUMMARY_DIM, summarise
from engine.core.errors import ModelError
from engine.core.tempo import BeatState
from engine.model.graph import Graph
from models import shipped

Array = NDArray[np.float32]
Heard = Callable[[list[float], float], Array]  # beats (n, 201) at times, of a tempo

NAME = "bar.onnx"
STEPS = 4  # of a beat
STEP_DIM = SUMMARY_DIM + N_BANDS
FINE_STEPS = 2 * STEPS  # of a beat that is counted as two
BEAT_DIM = STEPS * STEP_DIM + 1
USUAL_BPM = 90.0
LEVELS = (0.5, 2 / 3, 0.75, 1.0, 4 / 3, 1.5, 2.0)
"""How many times faster than the song's the beats may be."""
RIGHT = LEVELS.index(1.0)
HALF, TWICE = LEVELS.index(0.5), LEVELS.index(2.0)
SLOWEST_BPM, FASTEST_BPM = 48.0, 215.0  # of the beats that the network learns from
OTHER_BEATS = 1.25  # from which on beats are other beats: the network begins anew
_INPUTS, _OUTPUTS = ("beats", "state"), ("downbeat", "level", "next_state")


class BarModel:
    """The exported bar network.

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
        n_levels = self.step(np.zeros((1, BEAT_DIM), np.float32))[1].shape[1]
        if n_levels != len(LEVELS):
            raise ModelError(
                f"{graph.path} knows {n_levels} levels of a beat, not {len(LEVELS)}: train and"
                " export it with this version of livecover"
            )

    def step(self, beats: Array, state: Array | None = None) -> tuple[Array, Array, Array]:
        """Return the logits that beats (T, 201) are downbeats (T,), of their levels (T, 7), state.

        ``state`` is what was returned of the beats before; None: there were none.
        """
        if state is None:
            state = self._graph.zeros("state").numpy()
        inputs = {"beats": beats[None], "state": state}
        downbeat, level, after = self._graph.run(inputs, _OUTPUTS)
        return np.asarray(downbeat[0]), np.asarray(level[0]), after


class BeatInBar(NamedTuple):
    """What the network finds of a beat of the clock."""

    beat: int
    downbeat: float  # log odds
    level: Array  # (7,) log odds of ``LEVELS`` against the right one, by all counts
    is_first: bool  # of beats that are other beats than before


class BarTracker:
    """Asks the network about each beat of a clock, in order.

    Parameters
    ----------
    model
        The network.
    """

    def __init__(self, model: BarModel) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Begin a new stream."""
        self._period = math.inf
        self._begin_at(None)

    def _begin_at(self, beat: int | None) -> None:
        """Ask about ``beat`` next, as the first one."""
        self._next, self._is_first = beat, True
        self._states: dict[str, Array] = {}  # of the network, by count
        self._before: list[float] = []  # times of the beat before
        self._slow_odds: dict[str, float] = {}  # that the song is half as fast, by slow count

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
            self._begin_at(newest)
        self._period = clock.period
        heard = partial(_beats_between, gatherer=gatherer, attacks=attacks)
        found = []
        while self._next is not None and self._next <= newest:
            times = [
                clock.heard_time_of(self._next + k / FINE_STEPS) for k in range(FINE_STEPS + 1)
            ]
            if times[-1] > gatherer.until:
                break
            found.append(self._ask(self._next, times, clock.bpm, heard))
            self._next, self._is_first, self._before = self._next + 1, False, times
        return found

    def _ask(self, beat: int, times: list[float], bpm: float, heard: Heard) -> BeatInBar:
        """Return what is found of a beat whose fine steps begin at ``times`` (9,), with its end."""
        downbeat, level = self._step("own", heard(times[::2], bpm))
        odds = level - level[RIGHT]
        if 2 * bpm <= FASTEST_BPM:
            _, fast = self._step("fast", heard(times, 2 * bpm))
            odds[HALF] += fast[RIGHT] - fast[TWICE]
        if self._before and bpm / 2 >= SLOWEST_BPM:
            count = f"slow {beat % 2}"  # either of the two may be the song's
            _, slow = self._step(count, heard(self._before[:-1:4] + times[::4], bpm / 2))
            self._slow_odds[count] = float(slow[RIGHT] - slow[HALF])
            odds[TWICE] += max(self._slow_odds.values())
        return BeatInBar(beat, downbeat, odds, self._is_first)

    def _step(self, count: str, beats: Array) -> tuple[float, Array]:
        """Return the logits of beats (n, 201) of a count, the mean: a downbeat, levels (7,)."""
        downbeat, level, self._states[count] = self._model.step(beats, self._states.get(count))
        return float(downbeat.mean()), level.mean(0)


def _beats_between(
    times: list[float], bpm: float, gatherer: StepGatherer, attacks: AttackGatherer
) -> Array:
    """Return the input (n, 201) of beats whose sixteenths begin at ``times`` (4 n + 1,)."""
    steps = np.array(times)
    summaries = [summarise(gatherer.gather_all(steps)), attacks.gather(steps)]
    rows = np.concatenate(summaries, 1).reshape(-1, BEAT_DIM - 1)
    tempo = np.full((len(rows), 1), np.log2(bpm / USUAL_BPM), np.float32)
    return np.concatenate([rows, tempo], 1)


def load_bar_model(path: Path | None = None, threads: int = 1) -> BarModel:
    """Return the bar network of a file, or the one that ships. Every failure is a ModelError."""
    return BarModel(Graph(path or shipped.path() / FOLDER / NAME, threads=threads))
