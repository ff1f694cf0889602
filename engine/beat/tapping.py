"""Tempo and place of the beat from a player's taps. Times are seconds of the stream."""

import numpy as np

MAX_GAP_S = 2.5  # after a longer one another count begins
UNEVEN = 1.4  # a gap so many times as long or short as the last ones: the same
MAX_TAPS = 8


class TapTempo:
    """A line through the taps of one count."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all taps."""
        self._times: list[float] = []
        self.n_taps = 0
        """Of this count."""

    def tap(self, time: float) -> None:
        """Take a tap."""
        if self._times:
            gap = time - self._times[-1]
            usual = self.period or gap
            if not 0 < gap <= MAX_GAP_S:
                self.reset()
            elif not 1 / UNEVEN <= gap / usual <= UNEVEN:
                self._times, self.n_taps = self._times[-1:], 1
        self._times = [*self._times, time][-MAX_TAPS:]
        self.n_taps += 1

    @property
    def period(self) -> float | None:
        """Seconds a beat; None before the second tap."""
        if len(self._times) < 2:
            return None
        slope, _ = np.polyfit(np.arange(len(self._times)), self._times, 1)
        return float(slope)

    @property
    def beat_at(self) -> float:
        """Where the last tap should have been, if the count is even."""
        if len(self._times) < 3:
            return self._times[-1]
        slope, first = np.polyfit(np.arange(len(self._times)), self._times, 1)
        return float(first + slope * (len(self._times) - 1))
