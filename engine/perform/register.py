"""Where a tune lies: what is found an octave or more above it is an overtone of it."""

from collections import deque
from statistics import median

NOTES = 8
LEAST_NOTES = 4
STRAY = 12  # semitones above the tune's middle from which on a note is not the tune's


class TuneRegister:
    """Follows a tune's last notes. A tune that goes up an octave is believed after some notes."""

    def __init__(self) -> None:
        self._last: deque[int] = deque(maxlen=NOTES)

    def admits(self, pitch: int) -> bool:
        """Take a note that was found; return whether it belongs to the tune.

        >>> register = TuneRegister()
        >>> [register.admits(pitch) for pitch in (60, 62, 64, 62, 84, 65)]
        [True, True, True, True, False, True]
        """
        is_known = len(self._last) >= LEAST_NOTES
        belongs = not is_known or pitch - median(self._last) < STRAY
        self._last.append(pitch)
        return belongs
