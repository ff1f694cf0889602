"""The song's position in beats as others are told it, without jumps. Pure: no thread.

Nothing is told until the beat is locked. Times are host seconds. Not here: hearing the beat
(``engine.beat``), what is sent of it (``clock_writer``, ``link_writer``).
"""

import math

from engine.core.beat_line import BeatLine
from engine.core.tempo import Beat, BeatState, Tempo

FOLLOWED = ("heard", "tapped")
"""Sources of the beat that are sent: one that comes from a sequencer is not told to it again."""
SETTLE_S = 1.0
MOST_BEND = 0.05  # by which the tempo is another while it settles
ELSEWHERE = 0.5  # beats from which on the song is elsewhere
OTHER_TEMPO = 1.2


class SongLine:
    """Follows the beat.

    Attributes
    ----------
    delay
        Seconds from a beat in the input to where it is told to be.
    line : BeatLine or None
        The position, in beats; None while nothing is told.
    beats_per_bar
        Of the song.
    """

    def __init__(self) -> None:
        self.delay = 0.0
        self.line: BeatLine | None = None
        self.beats_per_bar = 4

    def follow(self, beat: Beat, now: float) -> bool:
        """Take the beat as it is known at ``now``. Return whether the line begins, or jumps."""
        tempo = beat.tempo
        is_lost = beat.state is BeatState.LOST or beat.source not in FOLLOWED
        if is_lost or tempo is None or tempo.beat is None:
            self.line = None
            return False
        line = self.line
        there = _position(tempo, now - self.delay)
        if line is not None and not _is_near(there - line.at(now), tempo.beat_s / line.period):
            line = None
        self.beats_per_bar = tempo.beats_per_bar
        if line is not None:
            self.line = self._settled(line, tempo, now)
            return False
        is_locked = beat.state is BeatState.LOCKED
        self.line = BeatLine(now, there, now, there, tempo.beat_s) if is_locked else None
        return is_locked

    def bar_from(self, position: float) -> int:
        """Return the beat of the first bar line from a position on."""
        return math.ceil(position / self.beats_per_bar) * self.beats_per_bar

    def _settled(self, line: BeatLine, tempo: Tempo, now: float) -> BeatLine:
        """Return the line that passes over to a tempo's, without a jump."""
        here = line.at(now)
        error_s = abs(_position(tempo, now - self.delay) - here) * tempo.beat_s
        knot = now + max(SETTLE_S, error_s / MOST_BEND)
        return BeatLine(now, here, knot, _position(tempo, knot - self.delay), tempo.beat_s)


def _position(tempo: Tempo, host_time: float) -> float:
    """Return the beats at a time of a tempo whose beats are counted."""
    beats = tempo.beat_of(host_time)
    assert beats is not None
    return beats


def _is_near(error: float, ratio: float) -> bool:
    return abs(error) < ELSEWHERE and 1 / OTHER_TEMPO < ratio < OTHER_TEMPO
