"""How loud the player is against what was usual: by how much the accompanist plays louder.

Not here: how loud the accompanist's notes are among each other (``accompanist``).
"""

import math

NOW_S = 0.7  # over which the present level is averaged
USUAL_S = 15.0
AUDIBLE = 1e-7  # mean square from which on there is music: -70 dBFS
MOST_DB = 9.0
DB_PER_DECADE = 40.0
"""Of velocity: a piano's level goes with the square of MIDI velocity (Dannenberg, ICMC 2006)."""


class LoudnessFollower:
    """Follows the level of a stream, piece by piece."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a new stream."""
        self._seconds = 0.0  # of music
        self._now = self._usual = 0.0

    def push(self, mean_square: float, seconds: float) -> None:
        """Take the mean square of the next ``seconds``; silence leaves all as it is."""
        if mean_square < AUDIBLE:
            return
        self._seconds += seconds
        for name, span in (("_now", NOW_S), ("_usual", USUAL_S)):
            share = seconds / min(self._seconds, span)
            before = getattr(self, name)
            setattr(self, name, before + min(share, 1.0) * (mean_square - before))

    @property
    def factor(self) -> float:
        """What velocities are multiplied by: 1 where the player is as loud as usual."""
        if not self._usual:
            return 1.0
        db = 10 * math.log10(self._now / self._usual)
        return float(10 ** (min(max(db, -MOST_DB), MOST_DB) / DB_PER_DECADE))
