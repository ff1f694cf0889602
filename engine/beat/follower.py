"""The beat of a stream: what is heard of it beside the cover's model, and what is known of it now.

Not here: hearing (``tracker``), the clock (``clock``). Times are seconds of the stream. Belongs to
the worker thread; :attr:`BeatFollower.beat` may be read by any.
"""

import logging
import math

import numpy as np
from numpy.typing import NDArray

from engine.beat.activations import load_beat_model
from engine.beat.clock import BeatClock
from engine.beat.tracker import BeatTracker
from engine.core.errors import ModelError
from engine.core.settings import BeatSettings
from engine.core.tempo import Beat, Tempo
from engine.model.frontend import FrontEnd, load_frontend
from models.spec import FeatureSpec

Array = NDArray[np.float32]

_log = logging.getLogger(__name__)


class BeatFollower:
    """Follows the beat of one stream after the other; a ``FeatureTap`` of the pipeline.

    Parameters
    ----------
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
        self, features: FeatureSpec, tracker: BeatTracker | None, frontend: FrontEnd | None = None
    ) -> None:
        self._sample_rate = features.sample_rate
        self._tracker, self._frontend = tracker, frontend
        self.clock = BeatClock() if tracker is None else tracker.clock
        self.begin(0.0, 0.0)

    def begin(self, start: float, first_frame: float) -> None:
        """Begin anew, with a sample at ``start`` s and a frame centred at ``first_frame`` s."""
        self._start, self._n_samples = start, 0
        if self._frontend is not None:
            self._frontend.reset()
        if self._tracker is not None:
            self._tracker.reset(first_frame if self._frontend is None else start)
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
        self._look()

    def skip(self, samples: Array, n_frames: int) -> None:
        """Pass over samples (n,) and the frames that they complete."""
        self._n_samples += len(samples)
        if self._frontend is not None:
            n_frames = self._frontend.skip(samples)
        if self._tracker is not None:
            self._tracker.skip(n_frames)
        self._look()

    def _look(self) -> None:
        """Note how the beat is now."""
        clock = self.clock
        if clock.period == math.inf:
            self.beat = Beat("heard")
            return
        coming = math.floor(clock.position(self.now)) + 1
        number = clock.bar_of(coming) * clock.metre + clock.beat_in_bar(coming)
        tempo = Tempo(clock.bpm, clock.time_of(coming), number, clock.metre)
        self.beat = Beat("heard", clock.state, clock.confidence, tempo)


def open_beat(settings: BeatSettings, features: FeatureSpec) -> BeatFollower | None:
    """Return what follows the beat as the settings say, beside a model of these features; or None.

    Where no beat can be heard a line in the log says why.
    """
    if settings.source == "off":
        return None
    try:
        model = load_beat_model()
        wanted = model.spec.features
        if wanted.sample_rate != features.sample_rate:
            raise ModelError(
                f"the model hears {features.sample_rate} Hz, and the beat network"
                f" {wanted.sample_rate} Hz: take a model that comes with livecover"
            )
        frontend = None if wanted == features else load_frontend(wanted)
    except ModelError as error:
        _log.warning("no beat is heard: %s", error)
        return None
    return BeatFollower(features, BeatTracker(model), frontend)
