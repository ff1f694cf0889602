"""A tempo and bar lines from MIDI clock: 24 ticks a quarter note, start, stop and song position.

Ticks come with the jitter of their port: JACK gives all ticks of a cycle at once, up to 23 ms late.
The tempo is the slope of a line through a window of ticks, those left out that lie far from it; the
window is as long as the tempo stays, up to ``MAX_TICKS``. Moments are seconds that only rise; all
on one thread.
Not here: what is done with it.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from livecover.tempo import Tempo

PPQN = 24
TICKS_PER_SIXTEENTH = 6
MIN_TICKS, MAX_TICKS = 48, 384
"""Ticks after which a tempo is told, and on which it rests at most: two beats, sixteen."""
EVERY = 6  # ticks between two looks at the tempo
FAR = 4.0  # times the median distance from the line, from which a tick is left out
RECENT = 12  # ticks whose common lateness tells another tempo
GAP_S = 0.5  # without a tick the clock has stopped: 24 ticks a beat are 5 a beat slower than that
MIN_BPM, MAX_BPM = 20.0, 400.0


class ClockIn:
    """MIDI clock as it comes in."""

    def __init__(self) -> None:
        self.is_running = False
        """Whether the song goes on, between start or continue and stop."""
        self._ticks: deque[float] = deque(maxlen=MAX_TICKS)
        self._n_heard = 0
        self._position = 0
        """Ticks of the song before the next one."""
        self._has_position = False
        self._period = self._phase = 0.0
        """Seconds from tick to tick, and the moment of the last one, without their jitter."""
        self._spread = 0.0  # seconds of jitter

    def tempo(self, now: float, beats_per_bar: int = 4) -> Tempo | None:
        """Return the tempo; None while no clock comes, or not long enough."""
        if not self._period or now - self._ticks[-1] > GAP_S:
            return None
        if not self.is_running or not self._has_position:
            return Tempo(60.0 / (PPQN * self._period), self._phase, None, beats_per_bar)
        beat, over = divmod(self._position - 1, PPQN)
        at = self._phase - over * self._period
        return Tempo(60.0 / (PPQN * self._period), at, beat, beats_per_bar)

    def tick(self, moment: float) -> None:
        """Take a tick."""
        if self._ticks and not 0.0 <= moment - self._ticks[-1] <= GAP_S:
            self._ticks.clear()
            self._period = self._phase = self._spread = 0.0
        self._ticks.append(moment)
        self._n_heard += 1
        if self.is_running:
            self._position += 1
        self._phase += self._period
        n_needed = MIN_TICKS // 2 if self._period else MIN_TICKS
        if len(self._ticks) >= n_needed and self._n_heard % EVERY == 0:
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
        """Set the tempo from the ticks there are."""
        ticks = np.array(self._ticks)
        if self._has_turned(ticks[-RECENT:]):
            self._ticks = deque(ticks[-RECENT:].tolist(), MAX_TICKS)
            return
        period, late = _line(ticks)
        self._spread = float(np.median(np.abs(late)))
        if MIN_BPM <= 60.0 / (PPQN * max(period, 1e-6)) <= MAX_BPM:
            self._period = period
            self._phase = float(ticks[-1] - late[-1])

    def _has_turned(self, ticks: NDArray[np.float64]) -> bool:
        """Return whether the last ticks leave the line of those before by more than jitter does."""
        if not self._period:
            return False
        late = ticks - self._phase - self._period * np.arange(1 - len(ticks), 1)
        bound = max(0.3 * self._period, 3.0 * self._spread)
        return len(self._ticks) > MIN_TICKS and abs(float(np.median(late))) > bound


def _line(ticks: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return the seconds from tick to tick, and how late each one is (n,)."""
    index = np.arange(len(ticks), dtype=np.float64)
    since = ticks - ticks[0]
    slope, first = np.polyfit(index, since, 1)
    late = since - first - slope * index
    near = np.abs(late) <= max(FAR * float(np.median(np.abs(late))), 0.5 * float(slope))
    slope, first = np.polyfit(index[near], since[near], 1)
    return float(slope), since - first - slope * index
