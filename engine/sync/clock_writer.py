"""The beat as MIDI clock: which message is due when.

24 ticks a quarter note; start or continue on a bar line of the song, the latter after its song
position, so that a sequencer's beats and bars are the song's. Nothing goes out until the beat is
locked. Pure: no port, no thread. Times are host seconds. Not here: sending (``sender``),
MIDI clock that comes in (``livecover.control.clock``).
"""

import math
from collections import deque

from engine.core.tempo import Beat
from engine.sync.line import SongLine

TICKS = 24  # a beat
SIXTEENTHS = 4  # a beat
TICK, START, CONTINUE, STOP, SONG_POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2
MOST_POSITION = 2**14 - 1

BEFORE = 0.5  # ticks between start and the first one
LATE_S = 0.2  # by which a tick may be late; of a later one the receiver stops, and starts anew

ClockMessage = tuple[int, ...]


class ClockWriter:
    """Writes MIDI clock.

    Attributes
    ----------
    song : SongLine
        With the delay from a beat in the input to its tick.
    is_running
        Whether the receiver has been started and not stopped.
    """

    def __init__(self) -> None:
        self.song = SongLine()
        self._tick = 0  # the next one
        self._start_at = 0  # the tick on which the song starts, or has
        self.is_running = False
        self._first: int | None = None  # the beat that is the receiver's first
        self._urgent: deque[ClockMessage] = deque()

    def follow(self, beat: Beat, now: float) -> None:
        """Take the beat as it is known at ``now``."""
        begins = self.song.follow(beat, now)
        if begins or self.song.line is None:
            self._halt()
        if begins and (line := self.song.line) is not None:
            here = line.at(now)  # ticks begin now, and with the next bar line the song
            self._tick = math.ceil(here * TICKS)
            self._start_at = self.song.bar_from(self._tick / TICKS) * TICKS

    def stop(self) -> None:
        """Let the receiver stop, if it runs; no tick goes out until the beat is locked again."""
        self.song.line = None
        self._halt()

    def reset(self) -> None:
        """Stop; the next start is at the receiver's beginning."""
        self.stop()
        self._first = None

    def next_due(self) -> float:
        """Return when the next message is due; infinite where none is."""
        if self._urgent:
            return -math.inf
        line = self.song.line
        if line is None:
            return math.inf
        is_start = not self.is_running and self._tick >= self._start_at
        return line.when((self._tick - BEFORE * is_start) / TICKS)

    def pop(self, now: float) -> ClockMessage | None:
        """Return the next message that is due; None where none is."""
        if self._urgent:
            return self._urgent.popleft()
        line = self.song.line
        if line is None or self.next_due() > now:
            return None
        if not self.is_running and self._tick >= self._start_at:
            self._start()
            return self._urgent.popleft()
        if line.when(self._tick / TICKS) < now - LATE_S:
            self.stop()  # the machine slept
            return self._urgent.popleft() if self._urgent else None
        self._tick += 1
        return (TICK,)

    def _halt(self) -> None:
        if self.is_running:
            self._urgent.append((STOP,))
        self.is_running = False

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
