"""What is struck on a step, told by the passage around it: for who plays later than it hears.

Not here: the network (``engine.accompany.strikes``), what is played of it (``on_beat``).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.accompany.step_writer import StepWriter
from engine.accompany.strikes import CHANNELS, StrikeModel
from engine.beat.steps.sound import HALVES, N_SEMITONES
from engine.cover.hearing import CoverHearing
from models.spec import N_PITCHES

Array = NDArray[np.float32]

STEPS_BEFORE = 128
MOST_STEPS_AFTER = 96
LEAST_KNOWN = 2  # steps, from the one that is asked for on
KEPT_SHARE = 0.5  # of the steps ahead, that are answered at once
LATE_SHARE = 0.7  # of what is likely on the step before: a singer may be late for it
MEMORY = 64  # notes of the tune, by which it is known how likely they are
LEAST_SHARE, LEAST_POWER = 0.05, 1.5  # of that, below which there is no note


class StepStrikes(NamedTuple):
    """How likely each key (88,) is struck on a step."""

    tune: Array
    accompaniment: Array


class TuneJudge:
    """Says which notes that were heard as the tune's are: those that the passage finds likely.

    Of a singer unlike those that it knows the network finds little likely. So what is too unlikely
    is measured by how likely the tune's notes were of late.
    """

    def __init__(self) -> None:
        self._usual: float | None = None

    def is_note(self, key: int, read: StepStrikes, before: StepStrikes | None) -> bool:
        """Return whether a key (0 to 87) that was heard is struck, by a step and the one before it.

        A singer may be late for the step before.
        """
        late = 0.0 if before is None else LATE_SHARE * float(before.tune[key])
        likely = max(float(read.tune[key]), late)
        usual = likely if self._usual is None else self._usual
        self._usual = usual + (likely - usual) / MEMORY
        return likely >= LEAST_SHARE * math.pow(self._usual, LEAST_POWER)


class PassageReader:
    """Reads the steps that a writer writes, with those before and after them.

    Parameters
    ----------
    model
        The strike network.
    writer
        Knows when steps fall.
    hearing
        What was heard.

    Attributes
    ----------
    is_over
        Whether nothing comes after what was heard.
    """

    def __init__(self, model: StrikeModel, writer: StepWriter, hearing: CoverHearing) -> None:
        self._model, self._writer, self._hearing = model, writer, hearing
        # The longest passage takes the network's memory, and its slow first run, before a song.
        n = STEPS_BEFORE + 1 + MOST_STEPS_AFTER
        heard, sound = np.zeros((n, CHANNELS, N_PITCHES)), np.zeros((n, HALVES, N_SEMITONES))
        model.read(heard.astype(np.float32), sound.astype(np.float32), np.zeros(n, np.int64))
        self.is_over = False
        self._kept: dict[int, StepStrikes] = {}
        self._passage = writer.n_begun

    def on_step(self, step: int) -> StepStrikes | None:
        """Return what is struck on a step; None where too little of it was heard yet.

        What is said of a step once is not taken back, as long as the beat goes on.
        """
        if self._passage != self._writer.n_begun:
            self._kept.clear()
            self._passage = self._writer.n_begun
        if step not in self._kept:
            self._read(step)
        return self._kept.get(step)

    def _read(self, step: int) -> None:
        """Answer a step and some after it, if it is heard."""
        times = self._times(step)
        first, n = max(step - STEPS_BEFORE, self._writer.first), len(times) - 1
        n_ahead = first + n - step
        if n_ahead < (1 if self.is_over else LEAST_KNOWN):
            return
        heard = self._hearing.on_steps(times)
        places = np.array([self._writer.place_of(first + k) for k in range(n)])
        sound = self._hearing.sound.on_steps(times)
        tune, accompaniment = self._model.read(heard, sound, places)
        for k in range(step - first, step - first + max(round(KEPT_SHARE * n_ahead), 1)):
            self._kept[first + k] = StepStrikes(tune[k], accompaniment[k])
        for old in [old for old in self._kept if old < step - STEPS_BEFORE]:
            del self._kept[old]

    def _times(self, step: int) -> NDArray[np.float64]:
        """Return the seconds of the steps of a step's passage, and of the one behind the last."""
        writer = self._writer
        first = max(step - STEPS_BEFORE, writer.first)
        times = [writer.time_of(k) for k in range(first, step + 1)]
        for k in range(step + 1, step + MOST_STEPS_AFTER + 2):
            times.append(writer.time_of(k))
            if (times[-2] + times[-1]) / 2 > self._hearing.until and not self.is_over:
                times.pop()
                break
            if self.is_over and times[-2] > self._hearing.until:
                break
        steps = np.array(times)
        return np.asarray(np.maximum.accumulate(steps + 1e-6 * np.arange(len(steps))), np.float64)
