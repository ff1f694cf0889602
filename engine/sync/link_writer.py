"""The beat as Ableton Link has it: what a session is told when.

A session's timeline is one tempo and one place of it. So a bend of the song's line is two of them,
each from where the one before has come to: no peer jumps. Bars are the session's quantum. Nothing
is told until the beat is locked. Pure: no network, no thread. Times are host seconds. Not here: the
session (``link``), the thread (``sender``).
"""

import math
from collections import deque
from dataclasses import dataclass

from engine.core.beat_line import BeatLine
from engine.core.tempo import Beat
from engine.sync.line import SongLine

BEFORE_S = 0.1
"""Seconds before its time that start is told, for the network's sake."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A tempo, and the place of one beat."""

    bpm: float
    position: float
    """In beats."""
    time: float
    beats_per_bar: int


@dataclass(frozen=True, slots=True)
class Transport:
    """Start or stop, at a time."""

    is_playing: bool
    time: float


class LinkWriter:
    """Writes what a session is told.

    Attributes
    ----------
    song : SongLine
        With the delay from a beat in the input to the session's.
    is_running
        Whether the session has been started and not stopped.
    """

    def __init__(self) -> None:
        self.song = SongLine()
        self.is_running = False
        self._start_at = 0  # the beat on which the session starts, or has
        self._bends: deque[float] = deque()  # times from which on the tempo is another
        self._is_to_stop = False

    def follow(self, beat: Beat, now: float) -> None:
        """Take the beat as it is known at ``now``."""
        begins = self.song.follow(beat, now)
        line = self.song.line
        if begins or line is None:
            self._halt()
        self._bends.clear()
        if line is not None:
            self._bends.extend(dict.fromkeys((line.time, line.knot_time)))
            if begins:
                self._start_at = self.song.bar_from(line.position)

    def stop(self) -> None:
        """Stop the session, if it was started; its tempo stays."""
        self.song.line = None
        self._bends.clear()
        self._halt()

    def reset(self) -> None:
        """Stop."""
        self.stop()

    def next_due(self) -> float:
        """Return when the next message is due; infinite where none is."""
        if self._is_to_stop:
            return -math.inf
        line = self.song.line
        if line is None:
            return math.inf
        bend = self._bends[0] if self._bends else math.inf
        return bend if self.is_running else min(bend, line.when(self._start_at) - BEFORE_S)

    def pop(self, now: float) -> Timeline | Transport | None:
        """Return the next message that is due; None where none is."""
        if self._is_to_stop:
            self._is_to_stop = False
            return Transport(False, now)
        line = self.song.line
        if line is None or self.next_due() > now:
            return None
        if self._bends and self._bends[0] <= now:
            return self._timeline(line, self._bends.popleft())
        self.is_running = True
        return Transport(True, line.when(self._start_at))

    def _timeline(self, line: BeatLine, time: float) -> Timeline:
        """Return the line's straight piece that begins at a time."""
        period = line.period
        if time < line.knot_time:
            period = (line.knot_time - line.time) / (line.knot_position - line.position)
        return Timeline(60.0 / period, line.at(time), time, self.song.beats_per_bar)

    def _halt(self) -> None:
        self._is_to_stop = self._is_to_stop or self.is_running
        self.is_running = False
