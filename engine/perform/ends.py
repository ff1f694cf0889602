"""Where a note ended that is known to be over.

A probability falls late and slowly: a string rings on when its key is up, and what hears it is in
doubt for a while. So that a quaver of doubt ends no note, a note is over once its probability is
low; it ended where that was last high. Pure; shapes: 88 keys a row.
Not here: when a note is over (``decoder``).
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]  # (88,)

LONGEST = 6
"""Rows before the one in which a note is over, in which its end is looked for."""
LEAST = 1
"""Rows by which an end is dated back where there is no time to wait: computing leaves as much."""


class EndFinder:
    """Keeps the last rows of what sounds, and says how long ago a note ended."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, after silence."""
        self._rows = deque([np.zeros(88, np.float32)] * (LONGEST + 1), LONGEST + 1)

    def push(self, frame: Row) -> None:
        """Take the probabilities (88,) that each key sounds in the next row."""
        self._rows.append(frame)

    def rows_back(self, pitch: int, level: float, most: int) -> int:
        """Return how many rows before the newest a key (0 to 87) was last at ``level``.

        At most ``most``, and at least 1, since it is not now.
        """
        for back in range(1, min(most, LONGEST) + 1):
            if self._rows[-1 - back][pitch] >= level:
                return back
        return min(most, LONGEST)
