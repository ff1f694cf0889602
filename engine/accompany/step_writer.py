"""Which sixteenths are written when: listening first, entering on a bar, resting with the player.

A step is written ``lead`` seconds before it falls, from what was heard by then. Nothing is decided
by anything else: the same frames give the same notes. Not here: the notes (``accompanist``), the
beat (``engine.beat``), where notes go to.

Times are seconds of the stream, steps are sixteenths since the clock's position 0.
"""

import math
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.accompany.accompanist import Accompanist
from engine.accompany.model import Place
from engine.accompany.presence import Presence
from engine.accompany.sampling import Step
from engine.beat.steps.gathering import StepGatherer
from engine.core.notes import NoteEvent
from engine.core.tempo import BeatState

Array = NDArray[np.float32]

STEPS = 4  # a beat
LISTEN_BARS = 2
LATE_S = 0.05  # by which a step may be late that is still played, then at once
KEPT_STEPS = 192  # whose times are known
LEAST_HEARD_S = 0.02
"""Of a step's sound, for it to count: a frame at the least. What comes after it counts later."""
CATCH_UP = 8  # steps that are only listened to, at once
OTHER_TEMPO = 1.2  # from which on steps are other steps
MOST_STEPS = 16  # that pass from tick to tick; a clock that leaps further is elsewhere


class PlayState(Enum):
    """What the accompanist does."""

    LISTENING = "listening"
    PLAYING = "playing"
    RESTING = "resting"


class Clock(Protocol):
    """The part of the beat clock that is asked."""

    @property
    def state(self) -> BeatState:
        """Whether a beat is followed."""

    @property
    def metre(self) -> int:
        """Beats a bar."""

    @property
    def period(self) -> float:
        """Seconds a beat; infinite before a beat was found."""

    def position(self, time: float) -> float:
        """Return the beats at a time."""

    def time_of(self, position: float) -> float:
        """Return the seconds of a position."""

    def beat_in_bar(self, beat: int) -> int:
        """Return which beat of its bar a beat is, from 0."""


