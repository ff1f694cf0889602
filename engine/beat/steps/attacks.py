"""Attacks by band: how far features rise above what was there shortly before, drums above all.

The bar network takes them beside the posteriors, which hear no drums. Shapes: n frames, F bins of
a log-frequency front end, bands (n, 6). Belongs to the worker thread.
"""

import numpy as np
from numpy.typing import NDArray

from engine.beat.steps.gathering import over_windows, windows

Array = NDArray[np.float32]
Times = NDArray[np.floating]

N_BANDS = 6
RISE_FRAMES = 2
KEPT_S = 16.0
BLOCK = 64
"""Frames that are worked on together, unless somebody asks before: each call has its cost."""


def attacks(features: Array) -> Array:
    """Return the attacks (n - 2, 6) of features (n, F), from the third frame on.

    A bin rises by what it exceeds the loudest of its neighbourhood two frames ago (SuperFlux, Böck
    and Widmer, DAFx 2013); a band is the mean of its bins.
    """
    past = np.pad(features[:-RISE_FRAMES], ((0, 0), (1, 1)), mode="edge")
    before = np.maximum(np.maximum(past[:, :-2], past[:, 1:-1]), past[:, 2:])
    rises = np.maximum(features[RISE_FRAMES:] - before, 0.0)
    bands = np.array_split(rises, N_BANDS, axis=1)
    return np.stack([band.sum(1) / max(band.shape[1], 1) for band in bands], 1)


def gather_attacks(rows: Array, frame_s: float, steps: Times) -> Array:
    """Return the strongest attacks of each step but the last, (S - 1, 6).

    As ``gathering.gather_steps`` has onsets: from half a step before it to half a step after it.

    Parameters
    ----------
    rows
        (n, 6) of frames at 0, frame_s, ... seconds.
    frame_s
        Seconds of a frame.
    steps
        (S,) seconds of the steps, rising; the last one ends the one before.
    """
    around, _ = windows(steps, frame_s)
    return over_windows(np.maximum, rows, around)


class AttackGatherer:
    """Keeps the attacks of the last features.

    Parameters
    ----------
    frame_s
        Seconds of a frame.
    """

    def __init__(self, frame_s: float) -> None:
        self.frame_s = frame_s
        self._n_kept = round(KEPT_S / frame_s)
        self.reset()

    def reset(self, start: float = 0.0) -> None:
        """Begin a new stream with a frame at ``start`` s."""
        self._start = start
        self._rows = np.zeros((0, N_BANDS), np.float32)
        self._held: list[Array] = []  # features (n, F) that were not worked on
        self._n_held = 0
        self._past: Array | None = None  # the frames before, that those may rise above

    def push(self, features: Array) -> None:
        """Take the next features (n, F); nothing rises in the first frames of a stream."""
        if len(features):
            self._held.append(features)
            self._n_held += len(features)
        if self._n_held >= BLOCK:
            self._work()

    def skip(self, n_frames: int) -> None:
        """Pass over frames that nobody heard."""
        self._work()
        self._past = None
        self._append(np.zeros((n_frames, N_BANDS), np.float32))

    def _work(self) -> None:
        """Append the attacks of the features that are held."""
        if not self._held:
            return
        if self._past is None:
            self._past = np.repeat(self._held[0][:1], RISE_FRAMES, 0)
        features = np.concatenate([self._past, *self._held])
        self._held, self._n_held = [], 0
        self._past = features[-RISE_FRAMES:]
        self._append(attacks(features))

    def gather(self, steps: Times) -> Array:
        """Return the strongest attacks (S - 1, 6) of steps (S,) seconds; 0 of what it knows not.

        The last of ``steps`` ends the one before.
        """
        self._work()
        return np.asarray(gather_attacks(self._rows, self.frame_s, steps - self._start))

    def _append(self, rows: Array) -> None:
        rows = np.concatenate([self._rows, rows])
        n_forgotten = max(len(rows) - self._n_kept, 0)
        self._rows, self._start = rows[n_forgotten:], self._start + n_forgotten * self.frame_s
