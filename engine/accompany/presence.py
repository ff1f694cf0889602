"""Whether there is anybody to accompany: who listens first, rests with the player, comes in again.

Told by what was heard, step by step. Not here: what is heard (``gathering``), the beat.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

ONSET, FRAME = 0.2, 0.35
"""Posteriors from which somebody plays: steps of songs lie above, noise and a quiet room below."""


class Presence:
    """Counts steps with and without music."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew: nobody was heard."""
        self.n_listened = 0
        """Steps since the first with music."""
        self.n_silent = 0
        """Steps since the last with music."""

    def hear(self, row: Array) -> None:
        """Take what was heard on the next step, (88, 2)."""
        is_music = bool(row[:, 0].max() >= ONSET or row[:, 1].max() >= FRAME)
        self.n_silent = 0 if is_music else self.n_silent + 1
        if is_music or self.n_listened:
            self.n_listened += 1
