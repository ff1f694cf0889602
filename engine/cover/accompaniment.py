"""The accompaniment's player: it hears posteriors and beat, and plays ahead, on the beat.

Decisions are made at every hop of the front end, whatever the blocks, from what had arrived by
then. The player is that of two hands always. Not here: which notes (``engine.accompany``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.accompany.loudness import LoudnessFollower
from engine.accompany.own_sound import OwnSound
from engine.accompany.step_writer import LISTEN_BARS, PlayState, StepWriter
from engine.beat.steps.gathering import StepGatherer
from engine.core.notes import Event, Posteriors, notes_of
from engine.core.settings import EngineSettings
from engine.cover.accompanying import HEARS_IN, Accompanying, play_in_style, two_hands
from engine.model.pipeline import Pipeline
from engine.perform.performer import Performer

Array = NDArray[np.float32]


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
        self._performer = Performer(two_hands(settings.play), settings.midi)
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
        return self._performer.change(two_hands(settings.play), settings.midi)

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

    def finish(self, pending: Posteriors, now: float) -> Sequence[Event]:
        """Take the last posteriors; return the last events and the end of all notes."""
        return [*self.push(np.zeros(0, np.float32), pending, now), *self.end()]

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
        style = self._pipeline.style
        if self._style is not style:
            self._style = style
            play_in_style(self._parts.accompanist, style, self._pipeline.spec, self._settings)
