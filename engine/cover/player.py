"""What plays: from posteriors to events. One is the cover's, one the accompaniment's.

Times are seconds of the stream. Belongs to the worker thread.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import Event, NoteEvent, Posteriors
from engine.core.settings import EngineSettings
from engine.cover.style import style_pace
from engine.model.pipeline import Pipeline
from engine.perform.decoder import NoteDecoder
from engine.perform.performer import Performer
from engine.perform.touch import Touch
from engine.perform.tune.intonation import Intonation
from engine.perform.tune.share import TuneShare

Array = NDArray[np.float32]


class Player(Protocol):
    """Turns what is heard into events."""

    piece_samples: int | None
    """Where the stream's time has to be told: at every multiple of so many samples; None: never."""

    def change(self, settings: EngineSettings) -> Sequence[Event]:
        """Take other settings; return what ends for them."""

    def push(self, samples: Array, heard: Posteriors, now: float) -> Sequence[Event]:
        """Take samples (n,) up to ``now``, and the posteriors that they completed."""

    def skip(self, pending: Posteriors, now: float) -> Sequence[Event]:
        """Take that nothing is heard up to ``now``, and the posteriors of before."""

    def finish(self, pending: Posteriors, now: float) -> Sequence[Event]:
        """Take the stream's last posteriors; return the last events and the end of all notes."""

    def end(self) -> Sequence[Event]:
        """Return the note-offs of all notes; what was not played yet is not."""


class CoverPlayer:
    """Decodes the model's notes and plays them, each when it is heard.

    Parameters
    ----------
    pipeline
        Whose posteriors come, in the style that is asked for.
    settings
        Of the decoder and the performance.
    reserve
        Returns the seconds that notes wait beyond what hearing them takes, by the settings.
    """

    piece_samples: int | None = None

    def __init__(
        self,
        pipeline: Pipeline,
        settings: EngineSettings,
        reserve: Callable[[EngineSettings], float] = lambda _: 0.0,
    ) -> None:
        spec = pipeline.spec
        self._pipeline = pipeline
        pipeline.heard_style = None
        decoding = settings.decoder.resolved(spec.decoding)
        self._decoder = NoteDecoder(spec.features.frame_s, decoding, tune=TuneShare())
        self._reserve = reserve
        self._wait(settings)
        # A transcriber has the player's own touch, and no tune.
        is_cover = bool(decoding.notes_per_second)
        self._intonation = Intonation(spec.features.frame_s) if is_cover else None
        self._touch = Touch() if is_cover else None
        self._performer = Performer(settings.play, settings.midi)
        self._is_idle = False  # no frame is pending and no note sounds

    def change(self, settings: EngineSettings) -> Sequence[Event]:
        """Take other settings; return the note-offs for them."""
        self._decoder.change(settings.decoder.resolved(self._pipeline.spec.decoding))
        self._wait(settings)
        return self._performer.change(settings.play, settings.midi)

    def push(self, samples: Array, heard: Posteriors, now: float) -> Sequence[Event]:
        """Return the events that posteriors complete, in time order."""
        del samples, now
        self._is_idle = False
        self._decoder.pace = style_pace(self._pipeline.style, self._pipeline.spec)
        events = self._played(heard, self._decoder.push(heard))
        if not len(heard):
            return self._performer.push(events)
        # What comes later lies within half a frame of the row that is decided next, the last one,
        # or ended so many frames before.
        last = int(heard.frames[-1]) - 0.5 - self._decoder.wait_frames
        return self._performer.push(events, last * self._decoder.frame_s)

    def skip(self, pending: Posteriors, now: float) -> Sequence[Event]:
        """At the start of a gap pending frames are decoded and all notes end."""
        return () if self._is_idle else self.finish(pending, now)

    def finish(self, pending: Posteriors, now: float) -> Sequence[Event]:
        """Decode the last posteriors; return the last events and the end of all notes."""
        return [*self.push(np.zeros(0, np.float32), pending, now), *self.end()]

    def end(self) -> Sequence[Event]:
        """Return the note-offs of all notes, before a gap or the end."""
        self._is_idle = True
        ended = self._played(None, self._decoder.flush())
        return self._performer.push(ended) + self._performer.release_all()

    def _wait(self, settings: EngineSettings) -> None:
        self._decoder.wait_frames = int(self._reserve(settings) / self._decoder.frame_s)

    def _played(self, heard: Posteriors | None, events: Sequence[NoteEvent]) -> Sequence[NoteEvent]:
        """Return what was decoded as a pianist means and touches it; None: at a gap."""
        if self._intonation is None or self._touch is None:
            return events
        if heard is None:
            meant = self._intonation.end(events)
        else:
            meant = self._intonation.play(heard, events)
        return self._touch.play(meant)
