"""One source from its start to its end or loss: ring, clock, stream, and its place in time.

The engine's time is seconds since its start; a source's is seconds since its first sample.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.accompany.accompanist import Accompanist
from engine.audio.opening import AudioSource, DeviceSource, SongSource
from engine.beat.follower import BeatFollower
from engine.core.errors import ConfigError
from engine.core.notes import Event
from engine.core.settings import EngineSettings
from engine.core.tempo import Beat
from engine.cover.accompanying import Accompanying
from engine.cover.stream import CoverStream
from engine.model.cover_model import CoverModel
from engine.model.latency import LatencyBudget, latency_budget, wait_frames, writing_lead
from engine.model.pipeline import Pipeline
from engine.perform.decoder import NoteDecoder
from engine.signal.clock import StreamClock
from engine.signal.conditioning import PRIME_S
from engine.signal.resample import Resampler
from engine.signal.rings import SampleRing
from models.spec import ModelSpec

_log = logging.getLogger(__name__)


class Session:
    """A source that is not started yet, its ring and its clock; ``begin`` gives it a stream.

    Attributes
    ----------
    offset : float
        The engine's time at which the source's time is 0.
    port_latency : float
        Seconds from the MIDI port to its receivers, as it said when it was opened.
    device_latency : float
        Seconds that the device holds back, as it said when it had started, before that as it
        promises. What it says later does not count: the latency of a session is one constant.
    """

    stream: CoverStream

    def __init__(
        self,
        source: AudioSource,
        settings: EngineSettings,
        offset: float,
        port_latency: float = 0.0,
    ) -> None:
        self.source = source
        self.port_latency = port_latency
        self.offset = offset
        self.device_latency = source.latency
        self.ring = SampleRing(
            round(settings.audio.ring * source.sample_rate), max(1, source.n_channels)
        )
        self.clock = StreamClock(source.sample_rate)
        self._stream_start = 0  # the sample at which the stream's time is 0
        self._last_host_time = time.perf_counter()

    def start(self) -> None:
        """Start the source. Raises DeviceError."""
        self.source.start(self.ring, self.clock)
        self.device_latency = self.source.latency

    def budget(
        self,
        pipeline: Pipeline,
        settings: EngineSettings,
        port_latency: float | None = None,
        model: CoverModel | None = None,
    ) -> LatencyBudget:
        """Return the latency, part by part, at this port or another, of this model or another.

        Raises ConfigError as ``latency_budget``.
        """
        if settings.is_accompanying:
            own = settings.accompany
            return LatencyBudget((("song", own.song_later), ("ahead", -own.ahead)))
        return self._budget((model or pipeline.model).spec, settings, port_latency)

    def _budget(
        self, spec: ModelSpec, settings: EngineSettings, port_latency: float | None
    ) -> LatencyBudget:
        source, rate = self.source, spec.features.sample_rate
        return latency_budget(
            spec,
            settings.time,
            block=source.block_size / source.sample_rate,
            device=self.device_latency,
            resampler=Resampler(source.sample_rate, rate, source.n_channels).delay,
            decoder_frames=NoteDecoder.lookahead_frames,
            port=self.port_latency if port_latency is None else port_latency,
        )

    def wait_frames(
        self, pipeline: Pipeline, settings: EngineSettings, port_latency: float | None = None
    ) -> int:
        """Return for how many frames of later sound the latency leaves time.

        For none of an accompanist, who is never late.
        """
        if settings.is_accompanying:
            return 0
        budget = self._budget(pipeline.model.least_spec, settings, port_latency)
        return wait_frames(budget, settings, pipeline.spec.features.frame_s)

    def begin(
        self,
        pipeline: Pipeline,
        settings: EngineSettings,
        accompanist: Accompanist | None = None,
        follower: BeatFollower | None = None,
    ) -> None:
        """Begin a new stream at the next sample; the one before is finished.

        With an accompanist it accompanies, or covers, on the follower's beat.
        """
        source = self.source
        self._stream_start = self.ring.total_read
        parts = None

        def reserve(settings: EngineSettings) -> float:
            try:
                return self.budget(pipeline, settings).reserve
            except ConfigError:  # an input that came back needs more than was asked for
                return 0.0

        if accompanist is not None and follower is not None:
            is_device = isinstance(source, DeviceSource)
            lead = self._lead(pipeline, settings)
            parts = Accompanying(accompanist, follower, lead, reserve, is_device)
        self.stream = CoverStream(
            pipeline, settings, source.sample_rate, source.n_channels, parts, reserve
        )
        if isinstance(source, SongSource) and not self._stream_start:
            gain = np.float32(10 ** (settings.audio.gain_db / 20))
            self.stream.prime(source.head(PRIME_S) * gain)

    def _lead(self, pipeline: Pipeline, settings: EngineSettings) -> float:
        source, rate = self.source, pipeline.spec.features.sample_rate
        return writing_lead(
            pipeline.spec,
            settings.time,
            block=source.block_size / source.sample_rate,
            device=self.device_latency,
            resampler=Resampler(source.sample_rate, rate, source.n_channels).delay,
            port=self.port_latency,
        )

    @property
    def is_fresh(self) -> bool:
        """Whether the stream has heard nothing yet."""
        return self.ring.total_read == self._stream_start

    def placed(self, events: Sequence[Event]) -> list[Event]:
        """Return the stream's events in the engine's time."""
        offset = self.time_of(self._stream_start)
        return [replace(event, time=event.time + offset) for event in events]

    def placed_beat(self, beat: Beat) -> Beat:
        """Return the stream's beat in host times."""
        if beat.tempo is None:
            return beat
        beat_at = self.host_time(beat.tempo.beat_at + self.time_of(self._stream_start))
        return replace(beat, tempo=replace(beat.tempo, beat_at=beat_at))

    def time_of(self, sample: int) -> float:
        """Return a sample's place in the engine's time."""
        return self.offset + sample / self.source.sample_rate

    def host_time(self, seconds: float) -> float:
        """Return the perf_counter time at which the engine's second ``seconds`` was captured."""
        sample = (seconds - self.offset) * self.source.sample_rate
        try:
            self._last_host_time = self.clock.time_of(sample) - self.source.latency
        except RuntimeError:  # the clock restarts: the next block sets it
            _log.debug("a note found the clock between two starts")
        return self._last_host_time

    def stream_time(self, host_time: float) -> float:
        """Return the second of the stream that is captured at a host time."""
        read = self.time_of(self.ring.total_read)
        return read - self.time_of(self._stream_start) + host_time - self.host_time(read)

    @property
    def n_overruns(self) -> int:
        """Gaps in the audio so far."""
        return self.source.n_overflows + (self.ring.overruns > 0)


def source_is_paused(source: AudioSource) -> bool:
    """Return whether it is a song that waits."""
    return isinstance(source, SongSource) and source.transport.is_paused
