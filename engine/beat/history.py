"""The beat as it was: for who plays by a constant latency later, and so knows what came after.

Where a beat was, is known best a little after it; and that there was one, some seconds after it
began. The more of the latency is left to wait, the more of that counts. Positions never go back.

Times are seconds of the stream, positions beats as the clock counts them.
"""

import math
from bisect import bisect_left

from engine.beat.clock import BeatClock
from engine.core.tempo import BeatState

SETTLED_S = 0.4  # after a time, when the clock knows its position best: it errs from beat to beat
JOINED_S = 0.1  # between two times of one passage, at the most
KEPT_S = 2.0  # before what is due


class BeatHistory:
    """A clock's past; to who asks at ``due`` it is the clock. Belongs to one thread."""

    def __init__(self, clock: BeatClock) -> None:
        self._clock = clock
        self._due = 0.0
        self._times: list[float] = []
        self._positions: list[float] = []
        self._periods: list[float] = []  # seconds a beat
        self._begins: list[bool] = []  # whether a passage with a beat begins here

    def hear(self, newest: float, due: float) -> None:
        """Take that the clock is at ``newest``, and what is ``due`` is asked next; in order."""
        self._due = due
        clock, at = self._clock, max(due, newest - SETTLED_S)
        last = self._times[-1] if self._times else -math.inf
        if clock.state is not BeatState.LOST and at > last:
            if at - last > JOINED_S:
                self._begin(max(due, last))
            self._add(at, clock.heard_position(at), begins=False)
        n_old = bisect_left(self._times, due - KEPT_S) - 1
        if n_old > 0:
            for kept in (self._times, self._positions, self._periods, self._begins):
                del kept[:n_old]

    @property
    def state(self) -> BeatState:
        """Whether there was a beat."""
        k = bisect_left(self._times, self._due)
        if k == len(self._times):
            return self._clock.state
        is_between = k == 0 or self._begins[k]
        return BeatState.LOST if is_between else BeatState.LOCKED

    @property
    def metre(self) -> int:
        """Beats a bar."""
        return self._clock.metre

    @property
    def period(self) -> float:
        """Seconds a beat; infinite before a beat was found."""
        k = bisect_left(self._times, self._due)
        return self._periods[k] if k < len(self._times) else self._clock.period

    def position(self, time: float) -> float:
        """Return the beats at a time."""
        k = bisect_left(self._times, time)
        if not self._times:
            return self._clock.heard_position(time)
        if k == len(self._times):
            return self._positions[-1] + (time - self._times[-1]) / self._clock.period
        if k == 0:
            return self._positions[0] - (self._times[0] - time) / self._periods[0]
        pace = (self._positions[k] - self._positions[k - 1]) / (self._times[k] - self._times[k - 1])
        return self._positions[k - 1] + (time - self._times[k - 1]) * pace

    def time_of(self, position: float) -> float:
        """Return the seconds of a position."""
        k = bisect_left(self._positions, position)
        if not self._times:
            return self._clock.heard_time_of(position)
        if k == len(self._times):
            return self._times[-1] + (position - self._positions[-1]) * self._clock.period
        if k == 0:
            return self._times[0] - (self._positions[0] - position) * self._periods[0]
        beats = self._positions[k] - self._positions[k - 1]
        pace = (self._times[k] - self._times[k - 1]) / beats
        return self._times[k - 1] + (position - self._positions[k - 1]) * pace

    def beat_in_bar(self, beat: int) -> int:
        """Return which beat of its bar a beat is, from 0."""
        return self._clock.beat_in_bar(beat)

    def _begin(self, earliest: float) -> None:
        """Begin a passage as early as is still due, and positions allow."""
        clock = self._clock
        begin = earliest
        if self._positions:
            begin = max(begin, clock.heard_time_of(self._positions[-1]))
        self._add(begin, clock.heard_position(begin), begins=True)

    def _add(self, time: float, position: float, begins: bool) -> None:
        if self._times and time <= self._times[-1]:
            return
        last = self._positions[-1] if self._positions else -math.inf
        self._times.append(time)
        self._positions.append(max(position, last))
        self._periods.append(self._clock.period)
        self._begins.append(begins)
