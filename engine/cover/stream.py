"""Blocks of a source to note events, without threads or clocks; shared by live and files.

One stream is one source from its first sample to its end or loss; times are seconds of it.
"""

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import Event, Posteriors
from engine.core.settings import EngineSettings, ModelSettings
from engine.cover.style import style_pace, style_vector
from engine.model.pipeline import Pipeline, load_pipeline
from engine.perform.decoder import NoteDecoder
from engine.perform.performer import Performer
from engine.signal.conditioning import InputConditioner
from engine.signal.gate import Gate
from engine.signal.tuning import hertz_of

Array = NDArray[np.float32]


def open_pipeline(settings: ModelSettings) -> Pipeline:
    """Return the model that the settings name, in their style. Raises ModelError, ConfigError."""
    pipeline = load_pipeline(settings.model, settings.provider, settings.threads)
    pipeline.style = style_vector(settings.style, pipeline.spec)
    pipeline.tuning = settings.tuning
    return pipeline


class CoverStream:
    """Blocks (n, c) in, events out.

    Parameters
    ----------
    pipeline
        Front end and model; reset here, and used by this stream alone until its end.
    settings
        Of the decoder, the gate and the performance; :meth:`change` takes others.
    sample_rate, n_channels
        Of the blocks.
    """

    def __init__(
        self, pipeline: Pipeline, settings: EngineSettings, sample_rate: int, n_channels: int
    ) -> None:
        spec = pipeline.spec
        pipeline.reset()
        self._pipeline = pipeline
        self._input = InputConditioner(sample_rate, spec.features.sample_rate, n_channels)
        self._gate = Gate(settings.gate, spec.features.sample_rate)
        decoding = settings.decoder.resolved(spec.decoding)
        self._decoder = NoteDecoder(spec.features.frame_s, decoding)
        self._performer = Performer(settings.play, settings.midi)
        self._hop_length = spec.features.hop_length
        self._is_idle = False  # no frame is pending and no note sounds
        self._n_samples_over = 0  # skipped ones that fill no frame yet
        self.n_skipped_frames = 0
        """Frames passed over because the machine was too slow; sleep is not among them."""

    @property
    def is_asleep(self) -> bool:
        """True while silence lasts."""
        return self._gate.is_asleep

    @property
    def a4_hz(self) -> float:
        """Estimated tuning: frequency of A4 in hertz."""
        return hertz_of(self._pipeline.cents)

    @property
    def resampler_delay(self) -> float:
        """Seconds that the resampler holds back."""
        return self._input.delay

    def change(self, settings: EngineSettings) -> list[Event]:
        """Take other settings of the decoder and the performance; return the note-offs for them."""
        self._decoder.change(settings.decoder.resolved(self._pipeline.spec.decoding))
        return self._performer.change(settings.play, settings.midi)

    def prime(self, block: Array) -> None:
        """Estimate DC offset, polarity, level and tuning from a song's first block (n, c).

        Before it is pushed.
        """
        self._pipeline.prime(self._input.prime(block))

    def push(self, block: Array) -> list[Event]:
        """Return the events that a block (n, c) completes, in time order."""
        samples = self._input.push(block)
        to_skip, to_process = self._gate.push(samples)
        events: list[Event] = []
        if len(to_skip):
            events += self._skip(to_skip)
        if len(to_process):
            events += self._decode(self._pipeline.push(to_process))
        return events

    def skip(self, block: Array) -> list[Event]:
        """Skip a block (n, c) that there was no time for; sounding notes end."""
        samples = self._input.push(block)
        n_frames, self._n_samples_over = divmod(
            self._n_samples_over + len(samples), self._hop_length
        )
        self.n_skipped_frames += n_frames
        return self._skip(np.concatenate((self._gate.flush(), samples)))

    def finish(self) -> list[Event]:
        """Return the last events; every sounding note ends. The stream is over."""
        to_skip, to_process = self._gate.push(self._input.flush())
        to_skip = np.concatenate((to_skip, self._gate.flush()))
        events = self._skip(to_skip) if len(to_skip) else []
        events += self._decode(self._pipeline.push(to_process))
        return events + self._decode(self._pipeline.flush()) + self._end_notes()

    def cut(self) -> list[Event]:
        """Return the note-offs of all notes; pending frames are dropped. The stream is over."""
        return self._end_notes()

    def _skip(self, samples: Array) -> list[Event]:
        """Skip samples; at the start of a gap pending frames are decoded and all notes end."""
        pending = self._pipeline.skip(samples)
        return [] if self._is_idle else self._decode(pending) + self._end_notes()

    def _decode(self, posteriors: Posteriors) -> list[Event]:
        self._is_idle = False
        self._decoder.pace = style_pace(self._pipeline.style, self._pipeline.spec)
        events = self._decoder.push(posteriors)
        if not len(posteriors):
            return self._performer.push(events)
        # Events lie within half a frame of the row that is decided next, which is the last one.
        now = (int(posteriors.frames[-1]) - 0.5) * self._decoder.frame_s
        return self._performer.push(events, now)

    def _end_notes(self) -> list[Event]:
        """Return the note-offs of all notes, before a gap or the end."""
        self._is_idle = True
        return self._performer.push(self._decoder.flush()) + self._performer.release_all()
