"""Posteriors gathered by sixteenth: the form in which bar tracker and accompanist take them.

Shapes: T frames, S steps (sixteenths), P = 88 pitches. A step's onsets are those from half a step
before it to half a step after it; what sounds on it is taken from the half after it alone, so that
nothing of the chord before is left in it. A step is complete half a step after it began.
Not here: where the steps lie (the beat clock), the models that hear.
"""

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import Posteriors
from models.spec import N_PITCHES

Array = NDArray[np.float32]
Times = NDArray[np.floating]

CHANNELS = 2  # onset, frame
KEPT_S = 16.0  # at the least, before a beat is found


def gather_steps(onset: Array, frame: Array, frame_s: float, steps: Times) -> Array:
    """Return what was heard on each step but the last, (S - 1, P, 2): onset and frame in [0, 1].

    Parameters
    ----------
    onset, frame
        (T, P) posteriors, row t at t * frame_s seconds.
    frame_s
        Seconds of a frame.
    steps
        (S,) seconds of the steps, rising; the last one ends the one before.
    """
    middles = (steps[1:] + steps[:-1]) / 2
    first = 2 * steps[0] - middles[0]
    edges = np.concatenate([[first], middles])
    heard = np.zeros((len(middles), N_PITCHES, CHANNELS), np.float32)
    for k, (before, begin, after) in enumerate(zip(edges, steps, edges[1:], strict=False)):
        low, start, stop = (
            max(int(np.ceil(time / frame_s - 1e-6)), 0) for time in (before, begin, after)
        )
        if low < stop and low < len(onset):
            heard[k, :, 0] = onset[low:stop].max(0)
        if start < stop and start < len(frame):
            heard[k, :, 1] = frame[start:stop].mean(0)
    return heard


class StepGatherer:
    """Gathers posteriors as they come, and says what was heard on a step once that is known.

    Parameters
    ----------
    frame_s
        Seconds of a frame.
    """

    def __init__(self, frame_s: float) -> None:
        self.frame_s = frame_s
        self._n_kept = round(KEPT_S / frame_s)
        self._rows = np.zeros((CHANNELS, 2 * self._n_kept, N_PITCHES), np.float32)
        self.reset()

    def reset(self) -> None:
        """Begin a new stream at frame 0."""
        self._first = 0  # frame of the first row
        self._n = 0  # rows

    @property
    def since(self) -> float:
        """Seconds from which on it knows what was heard."""
        return self._first * self.frame_s

    @property
    def until(self) -> float:
        """Seconds up to which it knows what was heard."""
        return (self._first + self._n) * self.frame_s

    def push(self, posteriors: Posteriors) -> None:
        """Take the next frames; those that were left out were silent."""
        for frame, onset, sounding in zip(
            posteriors.frames.tolist(), posteriors.onset, posteriors.frame, strict=True
        ):
            self.skip_to(frame)
            row = self._next_row()
            row[0], row[1] = onset, sounding

    def skip_to(self, frame: int) -> None:
        """Take that the frames before ``frame`` that did not come were silent."""
        if frame - self._first - self._n > self._n_kept:
            self._first, self._n = frame - self._n_kept, 0
        while self._first + self._n < frame:
            self._next_row()[:] = 0

    def gather(self, begin: float, end: float, so_far: bool = False) -> Array | None:
        """Return what was heard on the step from ``begin`` to ``end``, (88, 2).

        None where that is not known yet, or nothing of it where it may be incomplete.
        """
        if (begin if so_far else (begin + end) / 2) > self.until:
            return None
        onset, frame = self._rows[:, : self._n]
        steps = np.array([begin, end]) - self.since
        return np.asarray(gather_steps(onset, frame, self.frame_s, steps)[0])

    def _next_row(self) -> Array:
        """Return the row (2, 88) of the next frame, to write into; the oldest may be forgotten."""
        if self._n == self._rows.shape[1]:
            kept = self._rows[:, -self._n_kept :].copy()
            self._first, self._n = self._first + self._n - self._n_kept, self._n_kept
            self._rows[:, : self._n] = kept
        self._n += 1
        return self._rows[:, self._n - 1]
