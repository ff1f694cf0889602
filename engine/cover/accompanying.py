"""What an accompanist is opened with, for a cover on the beat or for an accompaniment alone.

Not here: playing (``accompaniment``, ``on_beat``).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.accompany.accompanist import N_STYLES, Accompanist
from engine.accompany.model import AccompanistModel
from engine.accompany.sampling import SamplingSettings
from engine.accompany.strikes import NAME as STRIKES
from engine.accompany.strikes import load_strike_model
from engine.beat.follower import BeatFollower
from engine.beat.opening import open_beat
from engine.core.errors import ConfigError, ModelError
from engine.core.settings import EngineSettings, PlaySettings
from engine.cover.style import PITCH, VELOCITY, mean_deviations, style_pace
from engine.model.latency import writing_lead
from engine.model.pipeline import Pipeline
from engine.signal.resample import Resampler
from models import shipped
from models.spec import ModelSpec

Array = NDArray[np.float32]

NAME = "accompanist"
HEARS_IN = "balanced"
"""The style in which the accompanist learned to hear."""
SAMPLING = {
    "accompany": SamplingSettings(),
    "cover": SamplingSettings(
        temperature=0.1,
        safety=0.0,
        caution=0.0,
        least_safety=0.0,
        player_lag=0,
        density=0.0,
        fullness=0.0,
        restrike=2.0,
        hold=0.3,
        tie=0.1,
        candidates=1,
        habit=1.0,
        pulse=0.4,
        calm=0.0,
        evidence=0.6,
    ),
}
"""By mode. In a cover it is surer of itself, and what is heard decides with it."""
SPREADS = {"notes": 0.37, "velocity": 9.0, "pitch": 3.5}
"""Of songs: notes a step as a share of the usual, mean velocity, mean pitch in semitones."""
MOST = 2.0  # deviations that a style may ask for

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Accompanying:
    """What an accompaniment, or a cover on the beat, is made with."""

    accompanist: Accompanist
    follower: BeatFollower
    lead: float
    """Of an accompaniment: seconds from a sample's capture to the time at which a note written for
    it can leave."""
    reserve: Callable[[EngineSettings], float]
    """Of a cover: seconds of its latency beyond the least possible."""
    is_device: bool
    """Whether a microphone may hear it."""


def open_accompanist(settings: EngineSettings) -> Accompanist:
    """Return the accompanist that ships. Raises ModelError."""
    folder = shipped.path() / NAME
    if not folder.is_dir():
        raise ModelError(
            f"play.mode = accompany needs the accompanist's models, which are not in {folder}:"
            " install livecover anew, or take --mode cover"
        )
    threads = settings.model.threads
    strikes = None if settings.is_accompanying else load_strike_model(folder / STRIKES, threads)
    return Accompanist(
        AccompanistModel(folder, threads),
        SAMPLING[settings.play.mode],
        settings.accompany.seed,
        strikes=strikes,
    )


def needed_accompanist(
    settings: EngineSettings,
    spec: ModelSpec,
    follower: BeatFollower | None,
    open_one: Callable[[EngineSettings], Accompanist],
) -> Accompanist | None:
    """Return the accompanist that the settings ask for; None where a cover keeps no beat.

    A cover is on the beat where one is followed, and the model is for covers.

    Raises
    ------
    ConfigError
        Of an accompaniment: nothing follows the beat, or the model does not hear for one.
    ModelError
        No accompanist is there.
    """
    if not settings.is_accompanying:
        is_free = settings.play.rhythm == "free" or not _covers(spec)
        return None if is_free or follower is None else open_one(settings)
    if follower is None:
        raise ConfigError(
            "play.mode = accompany needs the beat, which nothing follows: set beat.source to auto,"
            " with a livecover that has its beat network"
        )
    if HEARS_IN not in spec.styles:
        raise ConfigError(
            f"play.mode = accompany needs a model with a style {HEARS_IN}, which {spec.name} has"
            " not: take model.model = live"
        )
    return open_one(settings)


def _covers(spec: ModelSpec) -> bool:
    """Return whether a model is for covers: one that transcribes has no usual number of notes."""
    return HEARS_IN in spec.styles and spec.decoding.notes_per_second > 0


def open_accompanying(
    pipeline: Pipeline,
    settings: EngineSettings,
    sample_rate: int,
    n_channels: int,
    reserve: Callable[[EngineSettings], float],
) -> Accompanying | None:
    """Return what a whole song is accompanied or covered on the beat with; None without a beat.

    An accompaniment is as late as from a device that gives blocks of the settings' size at once; a
    cover has a reserve. Raises as ``needed_accompanist``.
    """
    spec = pipeline.spec
    is_free = settings.play.rhythm == "free" or not _covers(spec)
    if is_free and not settings.is_accompanying:
        return None
    features = spec.features
    follower = open_beat(settings.beat, features)
    is_heard = follower is not None and follower.hears
    if not is_heard and not settings.is_accompanying:
        return None
    accompanist = needed_accompanist(settings, spec, follower, open_accompanist)
    if accompanist is None or follower is None:
        return None
    if not is_heard:
        raise ConfigError(
            "play.mode = accompany needs to hear a file's beat: set beat.source to auto, with a"
            " livecover that has its beat network"
        )
    pipeline.tap = follower
    lead = writing_lead(
        pipeline.spec,
        settings.time,
        block=settings.audio.block_size / sample_rate,
        device=0.0,
        resampler=Resampler(sample_rate, features.sample_rate, n_channels).delay,
    )
    return Accompanying(accompanist, follower, lead, reserve, is_device=False)


def play_in_style(
    accompanist: Accompanist, style: Array, spec: ModelSpec, settings: EngineSettings
) -> None:
    """Let an accompanist play in a style (24,), with as many notes as the settings ask for."""
    density = settings.decoder.density
    accompanist.style = asked_style(style, spec, density)
    pace = style_pace(style, spec) * density
    usual = SAMPLING[settings.play.mode].notes_per_step
    accompanist.settings = replace(accompanist.settings, notes_per_step=usual * pace)


def two_hands(play: PlaySettings) -> PlaySettings:
    """Return the settings of who plays with two hands always."""
    return replace(play, hands=True)


def asked_style(style: Array, spec: ModelSpec, density: float = 1.0) -> Array:
    """Return how the accompanist is asked to play (12,), by a style (24,) against the balanced one.

    Louder, higher and denser than usual by as much as the style is; spread and length are its own.
    """
    balanced = np.asarray(spec.styles[HEARS_IN], np.float32)
    louder, higher, _ = (mean_deviations(style) - mean_deviations(balanced)).tolist()
    denser = (style_pace(style, spec) * density - 1) / SPREADS["notes"]
    values = np.zeros(N_STYLES, np.float32)
    values[0] = values[1] = denser
    values[2] = higher * PITCH[1] / SPREADS["pitch"]
    values[4] = louder * VELOCITY[1] / SPREADS["velocity"]
    values = np.clip(values, -MOST, MOST)
    return np.concatenate([values, np.ones(N_STYLES, np.float32)])