class StepWriter:
    """Writes the steps of one stream, as soon as each is due.

    Parameters
    ----------
    accompanist
        Writes the notes; used by this writer alone.
    clock
        The beat.
    gatherer
        What was heard, in frames; whoever hears pushes into it.
    lead
        Seconds from writing a step to its sound.
    hearing
        Seconds from a sound to its row in the gatherer, at the most; less than 0 where what comes
        after a moment is known then.
    waits
        Whether a step counts as heard once half of it has sounded, when all that belongs to it is
        there. Otherwise it does once it has begun, with what is known of it by then.
    listen_bars
        Bars of music that it listens to before it enters on a bar; 0 enters on any beat.

    Attributes
    ----------
    loudness
        Returns the factor of velocities.
    first, n_begun
        The oldest step whose time is kept; how often it began with other steps.
    struck
        Returns how likely each key (88,) was struck on the step from one time to another; None
        where that is not known.
    """

    def __init__(
        self,
        accompanist: Accompanist,
        clock: Clock,
        gatherer: StepGatherer,
        *,
        lead: float,
        hearing: float,
        waits: bool = False,
        listen_bars: int = LISTEN_BARS,
    ) -> None:
        self._accompanist, self._clock, self._gatherer = accompanist, clock, gatherer
        self.lead = lead
        self.hearing, self.listen_bars, self._waits = hearing, listen_bars, waits
        self._presence = Presence()
        self.loudness: Callable[[], float] = lambda: 1.0
        self.struck: Callable[[float, float], Array | None] = lambda begin, end: None
        self.reset()

    def reset(self) -> None:
        """Begin a new stream; keys that are down are forgotten."""
        self.state = PlayState.LISTENING
        self.first, self.n_begun = 0, 0
        self._next: int | None = None  # the step to write next; None while there is no beat
        self._here, self._period = 0, math.inf
        self._written = 0.0  # the time of the last event
        self._restart(0)

    def tick(self, now: float) -> list[NoteEvent]:
        """Return the events of the steps that are due at ``now``, which never goes back."""
        clock = self._clock
        if clock.state is BeatState.LOST:
            self._next = None
            return self.rest(now + self.lead)
        events: list[NoteEvent] = []
        here = math.floor(clock.position(now) * STEPS)
        if self._next is None or self._is_elsewhere(here):
            events += self.rest(now + self.lead)
            self._begin(now, here)
        self._here, self._period = here, clock.period
        self._pass_steps(here, now)
        assert self._next is not None
        for _ in range(CATCH_UP):
            if self.time_of(self._next) > now + self.lead:
                break
            events += self._write(self._next, now)
            self._next += 1
        return events

    def rest(self, time: float) -> list[NoteEvent]:
        """Let all keys go, and listen; it enters again on a bar."""
        self.state = PlayState.LISTENING if self._next is None else PlayState.RESTING
        pitches = self._accompanist.let_go()
        self._written = max(self._written, time) if pitches else self._written
        return [NoteEvent(self._written, pitch, 0) for pitch in pitches]

    def _is_elsewhere(self, here: int) -> bool:
        """Return whether the steps are not those of before: the tempo or the place is another."""
        ratio = self._clock.period / self._period
        return not 1 / OTHER_TEMPO < ratio < OTHER_TEMPO or not 0 <= here - self._here <= MOST_STEPS

    def _begin(self, now: float, here: int) -> None:
        """Begin with the music that was heard before the beat was found, on its steps."""
        clock, step_s = self._clock, self._clock.period / STEPS
        n_before = int((now - self._gatherer.since) / step_s)
        self._next = here - min(max(n_before, 0), KEPT_STEPS // 2)
        start = clock.time_of(here / STEPS)
        self._restart(self._next)
        for step in range(self._next, here + 1):
            self._times.append(start - (here - step) * step_s)

    def _restart(self, step: int) -> None:
        self._accompanist.reset()
        self._presence.reset()
        self.n_begun += 1
        self.first = step
        self._times: deque[float] = deque(maxlen=KEPT_STEPS)  # of steps that have passed
        self._heard = step  # the step that is heard next

    def _pass_steps(self, here: int, now: float) -> None:
        """Note when steps fell that have passed by now."""
        while (step := self.first + len(self._times)) <= here:
            if len(self._times) == KEPT_STEPS:
                self._times.popleft()
                self.first += 1
            time = min(self._clock.time_of(step / STEPS), now)
            self._times.append(max(time, self._times[-1] if self._times else time))

    def time_of(self, step: int) -> float:
        """Return when a step fell, or will."""
        k = step - self.first
        if 0 <= k < len(self._times):
            return self._times[k]
        return self._clock.time_of(step / STEPS)

    def _write(self, step: int, now: float) -> list[NoteEvent]:
        """Return the events of a step that is due."""
        step_s = self._clock.period / STEPS
        least = step_s / 2 if self._waits else min(LEAST_HEARD_S, step_s / 2)
        lag = max(math.ceil((least + self.hearing + self.lead) / step_s - 1e-9), 0)
        self._hear(step - lag)
        place = Place(self.place_of(step), step - self._heard + 1, 60 / self._clock.period)
        time, earliest = self.time_of(step), now + self.lead - LATE_S
        is_on_time = time >= earliest
        ended = self._follow(place, time) if is_on_time else []
        plays = is_on_time and self.state is PlayState.PLAYING
        struck = self.struck(time, time + step_s) if plays else None
        written = self._accompanist.step(place, plays, struck)
        self._written = max(self._written, time, earliest)
        return ended + self._events(written, self._written)

    def _hear(self, last: int) -> None:
        """Take what was heard up to a step, as far as it is known."""
        while self._heard <= last:
            begin, end = self.time_of(self._heard), self.time_of(self._heard + 1)
            row = self._gatherer.gather(begin, end, so_far=not self._waits)
            if row is None:
                return
            self._accompanist.hear(row[None])
            self._presence.hear(row)
            self._heard += 1

    def _follow(self, where: Place, time: float) -> list[NoteEvent]:
        """Enter on a bar, or on a beat; rest after a bar without music."""
        bar = self._clock.metre * STEPS
        presence = self._presence
        if self.state is PlayState.PLAYING:
            return self.rest(time) if presence.n_silent >= bar else []
        n_wanted = self.listen_bars * bar
        if self.state is PlayState.RESTING:
            n_wanted = min(n_wanted, STEPS)
        length = bar if self.listen_bars else STEPS
        n_listened = presence.n_listened + where.lag - 1  # what sounds now is yet to be heard
        is_there = bool(presence.n_listened) and presence.n_silent < STEPS
        is_there = is_there and n_listened >= n_wanted
        if is_there and where.place % length == 0 and self._clock.state is BeatState.LOCKED:
            self.state = PlayState.PLAYING
        return []

    def place_of(self, step: int) -> int:
        """Return how many steps the bar of a step is old."""
        return self._clock.beat_in_bar(step // STEPS) * STEPS + step % STEPS

    def _events(self, written: Step, time: float) -> list[NoteEvent]:
        factor = self.loudness()
        offs = [NoteEvent(time, pitch, 0) for pitch in written.released]
        ons = [
            NoteEvent(time, note.pitch, _louder(note.velocity, factor), hand=note.hand)
            for note in written.notes
        ]
        return offs + ons


def _louder(velocity: int, factor: float) -> int:
    return min(max(round(velocity * factor), 1), 127)
