"""The beat of a stream: heard beside the cover's model, told by a player or by a sequencer.

Not here: hearing (``tracker``), the clock (``clock``), what a player says (``corrections``),
opening (``opening``). Times are seconds of the stream. Belongs to the worker thread;
:attr:`BeatFollower.beat` may be read by any.
"""

import math

import numpy as np
from numpy.typing import NDArray

from engine.beat.clock import BeatClock
from engine.beat.corrections import SURE, BeatCorrections
from engine.beat.estimate import BeatEstimate
from engine.beat.steps.gathering import StepGatherer
from engine.beat.steps.sound import SoundGatherer
from engine.beat.tracker import BeatTracker
from engine.core.notes import Posteriors
from engine.core.settings import BeatSettings
from engine.core.tempo import Beat, BeatState, Tempo
from engine.model.frontend import FrontEnd
from models.spec import FeatureSpec

Array = NDArray[np.float32]


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
    sound : SoundGatherer
        The sound that the pipeline heard.
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
        self._gatherer = StepGatherer(features.frame_s)
        self.sound = SoundGatherer(features)
        self.clock = BeatClock() if tracker is None else tracker.clock
        self._corrections = BeatCorrections(settings, self.clock, tracker)
        self.begin(0.0, 0.0)

    def begin(self, start: float, first_frame: float) -> None:
        """Begin anew, with a sample at ``start`` s and a frame centred at ``first_frame`` s."""
        self._start, self._n_samples = start, 0
        self._gatherer.reset()
        self.sound.begin(first_frame)
        self._sequencer: Tempo | None = None  # that plays
        self._standing: Tempo | None = None  # of a sequencer that does not
        self.clock.reset()
        if self._frontend is not None:
            self._frontend.reset()
        if self._tracker is not None:
            self._tracker.offset = self._settings.offset
            self._tracker.reset(first_frame if self._frontend is None else start)
        self._corrections.begin(self.now)
        self._look()

    @property
    def now(self) -> float:
        """Seconds of the stream so far."""
        return self._start + self._n_samples / self._sample_rate

    def push(self, samples: Array, features: Array, cents: float) -> None:
        """Take the pipeline's next samples (n,) and features (k, F), and its tuning."""
        self._n_samples += len(samples)
        self.sound.push(features)
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
        self.sound.skip(n_frames)
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
        elif later and self.clock.state is not BeatState.LOST:
            self.clock.take(self.clock.estimate(self.now).later(-later), self.now)
        self._corrections.change(settings, self.now)

    def correct(self, correction: str, time: float) -> None:
        """Take what a player says of a time; see ``CORRECTIONS``. Does nothing without a beat."""
        if self._corrections.take(correction, time, self.now):
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
        told = (self._corrections.told_bpm, self._settings.tempo, self._sequencer)
        return self._tracker is None or any(tempo is not None for tempo in told)

    def _leave_sequencer(self) -> None:
        """Go on by what is heard; without that, the beat is over."""
        if self._tracker is None:
            self.clock.lose()
        else:
            self._corrections.believe_clock(self.now)

    def _look(self) -> None:
        """Follow the sequencer, or what is heard; tell the beat."""
        if self._tracker is not None:
            self._tracker.leads = self._sequencer is None
        if self._sequencer is not None:
            self.beat = self._sequenced(self._sequencer)
            return
        self._corrections.forget(self.now)
        source = "tapped" if self._tracker is None else "heard"
        if self._settings.source == "clock":
            source = "clock"
        clock = self.clock
        if self._standing is not None and self.clock.state is BeatState.LOST:
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
