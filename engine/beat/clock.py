"""The beat clock: where in the music a time is, when a beat will fall, and how sure that is.

It follows the filter's estimates, which are late, and says what they mean for now and for later.
Its position never goes back and never jumps while it is locked: a correction is spread over
``SETTLE_S``. Not here: the estimates (``estimate``, ``filter``), hearing (``tracker``).

Times are seconds of the stream; positions are beats since the clock first locked, 0 before.
"""

import math
from dataclasses import replace

from engine.beat.estimate import BeatEstimate
from engine.core.beat_line import BeatLine
from engine.core.tempo import BeatState

SETTLE_S = 0.2
SLOWEST, FASTEST = 0.25, 3.0  # while it settles: its pace over the tempo's
SURE = 0.4  # confidence from which on an estimate counts
SURE_OF_BAR = 0.5
LOCK_S = 1.2  # of sure and steady estimates until it locks
RELOCK_S = 2.0  # of sure estimates that say something else
HOLD_S = 8.0  # without sure estimates until it is lost
TOLD_BAR = 0.9  # how sure a bar is that somebody follows
BAR_S = 1.0  # of estimates of another bar until it is taken
NEAR_BEATS = 0.15
NEAR_TEMPO = 0.1


class BeatClock:
    """Follows estimates; everything else is asked of it. Belongs to one thread."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew: no beat, position 0."""
        self.state = BeatState.LOST
        self.confidence = 0.0
        self.metre = 4
        self._downbeat = 0  # the position at which bar 0 began, bars being as long as now
        self._line = BeatLine()
        self._steady_since: float | None = None  # estimates agree with each other
        self._heard = -math.inf  # the last time an estimate agreed with the clock
        self._other_since: float | None = None  # estimates say something else
        self._other_bar: tuple[int, int] = (0, 0)
        self._other_bar_since: float | None = None
        self._last: tuple[float, BeatEstimate] | None = None
        self._is_bar_known = False  # a player has said where bars begin

    @property
    def period(self) -> float:
        """Seconds a beat; infinite before the clock first locked."""
        return self._line.period

    @property
    def bpm(self) -> float:
        """Beats a minute; 0 before the clock first locked."""
        return 60 / self._line.period

    def position(self, time: float) -> float:
        """Return the position (beats) at a time, of now or later."""
        return self._line.at(time)

    def heard_position(self, time: float) -> float:
        """Return the position (beats) at a time that is over, as is known now.

        What was to be settled counts at once, so it may go back and does not wait.
        """
        line = self._line
        return line.knot_position + (time - line.knot_time) / line.period

    def heard_time_of(self, position: float) -> float:
        """Return the time of a position that is over; the inverse of ``heard_position``."""
        line = self._line
        return line.knot_time + (position - line.knot_position) * line.period

    def time_of(self, position: float) -> float:
        """Return the time at which a position is reached, as far as is known now.

        Infinite before the clock first locked.
        """
        return self._line.when(position)

    def estimate(self, time: float) -> BeatEstimate:
        """Return what the clock says of a time, once it has locked; ``frame`` is 0."""
        position = self._line.at(time)
        beat = math.floor(position)
        place = self.beat_in_bar(beat)
        return BeatEstimate(0, position - beat, self.period, place, self.metre, 1.0, TOLD_BAR)

    def scaled(self, factor: float, time: float) -> BeatEstimate:
        """Return what it would say if it counted ``factor`` beats for each.

        Beats on which bars begin stay beats.
        """
        position = self.position(time)
        beat = math.floor(position)
        beats = self.bar_of(beat) * self.metre + self.beat_in_bar(beat) + position - beat
        beats *= factor
        place, period = math.floor(beats) % self.metre, self.period / factor
        here = self.estimate(time)
        return replace(here, phase=beats % 1.0, period=period, beat_in_bar=place)

    def lose(self) -> None:
        """Take that there is no beat any more; what was counted stays."""
        self.state, self.confidence, self._is_bar_known = BeatState.LOST, 0.0, False
        self._steady_since = None

    def beat_in_bar(self, beat: int) -> int:
        """Return which beat of its bar a whole position is, from 0."""
        return (beat - self._downbeat) % self.metre

    def bar_of(self, beat: int) -> int:
        """Return the number of the bar of a whole position; bar 0 is that of the first lock.

        Never less for a later position; a bar that turns out to be shorter or longer counts once.
        """
        return (beat - self._downbeat) // self.metre

    def update(self, estimate: BeatEstimate, time: float, now: float, is_heard: bool) -> None:
        """Take an estimate of a frame at ``time``, known at ``now``; both never go back.

        ``is_heard`` says whether there was music in which a beat may be heard.
        """
        self.confidence = estimate.confidence if is_heard else 0.0
        is_sure = is_heard and estimate.confidence >= SURE
        if is_heard:
            self._watch(estimate, time, is_sure)
        if self.state is BeatState.LOST:
            if is_sure and _for(self._steady_since, now) >= LOCK_S:
                self._lock(estimate, time, now)
            return
        error = wrapped(estimate.phase - self._line.at(time))
        change = abs(math.log(estimate.period / self._line.period))
        if is_sure and abs(error) <= NEAR_BEATS and change <= NEAR_TEMPO:
            self.state, self._heard, self._other_since = BeatState.LOCKED, now, None
            self._follow(error, estimate.period, time, now)
            self._follow_bar(estimate, time, now)
            return
        if not is_sure:
            self._other_since = None
        elif self._other_since is None:
            self._other_since = now
        if is_sure and _for(self._other_since, now) >= RELOCK_S:
            self._is_bar_known = False
            self._lock(estimate, time, now)
        elif now - self._heard > HOLD_S:
            self.state, self._is_bar_known = BeatState.LOST, False
        elif now - self._heard > LOCK_S:
            self.state = BeatState.HOLDING

    def take(self, estimate: BeatEstimate, now: float, is_bar_known: bool = False) -> None:
        """Take what somebody says of ``now``, a player or a sequencer: it is true.

        ``is_bar_known`` says that no estimate may move the bar any more, until the beat is lost.
        """
        error = wrapped(estimate.phase - self._line.at(now))
        change = abs(math.log(estimate.period / self._line.period)) if self.bpm else math.inf
        if abs(error) <= NEAR_BEATS and change <= NEAR_TEMPO:
            self.state, self._heard, self._other_since = BeatState.LOCKED, now, None
            self._follow(error, estimate.period, now, now)
            self._take_bar(estimate.metre, self._downbeat_of(estimate, now), now)
        else:
            self._lock(estimate, now, now)
        self.confidence = 1.0
        self._is_bar_known = is_bar_known or self._is_bar_known

    def _watch(self, estimate: BeatEstimate, time: float, is_sure: bool) -> None:
        """Note since when estimates are sure and follow from each other."""
        if self._last is not None:
            before, last = self._last
            expected = last.phase + (time - before) / last.period
            is_sure &= time - before <= LOCK_S
            is_sure &= abs(wrapped(estimate.phase - expected)) <= NEAR_BEATS
            is_sure &= abs(math.log(estimate.period / last.period)) <= NEAR_TEMPO
        self._last = time, estimate
        if not is_sure:
            self._steady_since = None
        elif self._steady_since is None:
            self._steady_since = time

    def _lock(self, estimate: BeatEstimate, time: float, now: float) -> None:
        """Begin to follow an estimate: on, never back, to the next place that has its phase."""
        phase = estimate.phase + (now - time) / estimate.period
        position = self._line.at(now)
        position += (phase - position) % 1.0
        self._line = BeatLine(now, position, now, position, estimate.period)
        self._heard, self._other_since, self._other_bar_since = now, None, None
        self.state = BeatState.LOCKED
        self._take_bar(estimate.metre, self._downbeat_of(estimate, time), now)

    def _follow(self, error: float, period: float, time: float, now: float) -> None:
        """Turn towards where the estimate says that the music is."""
        here = self._line.at(now)
        knot = now + SETTLE_S
        there = self._line.at(time) + error + (knot - time) / period
        pace = (there - here) / SETTLE_S * period
        there = here + min(max(pace, SLOWEST), FASTEST) * SETTLE_S / period
        self._line = BeatLine(now, here, knot, there, period)

    def _downbeat_of(self, estimate: BeatEstimate, time: float) -> int:
        beat = round(self._line.at(time) - estimate.phase)
        return beat - estimate.beat_in_bar

    def _follow_bar(self, estimate: BeatEstimate, time: float, now: float) -> None:
        """Change the bar once the estimates have agreed on another for a while."""
        downbeat, metre = self._downbeat_of(estimate, time), estimate.metre
        is_same = metre == self.metre and (downbeat - self._downbeat) % metre == 0
        if is_same or estimate.bar_confidence < SURE_OF_BAR:
            self._other_bar_since = None
            return
        if self._is_bar_known:
            return
        bar = (metre, downbeat % metre)
        if self._other_bar_since is None or bar != self._other_bar:
            self._other_bar, self._other_bar_since = bar, now
        if now - self._other_bar_since >= BAR_S:
            self._take_bar(metre, downbeat, now)

    def _take_bar(self, metre: int, downbeat: int, now: float) -> None:
        """Count bars of a metre, one of which begins at a position, on from the present bar."""
        beat = math.floor(self._line.at(now))
        bar, before, place = self.bar_of(beat), self.beat_in_bar(beat), (beat - downbeat) % metre
        if place < before:
            bar += 1
        self.metre, self._downbeat = metre, beat - place - bar * metre


def near_tempo(one: float, other: float) -> bool:
    """Return whether two periods are nearly the same tempo."""
    return abs(math.log(one / other)) <= NEAR_TEMPO


def wrapped(beats: float) -> float:
    """Return a distance in beats, to the nearest beat: -0.5 to 0.5."""
    return beats - math.floor(beats + 0.5)


def _for(since: float | None, now: float) -> float:
    return -math.inf if since is None else now - since
