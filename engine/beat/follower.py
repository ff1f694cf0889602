"""The beat of a stream: heard beside the cover's model, told by a player or by a sequencer.

Not here: hearing (``tracker``), the clock (``clock``), opening (``opening``). Times are seconds of
the stream. Belongs to the worker thread; :attr:`BeatFollower.beat` may be read by any.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.beat.clock import SURE as SURE_OF_BEAT
from engine.beat.clock import BeatClock, near_tempo, wrapped
from engine.beat.estimate import BeatEstimate
from engine.beat.filter_settings import FilterSettings
from engine.beat.gathering import StepGatherer
from engine.beat.tapping import TapTempo
from engine.beat.tracker import BeatTracker
from engine.core.notes import Posteriors
from engine.core.settings import BeatSettings
from engine.core.tempo import Beat, BeatState, Tempo
from engine.model.frontend import FrontEnd
from models.spec import FeatureSpec

Array = NDArray[np.float32]

SLOWEST_BPM, FASTEST_BPM = 30.0, 300.0
"""Of what a player says."""
USUAL_METRE = 4
EVEN_TAPS = 4  # from which on taps tell a tempo better than it was known
PLACING_TAPS = 3  # from which on they mean it, where they lie between what is heard
BETWEEN = 0.2  # of a beat: so far from what is heard
FORGET_S = 4.0  # of silence until what a player said counts no more: another song may begin
SURE, VERY_SURE = 0.9, 0.9999  # of the bar


class BeatFollower:
    """Follows the beat of one stream after the other; a ``FeatureTap`` of the pipeline.

    A sequencer that plays takes precedence over what is heard, and a player over both.

    Parameters
    ----------
    settings
        Which source; what is known; :meth:`change` takes others of the same source.
    features
        Of the pipeline.
    tracker
        Hears the beat; None where none is heard.
    frontend
        Computes the tracker's features where the pipeline's are others.

    Attributes
    ----------
    clock : BeatClock
        Says when beats fall.
    beat : Beat
        As it is now.
    """

    def __init__(
        self,
        settings: BeatSettings,
        features: FeatureSpec,
        tracker: BeatTracker | None = None,
        frontend: FrontEnd | None = None,
    ) -> None:
        self._settings = settings
        self._sample_rate = features.sample_rate
        self._tracker, self._frontend = tracker, frontend
        self._taps = TapTempo()
        self._gatherer = StepGatherer(features.frame_s)
        self.clock = BeatClock() if tracker is None else tracker.clock
        self.begin(0.0, 0.0)

    def begin(self, start: float, first_frame: float) -> None:
        """Begin anew, with a sample at ``start`` s and a frame centred at ``first_frame`` s."""
        self._start, self._n_samples = start, 0
        self._taps.reset()
        self._gatherer.reset()
        self._sequencer: Tempo | None = None  # that plays
        self._standing: Tempo | None = None  # of a sequencer that does not
        self._told_bpm: float | None = None  # by a player, or a sequencer before
        self._is_placed = False  # by a player: the beat is nowhere else
        self.clock.reset()
        if self._frontend is not None:
            self._frontend.reset()
        if self._tracker is not None:
            self._tracker.offset = self._settings.offset
            self._tracker.scale, self._tracker.turn = 1, 0.0
            self._tracker.reset(first_frame if self._frontend is None else start)
            self._believe()
        self.clock.metre = self._metre
        self._look()

    @property
    def now(self) -> float:
        """Seconds of the stream so far."""
        return self._start + self._n_samples / self._sample_rate

    def push(self, samples: Array, features: Array, cents: float) -> None:
        """Take the pipeline's next samples (n,) and features (k, F), and its tuning."""
        self._n_samples += len(samples)
        if self._frontend is not None:
            self._frontend.cents = cents
            _, features = self._frontend.push(samples)
        if self._tracker is not None:
            self._tracker.push(features)
        if len(features):
            self._look()

    def push_posteriors(self, posteriors: Posteriors) -> None:
        """Take the pipeline's next posteriors."""
        if self._tracker is not None and len(posteriors):
            self._gatherer.push(posteriors)
            self._tracker.push_posteriors(self._gatherer)

    def skip(self, samples: Array, n_frames: int) -> None:
        """Pass over samples (n,) and the frames that they complete."""
        self._n_samples += len(samples)
        if self._frontend is not None:
            n_frames = self._frontend.skip(samples)
        if self._tracker is not None:
            self._tracker.skip(n_frames)
        self._look()

    def change(self, settings: BeatSettings) -> None:
        """Go on with another tempo, metre or offset."""
        before, self._settings = self._settings, settings
        later = settings.offset - before.offset
        if self._tracker is not None:
            self._tracker.offset = settings.offset
        elif later and self._is_there:
            self.clock.take(self._here.later(-later), self.now)
        if (settings.tempo, settings.metre) == (before.tempo, before.metre):
            return
        if settings.tempo != before.tempo:
            self._told_bpm = None
        if not self._is_there:
            self.clock.metre = self._metre
            self._believe()
            return
        here = replace(self._here, metre=self._metre)
        if settings.tempo is not None:
            here = replace(here, period=60 / settings.tempo)
        self._say(replace(here, beat_in_bar=here.beat_in_bar % here.metre))

    def correct(self, correction: str, time: float) -> None:
        """Take what a player says of a time; see ``CORRECTIONS``. Does nothing without a beat."""
        if correction == "tap" or (correction == "one" and not self._is_there):
            self._tap(time)
        elif not self._is_there:
            return
        elif correction == "one":
            beat = math.floor(self.clock.position(self.now))
            first = math.floor(self.clock.position(time) + 0.5)
            here = replace(self._here, beat_in_bar=(beat - first) % self.clock.metre)
            self._is_placed = True
            self._say(replace(here, bar_confidence=VERY_SURE))
        else:
            self._scale_tempo(2.0 if correction == "double" else 0.5)
        self._look()

    def sequence(self, tempo: Tempo | None) -> None:
        """Take a sequencer's tempo, in seconds of the stream; None where there is none.

        It is followed while the sequencer plays, that is, tells which beat it is.
        """
        if self._settings.source not in ("auto", "clock"):
            return
        was_followed = self._sequencer is not None
        plays = tempo is not None and tempo.beat is not None
        self._sequencer, self._standing = (tempo, None) if plays else (None, tempo)
        if self._sequencer is None and was_followed:
            self._leave_sequencer()
        self._look()

    @property
    def hears(self) -> bool:
        """Whether it can find a beat by itself."""
        return self._tracker is not None

    @property
    def is_told(self) -> bool:
        """Whether a player or a sequencer said what the tempo is."""
        told = (self._told_bpm, self._settings.tempo, self._sequencer)
        return self._tracker is None or any(tempo is not None for tempo in told)

    @property
    def _is_there(self) -> bool:
        return self.clock.state is not BeatState.LOST

    @property
    def _here(self) -> BeatEstimate:
        return self.clock.estimate(self.now)

    @property
    def _metre(self) -> int:
        return self._settings.beats_per_bar or USUAL_METRE

    def _tap(self, time: float) -> None:
        """Take a beat at a time; a count that begins while there is none is that of a bar."""
        if self._settings.source == "clock":
            return
        self._taps.tap(time)
        period = self._tapped_period()
        if period is None or not SLOWEST_BPM <= 60 / period <= FASTEST_BPM:
            return
        metre = self.clock.metre
        place = (self._taps.n_taps - 1) % metre
        if self._is_there:
            place = self.clock.beat_in_bar(math.floor(self.clock.position(time) + 0.5))
        tapped = BeatEstimate(0, 0.0, period, place, metre, 1.0, SURE)
        tapped = tapped.later(self.now - self._taps.beat_at)
        heard = self._heard_like(tapped)
        if heard is None or self._tracker is None:
            self._say(tapped)
        elif self._taps.n_taps < PLACING_TAPS:
            self.clock.take(tapped, self.now)  # for now: what is heard may know better
        else:
            apart = wrapped(heard.phase - tapped.phase)
            self._tracker.turn = apart if abs(apart) > BETWEEN else 0.0
            self._say(tapped)

    def _heard_like(self, tapped: BeatEstimate) -> BeatEstimate | None:
        """Return what is heard now, where that is surely the tempo that is tapped."""
        if self._tracker is None or self._tracker.silence:
            return None
        heard = self._tracker.heard(self.now)
        is_sure = heard.confidence >= SURE_OF_BEAT and near_tempo(heard.period, tapped.period)
        return heard if is_sure else None

    def _tapped_period(self) -> float | None:
        """Return seconds a beat; few taps are less even than a tempo that is known."""
        bpm = self.clock.bpm if self._is_there else self._settings.tempo
        known, tapped = (60 / bpm if bpm else None), self._taps.period
        if known is None or tapped is None:
            return known or tapped
        is_few = self._taps.n_taps < EVEN_TAPS
        return known if is_few and near_tempo(tapped, known) else tapped

    def _scale_tempo(self, factor: float) -> None:
        """Count ``factor`` beats for each; those on which bars begin stay beats."""
        clock, now = self.clock, self.now
        if not SLOWEST_BPM <= clock.bpm * factor <= FASTEST_BPM:
            return
        self._is_placed = True
        tracker, heard = self._tracker, self._here
        if tracker is not None and factor > 1 and tracker.scale == 1:
            # What is heard goes on: between its beats there may be nothing to hear.
            clock.take(clock.scaled(factor, now), now)
            tracker.scale, self._told_bpm = 2, 60 / heard.period
            self._believe(heard)
        elif tracker is not None and factor < 1 and tracker.scale > 1:
            tracker.scale = 1
            clock.take(tracker.heard(now), now)
        else:
            self._say(clock.scaled(factor, now))

    def _say(self, estimate: BeatEstimate) -> None:
        """Take what a player says of now."""
        self.clock.take(estimate, self.now, estimate.bar_confidence >= VERY_SURE)
        tracker = self._tracker
        if tracker is not None and tracker.scale > 1:
            if near_tempo(tracker.heard(self.now).period, estimate.period):
                return
            tracker.scale = 1
        self._told_bpm = 60 / estimate.period
        self._believe(estimate)

    def _believe(self, estimate: BeatEstimate | None = None) -> None:
        """Let the tracker believe what is known."""
        if self._tracker is not None:
            bpm = self._told_bpm or self._settings.tempo
            metre = self._settings.beats_per_bar
            known = FilterSettings().known(bpm, metre, self._is_placed)
            self._tracker.believe(known, estimate, self.now)

    def _forget(self) -> None:
        """Believe no more what a player said, once its song is over."""
        is_silent = self._tracker is not None and self._tracker.silence > FORGET_S
        if self._told_bpm is not None and (is_silent or not self._is_there):
            self._told_bpm, self._is_placed = None, False
            if self._tracker is not None:
                self._tracker.scale, self._tracker.turn = 1, 0.0
            self._believe()

    def _leave_sequencer(self) -> None:
        """Go on by what is heard; without that, the beat is over."""
        if self._tracker is None:
            self.clock.lose()
        else:
            self._told_bpm, self._is_placed = self.clock.bpm, False
            self._tracker.scale = 1
            self._believe(self._here)

    def _look(self) -> None:
        """Follow the sequencer, or what is heard; tell the beat."""
        if self._tracker is not None:
            self._tracker.leads = self._sequencer is None
        if self._sequencer is not None:
            self.beat = self._sequenced(self._sequencer)
            return
        self._forget()
        source = "tapped" if self._tracker is None else "heard"
        if self._settings.source == "clock":
            source = "clock"
        clock = self.clock
        if self._standing is not None and not self._is_there:
            self.beat = Beat("clock", BeatState.LOCKED, 1.0, self._standing)
            return
        if not clock.bpm:
            self.beat = Beat(source)
            return
        coming = math.floor(clock.position(self.now)) + 1
        number = clock.bar_of(coming) * clock.metre + clock.beat_in_bar(coming)
        tempo = Tempo(clock.bpm, clock.time_of(coming), number, clock.metre)
        self.beat = Beat(source, clock.state, clock.confidence, tempo)

    def _sequenced(self, tempo: Tempo) -> Beat:
        """Follow a sequencer; return its beat."""
        beats, metre = tempo.beat_of(self.now - self._settings.offset), tempo.beats_per_bar
        assert beats is not None
        beat = math.floor(beats)
        here = BeatEstimate(0, beats - beat, tempo.beat_s, beat % metre, metre, 1.0, SURE)
        self.clock.take(here, self.now)
        at = self.now + (beat + 1 - beats) * tempo.beat_s
        return Beat("clock", BeatState.LOCKED, 1.0, Tempo(tempo.bpm, at, beat + 1, metre))
