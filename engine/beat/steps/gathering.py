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
Windows = NDArray[np.integer]

CHANNELS = 2  # onset, frame
KEPT_S = 16.0  # at the least, before a beat is found


def gather_steps(
    onset: Array, frame: Array, frame_s: float, steps: Times, share: float = 0.5
) -> Array:
    """Return what was heard on each step but the last, (S - 1, P, 2): onset and frame in [0, 1].

    Parameters
    ----------
    onset, frame
        (T, P) posteriors, row t at t * frame_s seconds.
    frame_s
        Seconds of a frame.
    steps
        (S,) seconds of the steps, rising; the last one ends the one before.
    share
        Of each step, up to which it was heard by then; from half of it on it is complete.
    """
    around, after = windows(steps, frame_s)
    if share < 0.5:  # noqa: PLR2004
        known = np.ceil((steps[:-1] + share * np.diff(steps)) / frame_s - 1e-6).astype(int)
        around[:, 1] = after[:, 1] = np.clip(known, after[:, 0], after[:, 1])
    struck = over_windows(np.maximum, onset, around)
    sounding = over_windows(np.add, frame, after)
    n_frames = np.maximum(np.minimum(after[:, 1], len(frame)) - after[:, 0], 1)
    return np.stack([struck, sounding / n_frames[:, None].astype(np.float32)], -1)


def windows(steps: Times, frame_s: float) -> tuple[Windows, Windows]:
    """Return the frames around each step but the last, and those of its first half.

    Both (S - 1, 2): the first frame, and the one behind the last.
    """
    middles = (steps[1:] + steps[:-1]) / 2
    first = 2 * steps[0] - middles[0]
    times = np.stack([np.concatenate([[first], middles[:-1]]), steps[:-1], middles], 1)
    frames = np.maximum(np.ceil(times / frame_s - 1e-6), 0).astype(int)
    return frames[:, ::2], frames[:, 1:]


def over_windows(reduce: np.ufunc, rows: Array, frames: Windows) -> Array:
    """Return what ``reduce`` makes of the rows (T, D) of each window (W, 2), 0 of none, (W, D)."""
    begin, end = int(frames.min()), int(frames.max())
    part = rows[begin:end]
    there = np.minimum(frames - begin, len(part))
    padded = np.concatenate([part, np.zeros((1, rows.shape[1]), np.float32)])
    found = reduce.reduceat(padded, there.ravel(), axis=0)[::2]
    return np.asarray(np.where(there[:, :1] < there[:, 1:], found, 0), np.float32)


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

    @property
    def rows(self) -> Array:
        """What it knows, (2, n, 88): onset and frame of the frames from ``since`` on."""
        return self._rows[:, : self._n]

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
        return np.asarray(self.gather_all(np.array([begin, end]))[0])

    def gather_all(self, steps: Times) -> Array:
        """Return what was heard on steps (S,) seconds, but the last, (S - 1, 88, 2).

        What is not known, or not any more, is silent.
        """
        onset, frame = self.rows
        return gather_steps(onset, frame, self.frame_s, steps - self.since)

    def _next_row(self) -> Array:
        """Return the row (2, 88) of the next frame, to write into; the oldest may be forgotten."""
        if self._n == self._rows.shape[1]:
            kept = self._rows[:, -self._n_kept :].copy()
            self._first, self._n = self._first + self._n - self._n_kept, self._n_kept
            self._rows[:, : self._n] = kept
        self._n += 1
        return self._rows[:, self._n - 1]
