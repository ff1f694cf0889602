"""Notes of a tune that begin without an attack: a singer slides or slurs from note to note.

Nothing is struck there, so no onset has a peak; but a key that was not the tune's is it from one
frame to the next. Pure; shapes: 88 keys a row. Not here: what becomes of them (``decoder``).
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]  # (88,)

LIKELIHOOD = 0.9
"""Least probability that a key sounds and is the tune's, in thresholds of an onset."""
SILENT_SHARE = 0.8
"""Share of that below which the key was before."""
RISE_FRAMES = 2
"""Frames in which it rises, at most."""
SILENT_FRAMES = 9
"""Frames before them in which the key was not the tune's."""
LEAST = 0.02
"""Threshold of an onset, at the least."""
TOP_SHARE = 0.8
"""Of the likeliest key's probability: a tune has one voice."""


class SlurDetector:
    """Says in which frame a key becomes the tune's, one frame after it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a new stream; nothing is known of what was before, so no key begins at once."""
        n_rows = SILENT_FRAMES + RISE_FRAMES + 1
        self._rows = deque([np.ones(88, np.float32)] * n_rows, n_rows)

    def push(self, frame: Row, melody: Row, threshold: float) -> NDArray[np.bool_]:
        """Return the keys (88,) that became the tune's in the frame before this one.

        Parameters
        ----------
        frame, melody
            Probabilities (88,) that each key sounds, and that what sounds is the tune.
        threshold
            Of an onset.
        """
        self._rows.append(frame * melody)
        *before, now, after = self._rows
        likely = LIKELIHOOD * max(threshold, LEAST)
        held = np.minimum(now, after)
        was_silent = np.max(before[:SILENT_FRAMES], axis=0) < SILENT_SHARE * likely
        begun: NDArray[np.bool_] = was_silent & (held >= likely) & (held >= TOP_SHARE * held.max())
        return begun
