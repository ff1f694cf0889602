"""The accompaniment's player: it hears posteriors and beat, and plays ahead, on the beat.

Decisions are made at every hop of the front end, whatever the blocks, from what had arrived by
then. The player is that of two hands always. Not here: which notes (``engine.accompany``).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.accompany.accompanist import N_STYLES, Accompanist, SamplingSettings
from engine.accompany.loudness import LoudnessFollower
from engine.accompany.model import AccompanistModel
from engine.accompany.own_sound import OwnSound
from engine.accompany.step_writer import LISTEN_BARS, PlayState, StepWriter
from engine.beat.follower import BeatFollower
from engine.beat.gathering import StepGatherer
from engine.beat.opening import open_beat
from engine.core.errors import ConfigError, ModelError
from engine.core.notes import Event, Posteriors, notes_of
from engine.core.settings import EngineSettings, PlaySettings
from engine.cover.style import PITCH, VELOCITY, mean_deviations, style_pace
from engine.model.latency import writing_lead
from engine.model.pipeline import Pipeline
from engine.perform.performer import Performer
from engine.signal.resample import Resampler
from models import shipped
from models.spec import ModelSpec

Array = NDArray[np.float32]

NAME = "accompanist"
HEARS_IN = "balanced"
"""The style in which the model hears for it, whatever is asked: that in which it learned."""
SPREADS = {"notes": 0.37, "velocity": 9.0, "pitch": 3.5}
"""Of songs: notes a step as a share of the usual, mean velocity, mean pitch in semitones."""
MOST = 2.0  # deviations that a style may ask for

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Accompanying:
    """What an accompaniment is made with."""

    accompanist: Accompanist
    follower: BeatFollower
    lead: float
    """Seconds from a sample's capture to the time at which a note written for it can leave."""
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
    model = AccompanistModel(folder, settings.model.threads)
    return Accompanist(model, seed=settings.accompany.seed)


def needed_accompanist(
    settings: EngineSettings,
    spec: ModelSpec,
    follower: BeatFollower | None,
    open_one: Callable[[EngineSettings], Accompanist],
) -> Accompanist | None:
    """Return the accompanist that the settings ask for; None where a cover is played.

    Raises
    ------
    ConfigError
        Nothing follows the beat, or the model does not hear for an accompanist.
    ModelError
        No accompanist is there.
    """
    if not settings.is_accompanying:
        return None
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


def open_accompanying(
    pipeline: Pipeline, settings: EngineSettings, sample_rate: int, n_channels: int
) -> Accompanying | None:
    """Return what a whole song's accompaniment is made with; None where a cover is played.

    As late as from a device that gives blocks of the settings' size at once. Raises as
    ``needed_accompanist``.
    """
    if not settings.is_accompanying:
        return None
    features = pipeline.spec.features
    follower = open_beat(settings.beat, features)
    accompanist = needed_accompanist(settings, pipeline.spec, follower, open_accompanist)
    assert accompanist is not None and follower is not None
    if not follower.hears:
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
    return Accompanying(accompanist, follower, lead, is_device=False)


class AccompanimentPlayer:
    """Accompanies a stream.

    Parameters
    ----------
    pipeline
        Whose posteriors come; its style is what is asked for, not that in which it hears.
    settings
        Of performance, density and accompaniment.
    parts
        What it is made with; the follower is the pipeline's tap.
    """

    def __init__(self, pipeline: Pipeline, settings: EngineSettings, parts: Accompanying) -> None:
        spec = pipeline.spec
        features = spec.features
        self.piece_samples: int | None = features.hop_length
        self._pipeline, self._parts = pipeline, parts
        pipeline.heard_style = np.asarray(spec.styles[HEARS_IN], np.float32)
        self._gatherer = StepGatherer(features.frame_s)
        self._own = OwnSound(features.frame_s)
        self._loudness = LoudnessFollower()
        hearing = features.half_window_s
        hearing += (spec.lookahead_frames + spec.step_frames - 2) * features.frame_s
        self._hearing = hearing
        self._writer = StepWriter(
            parts.accompanist,
            parts.follower.clock,
            self._gatherer,
            lead=parts.lead,
            hearing=hearing,
        )
        self._writer.loudness = lambda: self._loudness.factor
        self._performer = Performer(_two_hands(settings.play), settings.midi)
        self._style: Array | None = None
        self._now = 0.0
        self.change(settings)

    @property
    def state(self) -> PlayState:
        """What it does now."""
        return self._writer.state

    def change(self, settings: EngineSettings) -> Sequence[Event]:
        """Take other settings; return the note-offs for them."""
        self._settings = settings
        self._writer.lead = self._parts.lead - settings.accompany.latency
        self._style = None
        return self._performer.change(_two_hands(settings.play), settings.midi)

    def push(self, samples: Array, heard: Posteriors, now: float) -> Sequence[Event]:
        """Return what is written now."""
        if len(samples):
            seconds = len(samples) / self._pipeline.spec.features.sample_rate
            self._loudness.push(float(np.mean(np.square(samples))), seconds)
        wanted = self._settings.accompany.hears_itself
        if wanted == "on" or (wanted == "auto" and self._parts.is_device):
            heard = self._own.take_out(heard)
        self._gatherer.push(heard)
        return self._tick(now)

    def skip(self, pending: Posteriors, now: float) -> Sequence[Event]:
        """Go on as if there was silence: a player who pauses for less than a bar is kept up."""
        self._gatherer.push(pending)
        self._gatherer.skip_to(int((now - self._hearing) / self._gatherer.frame_s))
        return self._tick(now)

    def end(self) -> Sequence[Event]:
        """Return the note-offs of all notes."""
        ended = self._performer.push(self._writer.rest(self._now + self._writer.lead))
        return [*ended, *self._performer.release_all()]

    def _tick(self, now: float) -> list[Event]:
        if now == self._now:
            return []
        self._now = now
        self._take_style()
        self._writer.listen_bars = 1 if self._parts.follower.is_told else LISTEN_BARS
        events = self._performer.push(self._writer.tick(now), now + self._writer.lead)
        self._own.play(notes_of(events))
        return events

    def _take_style(self) -> None:
        """Let the accompanist play in the style that is asked for."""
        if self._style is self._pipeline.style:
            return
        self._style, accompanist = self._pipeline.style, self._parts.accompanist
        spec, density = self._pipeline.spec, self._settings.decoder.density
        accompanist.style = asked_style(self._style, spec, density)
        pace = style_pace(self._style, spec) * density
        usual = SamplingSettings().notes_per_step
        accompanist.settings = replace(accompanist.settings, notes_per_step=usual * pace)


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


def _two_hands(play: PlaySettings) -> PlaySettings:
    return replace(play, hands=True)
