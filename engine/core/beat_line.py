"""A position in beats over time, as a line with one bend: how one tempo passes over to another."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BeatLine:
    """Position over time: straight to a knot, straight on at the tempo after it.

    Times are seconds, positions beats, ``period`` seconds a beat.

    >>> line = BeatLine(0.0, 0.0, 1.0, 1.5, 0.5)
    >>> line.at(0.5), line.at(1.5), line.when(2.5)
    (0.75, 2.5, 1.5)
    """

    time: float = 0.0
    position: float = 0.0
    knot_time: float = 0.0
    knot_position: float = 0.0
    period: float = math.inf

    def at(self, time: float) -> float:
        """Return the position at a time."""
        if time >= self.knot_time or self.knot_time <= self.time:
            return self.knot_position + (time - self.knot_time) / self.period
        pace = (self.knot_position - self.position) / (self.knot_time - self.time)
        return self.position + (time - self.time) * pace

    def when(self, position: float) -> float:
        """Return the time of a position."""
        if position >= self.knot_position or self.knot_time <= self.time:
            return self.knot_time + (position - self.knot_position) * self.period
        pace = (self.knot_position - self.position) / (self.knot_time - self.time)
        return self.time + (position - self.position) / pace
