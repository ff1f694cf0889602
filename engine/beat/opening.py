"""Opening what follows the beat as the settings say."""

import logging

import numpy as np

from engine.beat.activations import load_beat_model
from engine.beat.bars import BarTracker, load_bar_model
from engine.beat.follower import BeatFollower
from engine.beat.tracker import STEP_FRAMES, BeatTracker
from engine.core.errors import ModelError
from engine.core.settings import BeatSettings
from engine.model.frontend import FrontEnd, load_frontend
from models.spec import FeatureSpec

_log = logging.getLogger(__name__)


def open_beat(settings: BeatSettings, features: FeatureSpec) -> BeatFollower | None:
    """Return what follows the beat beside a model of these features; None where nothing does.

    Where the settings ask to hear it and no network can, a line in the log says why; taps and MIDI
    clock are followed then.
    """
    if settings.source == "off":
        return None
    tracker = frontend = None
    if settings.source == "auto":
        try:
            tracker, frontend = _open_tracker(features)
        except ModelError as error:
            _log.warning("the beat is not heard, only taps and MIDI clock count: %s", error)
    return BeatFollower(settings, features, tracker, frontend)


def _open_tracker(features: FeatureSpec) -> tuple[BeatTracker, FrontEnd | None]:
    """Return a tracker, and its own front end where it needs one. Raises ModelError."""
    model = load_beat_model()
    own = model.spec.features
    if own.sample_rate != features.sample_rate:
        raise ModelError(
            f"the model hears {features.sample_rate} Hz, the beat network {own.sample_rate} Hz:"
            " take a model of that rate"
        )
    model.step(np.zeros((STEP_FRAMES, own.n_bins), np.float32))  # warm; a tracker begins anew
    bars = BarTracker(load_bar_model())
    return BeatTracker(model, bars=bars), None if own == features else load_frontend(own)
