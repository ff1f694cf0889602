"""A tempo and bar lines from MIDI clock: 24 ticks a quarter note, start, stop and song position.

Ticks come with the jitter of their port: JACK gives all ticks of a cycle at once, up to 23 ms late.
The tempo is the slope of a line through a window of ticks, those left out that lie far from it; the
window is as long as the tempo stays, up to ``MAX_TICKS``. Host times are monotonic seconds; all
on one thread.
Not here: what is done with it.
"""

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.core.tempo import Tempo

PPQN = 24
TICKS_PER_SIXTEENTH = 6
MIN_TICKS, MAX_TICKS = 48, 384
"""Ticks after which a tempo may be told, and on which it rests at most: two beats, sixteen."""
SURE = 1e-3
"""Standard error of a tempo, as a share of it, from which on it is told: 0.12 at 120."""
EVERY = 6  # ticks from one look at the tempo to the next, at least
FAR = 4.0  # times the median distance from the line, from which a tick is left out
RECENT = 12  # ticks that, beside the line, tell another tempo
BURST_S = 0.002  # ticks nearer than this came at once: more of them may be on the way
GAP_S = 1.0  # without a tick the clock has stopped; a busy machine holds ticks up for less
MIN_BPM, MAX_BPM = 20.0, 400.0


class ClockIn:
    """MIDI clock as it comes in."""

    def __init__(self) -> None:
        self.is_running = False
        """Whether the song goes on, between start or continue and stop."""
        self._ticks: deque[float] = deque(maxlen=MAX_TICKS)
        self._n_unseen = 0  # ticks since the last look
        self._position = 0
        """Ticks of the song before the next one."""
        self._has_position = False
        self._line = _Line()  # through the ticks there are
        self._told = _Line()  # the same, when it was sure last

    def tempo(self, now: float, beats_per_bar: int = 4) -> Tempo | None:
        """Return the tempo; None while no clock comes, or not long enough."""
        line = self._told
        if not line.period or now - self._ticks[-1] > GAP_S:
            return None
        bpm = 60.0 / (PPQN * line.period)
        if not self.is_running or not self._has_position:
            return Tempo(bpm, line.last, None, beats_per_bar)
        beat, over = divmod(self._position - 1, PPQN)
        return Tempo(bpm, line.last - over * line.period, beat, beats_per_bar)

    def tick(self, host_time: float) -> None:
        """Take a tick."""
        if self._ticks and not 0.0 <= host_time - self._ticks[-1] <= GAP_S:
            self._ticks.clear()
            self._line, self._told = _Line(), _Line()
        is_alone = not self._ticks or host_time - self._ticks[-1] > BURST_S
        self._ticks.append(host_time)
        self._n_unseen += 1
        if self.is_running:
            self._position += 1
        for line in (self._line, self._told):
            line.last += line.period
        n_needed = MIN_TICKS // 2 if self._line.period else MIN_TICKS
        if len(self._ticks) >= n_needed and self._n_unseen >= EVERY and is_alone:
            self._n_unseen = 0
            self._look()

    def start(self) -> None:
        """The song begins with the next tick."""
        self.is_running, self._position, self._has_position = True, 0, True

    def go_on(self) -> None:
        """The song goes on with the next tick, from where it stopped or was put."""
        self.is_running = True

    def stop(self) -> None:
        """The song stands; the clock may tick on."""
        self.is_running = False

    def place(self, sixteenths: int) -> None:
        """The song is put to a place, counted in sixteenth notes."""
        self._position, self._has_position = sixteenths * TICKS_PER_SIXTEENTH, True

    def _look(self) -> None:
        """Lay the line through the ticks there are; tell it where it is sure."""
        ticks = np.array(self._ticks)
        if len(ticks) > MIN_TICKS and self._line.was_left(ticks[-RECENT:]):
            self._ticks = deque(ticks[-RECENT:].tolist(), MAX_TICKS)
            return
        line = _Line.through(ticks)
        if not MIN_BPM <= 60.0 / (PPQN * max(line.period, 1e-6)) <= MAX_BPM:
            return
        self._line = line
        if line.error(len(ticks)) < SURE or len(ticks) == MAX_TICKS:
            self._told = replace(line)


@dataclass(slots=True)
class _Line:
    """Ticks without their jitter."""

    period: float = 0.0
    """Seconds from tick to tick; 0 while nothing is known."""
    last: float = 0.0
    """The moment of the last one."""
    spread: float = 0.0
    """The median of how far, in seconds, ticks lie from it."""

    @classmethod
    def through(cls, ticks: NDArray[np.float64]) -> "_Line":
        """Return the line through ticks (n,), without those that lie far from it.

        A median of differences over half of them says first which these are, as it bears that
        many go astray (after Theil, "A rank-invariant method of linear regression", 1950).
        """
        index, since = np.arange(len(ticks), dtype=np.float64), ticks - ticks[0]
        half = len(ticks) // 2
        slope = float(np.median(since[half:] - since[: len(ticks) - half])) / half
        first = float(np.median(since - slope * index))
        for _ in range(2):
            late = np.abs(since - first - slope * index)
            near = late <= max(FAR * float(np.median(late)), 0.5 * slope)
            slope, first = (float(number) for number in np.polyfit(index[near], since[near], 1))
        late = np.abs(since - first - slope * index)
        return cls(slope, float(ticks[0] + first + slope * index[-1]), float(np.median(late)))

    def error(self, n_ticks: int) -> float:
        """Return the standard error of the period, as a share of it, for jitter of ``spread``."""
        return 1.48 * self.spread * math.sqrt(12.0 / n_ticks) / (n_ticks * self.period)

    def was_left(self, ticks: NDArray[np.float64]) -> bool:
        """Return whether the last ticks lie beside the line by more than jitter does.

        Later, all of them: after a port was held up, the newest is in time again. Earlier, most.
        """
        if not self.period:
            return False
        late = ticks - self.last - self.period * np.arange(1 - len(ticks), 1)
        bound = max(0.3 * self.period, 3.0 * self.spread)
        return float(late.min()) > bound or float(np.median(late)) < -bound
