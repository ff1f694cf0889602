"""What was heard, gathered by sixteenth: the form in which the accompanist listens.

Shapes: T frames, S steps (sixteenths), P = 88 pitches. A step's onsets are those from half a step
before it to half a step after it; what sounds on it is taken from the half after it alone, so that
nothing of the chord before is left in it. A step is complete half a step after it began.
Not here: where the steps lie (the beat clock), the models that hear.
"""

import numpy as np
from numpy.typing import NDArray

from models.spec import N_PITCHES

Array = NDArray[np.float32]
Times = NDArray[np.floating]

CHANNELS = 2  # onset, frame


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
