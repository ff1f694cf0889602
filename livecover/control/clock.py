"""A tempo and bar lines from MIDI clock: 24 ticks a quarter note, start, stop and song position.

Ticks come with the jitter of their port: JACK gives all ticks of a cycle at once, up to 23 ms late.
The tempo is the slope of a line through a window of ticks, without outliers. The window grows while
the tempo stays, up to ``MAX_TICKS``. Times are monotonic seconds; one thread.
Not here: who uses the tempo.
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
"""Least and most ticks that a tempo is measured from: two beats, sixteen beats."""
MAX_ERROR = 1e-3
"""Relative standard error below which a tempo is reported: 0.12 at 120 beats a minute."""
FIT_EVERY = 6  # least ticks between two fits
OUTLIER = 4.0  # times the median distance from the line, beyond which a tick is left out
RECENT = 12  # ticks off the line that mean another tempo
BURST_S = 0.002  # ticks nearer than this came at once: more of them may be on the way
GAP_S = 1.0  # without a tick the clock has stopped; a busy machine delays ticks by less
MIN_BPM, MAX_BPM = 20.0, 400.0


class MidiClockReceiver:
    """Measures the tempo of incoming MIDI clock, and counts the song position."""

    def __init__(self) -> None:
        self.is_running = False
        """Whether the song plays: after start or continue, before stop."""
        self._ticks: deque[float] = deque(maxlen=MAX_TICKS)
        self._n_since_fit = 0  # ticks
        self._position = 0
        """The next tick's number in the song."""
        self._has_position = False
        self._line = _Line()  # the last fit
        self._reported = _Line()  # the last fit whose error was small

    def tempo(self, now: float, beats_per_bar: int = 4) -> Tempo | None:
        """Return the tempo; None without a clock, or before enough ticks."""
        line = self._reported
        if not line.period or now - self._ticks[-1] > GAP_S:
            return None
        bpm = 60.0 / (PPQN * line.period)
        if not self.is_running or not self._has_position:
            return Tempo(bpm, line.last, None, beats_per_bar)
        beat, over = divmod(self._position - 1, PPQN)
        return Tempo(bpm, line.last - over * line.period, beat, beats_per_bar)

    def tick(self, host_time: float) -> None:
        """Take a tick that was sent at ``host_time``."""
        if self._ticks and not 0.0 <= host_time - self._ticks[-1] <= GAP_S:
            self._ticks.clear()
            self._line, self._reported = _Line(), _Line()
        is_alone = not self._ticks or host_time - self._ticks[-1] > BURST_S
        self._ticks.append(host_time)
        self._n_since_fit += 1
        if self.is_running:
            self._position += 1
        for line in (self._line, self._reported):
            line.last += line.period
        n_needed = MIN_TICKS // 2 if self._line.period else MIN_TICKS
        if len(self._ticks) >= n_needed and self._n_since_fit >= FIT_EVERY and is_alone:
            self._n_since_fit = 0
            self._fit()

    def start(self) -> None:
        """Start the song at its beginning, with the next tick."""
        self.is_running, self._position, self._has_position = True, 0, True

    def resume(self) -> None:
        """Continue the song at its position, with the next tick."""
        self.is_running = True

    def stop(self) -> None:
        """Stop the song; ticks may go on."""
        self.is_running = False

    def set_position(self, sixteenths: int) -> None:
        """Set the song position, in sixteenth notes."""
        self._position, self._has_position = sixteenths * TICKS_PER_SIXTEENTH, True

    def _fit(self) -> None:
        """Fit the line to the ticks; report it if its error is small."""
        ticks = np.array(self._ticks)
        if len(ticks) > MIN_TICKS and self._line.is_outdated(ticks[-RECENT:]):
            self._ticks = deque(ticks[-RECENT:].tolist(), MAX_TICKS)
            return
        line = _Line.through(ticks)
        if not MIN_BPM <= 60.0 / (PPQN * max(line.period, 1e-6)) <= MAX_BPM:
            return
        self._line = line
        if line.error(len(ticks)) < MAX_ERROR or len(ticks) == MAX_TICKS:
            self._reported = replace(line)


@dataclass(slots=True)
class _Line:
    """A line through ticks: their times without jitter."""

    period: float = 0.0
    """Seconds between two ticks; 0 before the first fit."""
    last: float = 0.0
    """Time of the last tick."""
    spread: float = 0.0
    """Median distance of ticks from the line, in seconds."""

    @classmethod
    def through(cls, ticks: NDArray[np.float64]) -> "_Line":
        """Return the line through ticks (n,), without outliers.

        A median slope finds the outliers, since it is robust to many of them (after Theil, "A
        rank-invariant method of linear regression", 1950); least squares fit the rest.
        """
        index, since = np.arange(len(ticks), dtype=np.float64), ticks - ticks[0]
        half = len(ticks) // 2
        slope = float(np.median(since[half:] - since[: len(ticks) - half])) / half
        first = float(np.median(since - slope * index))
        for _ in range(2):
            late = np.abs(since - first - slope * index)
            near = late <= max(OUTLIER * float(np.median(late)), 0.5 * slope)
            slope, first = (float(number) for number in np.polyfit(index[near], since[near], 1))
        late = np.abs(since - first - slope * index)
        return cls(slope, float(ticks[0] + first + slope * index[-1]), float(np.median(late)))

    def error(self, n_ticks: int) -> float:
        """Return the relative standard error of the period, for jitter of ``spread``."""
        return 1.48 * self.spread * math.sqrt(12.0 / n_ticks) / (n_ticks * self.period)

    def is_outdated(self, ticks: NDArray[np.float64]) -> bool:
        """Return whether the last ticks lie further off the line than jitter explains.

        All of them must be late, since after a delayed port the newest is on time; most, if early.
        """
        if not self.period:
            return False
        late = ticks - self.last - self.period * np.arange(1 - len(ticks), 1)
        bound = max(0.3 * self.period, 3.0 * self.spread)
        return float(late.min()) > bound or float(np.median(late)) < -bound
