"""How loud each semitone of the sound is, kept so that it can be asked for by sixteenths.

It tells what posteriors leave out: how an instrument sounds, and so which one plays. Shapes: T
frames, S steps (sixteenths), N = 97 semitones from A0 on, three bins of the front end each.
Not here: where the steps lie (the beat clock), what is made of it (``engine.accompany.strikes``).
"""

import math

import numpy as np
from numpy.typing import NDArray

from engine.beat.steps.gathering import KEPT_S, Times, over_windows, windows
from models.spec import FeatureSpec

Array = NDArray[np.float32]

N_SEMITONES, BINS = 97, 3
RANGE = 12.0  # of natural logarithms, above the front end's floor
HALVES = 2


def has_semitones(features: FeatureSpec) -> bool:
    """Return whether a front end has three bins a semitone."""
    return features.n_bins == BINS * N_SEMITONES


def semitones(rows: Array, log_floor: float) -> Array:
    """Return how loud each semitone is, (T, 97) in [0, 1], of features (T, 291)."""
    loudest = rows.reshape(len(rows), N_SEMITONES, BINS).max(2)
    return np.asarray(np.clip((loudest - math.log(log_floor)) / RANGE, 0, 1), np.float32)


def gather_sound(sound: Array, frame_s: float, steps: Times) -> Array:
    """Return how loud each semitone is on each step but the last, (S - 1, 2, 97).

    The mean of the half step before it, and of the half after it.

    Parameters
    ----------
    sound
        (T, 97), row t at t * frame_s seconds.
    frame_s
        Seconds of a frame.
    steps
        (S,) seconds of the steps, rising; the last one ends the one before.
    """
    around, after = windows(steps, frame_s)
    means = []
    for half in (np.stack([around[:, 0], after[:, 0]], 1), after):
        n_frames = np.maximum(np.minimum(half[:, 1], len(sound)) - half[:, 0], 1)
        means.append(over_windows(np.add, sound, half) / n_frames[:, None].astype(np.float32))
    return np.stack(means, 1)


class SoundGatherer:
    """Keeps the last seconds of a sound; of a front end without semitones, nothing.

    Parameters
    ----------
    features
        Of the front end.
    """

    def __init__(self, features: FeatureSpec) -> None:
        self._frame_s, self._log_floor = features.frame_s, features.log_floor
        self._is_deaf = not has_semitones(features)
        self._n_kept = round(KEPT_S / features.frame_s)
        self._rows = np.zeros((2 * self._n_kept, N_SEMITONES), np.float32)
        self.begin(0.0)

    def begin(self, first_frame: float) -> None:
        """Begin anew, with a frame that is centred at ``first_frame`` s."""
        self._first = round(first_frame / self._frame_s)
        self._n = 0

    def push(self, features: Array) -> None:
        """Take the next frames (k, F)."""
        if not self._is_deaf and len(features):
            self._keep(semitones(features, self._log_floor))

    def skip(self, n_frames: int) -> None:
        """Take that so many frames were passed over; they count as silent."""
        self._keep(np.zeros((min(n_frames, len(self._rows)), N_SEMITONES), np.float32))
        self._first += max(n_frames - len(self._rows), 0)

    def on_steps(self, steps: Times) -> Array:
        """Return the sound on steps (S,) seconds but the last, (S - 1, 2, 97), zero where unknown.

        As ``gather_sound`` has it.
        """
        if not self._n:
            return np.zeros((len(steps) - 1, HALVES, N_SEMITONES), np.float32)
        since = self._first * self._frame_s
        return gather_sound(self._rows[: self._n], self._frame_s, steps - since)

    def _keep(self, rows: Array) -> None:
        for row in rows:
            if self._n == len(self._rows):
                self._rows[: self._n_kept] = self._rows[-self._n_kept :]
                self._first += self._n - self._n_kept
                self._n = self._n_kept
            self._rows[self._n] = row
            self._n += 1
