"""The beat as MIDI clock: which message is due when.

24 ticks a quarter note; start or continue on a bar line of the song, the latter after its song
position, so that a sequencer's beats and bars are the song's. Nothing goes out until the beat is
locked. Pure: no port, no thread. Times are host seconds. Not here: sending (``clock_sender``),
MIDI clock that comes in (``livecover.control.clock``).
"""

import math
from collections import deque

from engine.core.beat_line import BeatLine
from engine.core.tempo import Beat, BeatState, Tempo

TICKS = 24  # a beat
SIXTEENTHS = 4  # a beat
TICK, START, CONTINUE, STOP, SONG_POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2
MOST_POSITION = 2**14 - 1

FOLLOWED = ("heard", "tapped")
"""Sources of the beat that are sent: one that comes from a sequencer is not told to it again."""
SETTLE_S = 1.0
MOST_BEND = 0.05  # by which the tempo is another while it settles
ELSEWHERE = 0.5  # beats from which on the song is elsewhere: it stops, and goes on on a bar line
OTHER_TEMPO = 1.2
BEFORE = 0.5  # ticks between start and the first one
LATE_S = 0.2  # by which a tick may be late; of a later one the receiver stops, and starts anew

ClockMessage = tuple[int, ...]


class ClockWriter:
    """Writes MIDI clock.

    Attributes
    ----------
    delay
        Seconds from a beat in the input to its tick.
    is_running
        Whether the receiver has been started and not stopped.
    """

    def __init__(self) -> None:
        self.delay = 0.0
        self._line: BeatLine | None = None  # of the song's position, in beats, as it is sent
        self._tick = 0  # the next one
        self._start_at = 0  # the tick on which the song starts, or has
        self.is_running = False
        self._first: int | None = None  # the beat that is the receiver's first
        self._urgent: deque[ClockMessage] = deque()

    def follow(self, beat: Beat, now: float) -> None:
        """Take the beat as it is known at ``now``."""
        tempo = beat.tempo
        is_lost = beat.state is BeatState.LOST or beat.source not in FOLLOWED
        if is_lost or tempo is None or tempo.beat is None:
            self.stop()
            return
        line = self._line
        there = _position(tempo, now - self.delay)
        if line is not None and not _is_near(there - line.at(now), tempo.beat_s / line.period):
            self.stop()
            line = None
        if line is not None:
            self._line = self._settled(line, tempo, now)
        elif beat.state is BeatState.LOCKED:
            self._begin(tempo, there, now)

    def stop(self) -> None:
        """Let the receiver stop, if it runs; no tick goes out until the beat is locked again."""
        if self.is_running:
            self._urgent.append((STOP,))
        self._line, self.is_running = None, False

    def reset(self) -> None:
        """Stop; the next start is at the receiver's beginning."""
        self.stop()
        self._first = None

    def next_due(self) -> float:
        """Return when the next message is due; infinite where none is."""
        if self._urgent:
            return -math.inf
        line = self._line
        if line is None:
            return math.inf
        is_start = not self.is_running and self._tick >= self._start_at
        return line.when((self._tick - BEFORE * is_start) / TICKS)

    def pop(self, now: float) -> ClockMessage | None:
        """Return the next message that is due; None where none is."""
        if self._urgent:
            return self._urgent.popleft()
        if self._line is None or self.next_due() > now:
            return None
        if not self.is_running and self._tick >= self._start_at:
            self._start()
            return self._urgent.popleft()
        if self._line.when(self._tick / TICKS) < now - LATE_S:
            self.stop()  # the machine slept
            return self._urgent.popleft() if self._urgent else None
        self._tick += 1
        return (TICK,)

    def _begin(self, tempo: Tempo, here: float, now: float) -> None:
        """Begin with ticks now, and on the next bar line with the song."""
        self._line = BeatLine(now, here, now, here, tempo.beat_s)
        self._tick = math.ceil(here * TICKS)
        bar = tempo.beats_per_bar * TICKS
        self._start_at = math.ceil(self._tick / bar) * bar

    def _settled(self, line: BeatLine, tempo: Tempo, now: float) -> BeatLine:
        """Return the line that passes over to a tempo's, without a jump."""
        here = line.at(now)
        error_s = abs(_position(tempo, now - self.delay) - here) * tempo.beat_s
        knot = now + max(SETTLE_S, error_s / MOST_BEND)
        return BeatLine(now, here, knot, _position(tempo, knot - self.delay), tempo.beat_s)

    def _start(self) -> None:
        beat = self._tick // TICKS
        sixteenths = 0 if self._first is None else (beat - self._first) * SIXTEENTHS
        if self._first is None or not 0 <= sixteenths <= MOST_POSITION:
            self._first = beat
            self._urgent.append((START,))
        else:
            self._urgent.append((SONG_POSITION, sixteenths & 0x7F, sixteenths >> 7))
            self._urgent.append((CONTINUE,))
        self.is_running = True


def _position(tempo: Tempo, host_time: float) -> float:
    """Return the beats at a time of a tempo whose beats are counted."""
    beats = tempo.beat_of(host_time)
    assert beats is not None
    return beats


def _is_near(error: float, ratio: float) -> bool:
    return abs(error) < ELSEWHERE and 1 / OTHER_TEMPO < ratio < OTHER_TEMPO
