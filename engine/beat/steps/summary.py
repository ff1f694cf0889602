"""A summary of the posteriors of a step: its harmony, and how much sounds where.

Shapes: S steps, P = 88 pitches, posteriors (S, P, 2) as ``gathering`` has them.
"""

import numpy as np
from numpy.typing import NDArray

from engine.core.chroma import bass_of, fold
from models.spec import N_PITCHES

Array = NDArray[np.float32]

SUMMARY_DIM = 44
HARMONY_DIM = 36  # of a summary: chroma of what sounds, of what is struck, and the bass
_BANDS = (0, 22, 36, 50, N_PITCHES)  # borders of four registers
_MOST = 3.0


def summarise(posteriors: Array) -> Array:
    """Return the summary (S, 44): three chromas of 12, then loudness struck and held by register.

    >>> summarise(np.zeros((3, 88, 2), np.float32)).shape
    (3, 44)
    """
    struck, held = posteriors[..., 0], posteriors[..., 1]
    bands = [
        kind[:, low:high].sum(1) / 2
        for kind in (struck, held)
        for low, high in zip(_BANDS, _BANDS[1:], strict=False)
    ]
    chromas = [fold(held), fold(struck), bass_of(held + struck)]
    rows = np.concatenate([*chromas, np.stack(bands, 1)], 1)
    return np.asarray(np.minimum(rows, _MOST), np.float32)
