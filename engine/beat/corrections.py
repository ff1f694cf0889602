"""What a player says of the beat, by corrections and settings, and what is believed of it since.

Not here: the taps of one count (``tapping``), a sequencer that plays (``follower``). Times are
seconds of the stream. Belongs to the worker thread.
"""

import math
from dataclasses import replace

from engine.beat.clock import SURE as SURE_OF_BEAT
from engine.beat.clock import BeatClock, near_tempo, wrapped
from engine.beat.estimate import BeatEstimate
from engine.beat.filter_settings import FilterSettings
from engine.beat.tapping import TapTempo
from engine.beat.tracker import BeatTracker
from engine.core.settings import BeatSettings
from engine.core.tempo import BeatState

SLOWEST_BPM, FASTEST_BPM = 30.0, 300.0
"""Of what a player says."""
USUAL_METRE = 4
EVEN_TAPS = 4  # from which on taps tell a tempo better than it was known
PLACING_TAPS = 3  # from which on they mean it, where they lie between what is heard
BETWEEN = 0.2  # of a beat: so far from what is heard
FORGET_S = 4.0  # of silence until what a player said counts no more: another song may begin
SURE, VERY_SURE = 0.9, 0.9999  # of the bar


class BeatCorrections:
    """Brings what a player says to the clock, and to the tracker, which believes it from then on.

    Each method is told what time it is ``now``.

    Parameters
    ----------
    settings
        What is known; :meth:`change` takes others.
    clock
        Is set to what a player says.
    tracker
        Hears the beat; None where none is heard.

    Attributes
    ----------
    told_bpm : float or None
        The tempo that a player said, or a sequencer before.
    """

    def __init__(
        self, settings: BeatSettings, clock: BeatClock, tracker: BeatTracker | None
    ) -> None:
        self._settings, self._clock, self._tracker = settings, clock, tracker
        self._taps = TapTempo()
        self.told_bpm: float | None = None
        self._is_placed = False  # by a player: the beat is nowhere else

    def begin(self, now: float) -> None:
        """Begin anew, knowing the settings alone."""
        self._taps.reset()
        self.told_bpm, self._is_placed = None, False
        if self._tracker is not None:
            self._tracker.scale, self._tracker.turn = 1, 0.0
        self._believe(now)
        self._clock.metre = self._metre

    def change(self, settings: BeatSettings, now: float) -> None:
        """Go on with another tempo or metre."""
        before, self._settings = self._settings, settings
        if (settings.tempo, settings.metre) == (before.tempo, before.metre):
            return
        if settings.tempo != before.tempo:
            self.told_bpm = None
        if not self._is_there:
            self._clock.metre = self._metre
            self._believe(now)
            return
        here = replace(self._clock.estimate(now), metre=self._metre)
        if settings.tempo is not None:
            here = replace(here, period=60 / settings.tempo)
        self._say(replace(here, beat_in_bar=here.beat_in_bar % here.metre), now)

    def take(self, correction: str, time: float, now: float) -> bool:
        """Take what a player says of a time; see ``CORRECTIONS``.

        Return whether it could be: without a beat, only that a beat is here, or a bar begins.
        """
        clock = self._clock
        if correction == "tap" or (correction == "one" and not self._is_there):
            self._tap(time, now)
        elif not self._is_there:
            return False
        elif correction == "one":
            beat = math.floor(clock.position(now))
            first = math.floor(clock.position(time) + 0.5)
            here = replace(clock.estimate(now), beat_in_bar=(beat - first) % clock.metre)
            self._is_placed = True
            self._say(replace(here, bar_confidence=VERY_SURE), now)
        else:
            self._scale_tempo(2.0 if correction == "double" else 0.5, now)
        return True

    def believe_clock(self, now: float) -> None:
        """Go on from where the clock is, once the sequencer that it followed does not play."""
        self.told_bpm, self._is_placed = self._clock.bpm, False
        if self._tracker is not None:
            self._tracker.scale = 1
        self._believe(now, self._clock.estimate(now))

    def forget(self, now: float) -> None:
        """Believe no more what a player said, once its song is over."""
        is_silent = self._tracker is not None and self._tracker.silence > FORGET_S
        if self.told_bpm is not None and (is_silent or not self._is_there):
            self.told_bpm, self._is_placed = None, False
            if self._tracker is not None:
                self._tracker.scale, self._tracker.turn = 1, 0.0
            self._believe(now)

    @property
    def _is_there(self) -> bool:
        return self._clock.state is not BeatState.LOST

    @property
    def _metre(self) -> int:
        return self._settings.beats_per_bar or USUAL_METRE

    def _tap(self, time: float, now: float) -> None:
        """Take a beat at a time; a count that begins while there is none is that of a bar."""
        if self._settings.source == "clock":
            return
        self._taps.tap(time)
        period = self._tapped_period()
        if period is None or not SLOWEST_BPM <= 60 / period <= FASTEST_BPM:
            return
        metre = self._clock.metre
        place = (self._taps.n_taps - 1) % metre
        if self._is_there:
            place = self._clock.beat_in_bar(math.floor(self._clock.position(time) + 0.5))
        tapped = BeatEstimate(0, 0.0, period, place, metre, 1.0, SURE)
        tapped = tapped.later(now - self._taps.beat_at)
        heard = self._heard_like(tapped, now)
        if heard is None or self._tracker is None:
            self._say(tapped, now)
        elif self._taps.n_taps < PLACING_TAPS:
            self._clock.take(tapped, now)  # for now: what is heard may know better
        else:
            apart = wrapped(heard.phase - tapped.phase)
            self._tracker.turn = apart if abs(apart) > BETWEEN else 0.0
            self._say(tapped, now)

    def _heard_like(self, tapped: BeatEstimate, now: float) -> BeatEstimate | None:
        """Return what is heard now, where that is surely the tempo that is tapped."""
        if self._tracker is None or self._tracker.silence:
            return None
        heard = self._tracker.heard(now)
        is_sure = heard.confidence >= SURE_OF_BEAT and near_tempo(heard.period, tapped.period)
        return heard if is_sure else None

    def _tapped_period(self) -> float | None:
        """Return seconds a beat; few taps are less even than a tempo that is known."""
        bpm = self._clock.bpm if self._is_there else self._settings.tempo
        known, tapped = (60 / bpm if bpm else None), self._taps.period
        if known is None or tapped is None:
            return known or tapped
        is_few = self._taps.n_taps < EVEN_TAPS
        return known if is_few and near_tempo(tapped, known) else tapped

    def _scale_tempo(self, factor: float, now: float) -> None:
        """Count ``factor`` beats for each; those on which bars begin stay beats."""
        clock = self._clock
        if not SLOWEST_BPM <= clock.bpm * factor <= FASTEST_BPM:
            return
        self._is_placed = True
        tracker, heard = self._tracker, clock.estimate(now)
        if tracker is not None and factor > 1 and tracker.scale == 1:
            # What is heard goes on: between its beats there may be nothing to hear.
            clock.take(clock.scaled(factor, now), now)
            tracker.scale, self.told_bpm = 2, 60 / heard.period
            self._believe(now, heard)
        elif tracker is not None and factor < 1 and tracker.scale > 1:
            tracker.scale = 1
            clock.take(tracker.heard(now), now)
        else:
            self._say(clock.scaled(factor, now), now)

    def _say(self, estimate: BeatEstimate, now: float) -> None:
        """Take what a player says of now."""
        self._clock.take(estimate, now, estimate.bar_confidence >= VERY_SURE)
        tracker = self._tracker
        if tracker is not None and tracker.scale > 1:
            if near_tempo(tracker.heard(now).period, estimate.period):
                return
            tracker.scale = 1
        self.told_bpm = 60 / estimate.period
        self._believe(now, estimate)

    def _believe(self, now: float, estimate: BeatEstimate | None = None) -> None:
        """Let the tracker believe what is known."""
        if self._tracker is not None:
            bpm = self.told_bpm or self._settings.tempo
            metre = self._settings.beats_per_bar
            known = FilterSettings().known(bpm, metre, self._is_placed)
            self._tracker.believe(known, estimate, now)
