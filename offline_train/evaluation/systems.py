"""Who covers: a model as it ships, streamed or over the whole file; basic-pitch; the human.

A system takes a song and gives notes (n, 5): onset, offset, pitch, velocity, "is melody".
"""

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.core.note_tracker import pair_notes
from engine.core.notes import Event, NoteEvent, Posteriors, notes_of
from engine.core.settings import DecoderSettings, EngineSettings
from engine.cover.stream import open_pipeline
from engine.cover.style import style_vector
from engine.model.cover_model import CoverModel
from engine.model.latency import LatencyBudget, latency_budget, wait_frames
from engine.model.pipeline import FeatureTap, Pipeline, stream_posteriors
from engine.perform.decoder import NoteDecoder
from engine.signal.conditioning import BLOCK_S, PRIME_S
from engine.signal.stereo import channels_of
from engine.whole_song.arranger import Arranger
from engine.whole_song.cover import LOOKED_AHEAD_S, open_stream
from engine.whole_song.song_analysis import SongAnalysis, analyze
from engine.whole_song.song_analyzer import SongAnalyzer
from models.spec import Decoding, ModelSpec
from offline_train.data.teacher import Teacher
from offline_train.evaluation.posterior_recorder import PosteriorRecorder
from offline_train.evaluation.songs.reference_song import SAMPLE_RATE, ReferenceSong

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
Path_ = Literal["streamed", "whole file"]

BLOCK_SAMPLES = 4096
DEVICE_BLOCK_S = 256 / 44100  # the block that the declared latency counts


@dataclass(frozen=True, slots=True)
class Cover:
    """Notes (n, 5) and, from a model, the posteriors that they came from."""

    notes: Array
    posteriors: Posteriors | None = None
    frame_s: float = 0.016  # of the posteriors


@dataclass(frozen=True, slots=True)
class Timing:
    """What a system needs of the future, and when its notes come; None: after the song's end."""

    lookahead_s: float | None = None
    latency_s: float | None = None


class System(Protocol):
    """Anything that covers a song."""

    @property
    def timing(self) -> Timing:
        """When its notes come."""
        ...

    def cover(self, song: ReferenceSong) -> Cover:
        """Return the notes of a song."""
        ...


def events_to_notes(events: list[NoteEvent]) -> Array:
    """Return notes (n, 5): onset, offset, pitch, velocity, is_melody of paired events."""
    notes = [
        (on.time, off.time, on.pitch, on.velocity, on.part == "melody")
        for on, off in pair_notes(events)
        if off is not None
    ]
    return np.array(notes, np.float32).reshape(-1, 5)


def decode(
    posteriors: Posteriors,
    frame_s: float,
    decoding: Decoding,
    pace: float = 1.0,
    wait_frames: int = 0,
) -> Array:
    """Return the notes (n, 5) that the engine's decoder makes of posteriors.

    ``pace`` is the style's (``engine.cover.style.style_pace``), as the live stream sets it;
    ``wait_frames`` those that the decoder's events may wait.
    """
    settings = DecoderSettings().resolved(decoding)
    decoder = NoteDecoder(frame_s, settings, wait_frames=wait_frames)
    decoder.pace = pace
    return events_to_notes(decoder.push(posteriors) + decoder.flush())


def listen(
    pipeline: Pipeline,
    sound: Array,
    style: str | tuple[float, ...],
    path: Path_ = "streamed",
    tap: FeatureTap | None = None,
) -> Posteriors:
    """Return the posteriors of a sound at 16 kHz in a style; a tap gets the features.

    Streamed in blocks as when live, or as ``engine.whole_song.cover`` plays files: in longer
    blocks, a window model half a window at a time.
    """
    spec = pipeline.spec
    vector = style_vector(style, spec)
    if spec.features.sample_rate != SAMPLE_RATE:
        sound = np.asarray(soxr.resample(sound, SAMPLE_RATE, spec.features.sample_rate), np.float32)
    model, block_size = pipeline.model, BLOCK_SAMPLES
    if path == "whole file":
        block_size = round(BLOCK_S * spec.features.sample_rate)
        model = model.offline_variant()
    frontend = pipeline.frontend
    return stream_posteriors(sound, model, frontend, vector, block_size=block_size, tap=tap)


def declared_timing(spec: ModelSpec, settings: EngineSettings) -> Timing:
    """Return a model's lookahead and the latency that the engine declares for it."""
    lookahead = spec.lookahead_frames * spec.features.frame_s
    if settings.is_accompanying:
        return Timing(lookahead, settings.accompany.latency)
    return Timing(lookahead, declared_budget(spec, settings).total)


def declared_budget(spec: ModelSpec, settings: EngineSettings) -> LatencyBudget:
    """Return the latency that the engine declares for a model, part by part."""
    return latency_budget(
        spec,
        settings.time,
        block=DEVICE_BLOCK_S,
        decoder_frames=NoteDecoder.lookahead_frames,
    )


class ModelSystem:
    """A model as the program plays it, live or over the whole file.

    Parameters
    ----------
    settings
        The engine's: model, style, and how it plays; what is about devices does not matter.
    path
        In blocks as from a device, or as ``engine.whole_song.cover`` plays files.
    is_causal
        Whether nothing of a song is known beforehand; else its beginning's level and tuning are, as
        of a file.

    Raises
    ------
    ModelError, ConfigError
        If there is no such model, or it has no such style.
    """

    def __init__(
        self, settings: EngineSettings, path: Path_ = "streamed", is_causal: bool = False
    ) -> None:
        self._settings, self._path, self._is_causal = settings, path, is_causal
        self._pipeline = open_pipeline(settings.model)
        self._pipeline.model = _as_it_hears(self._pipeline.model, settings, path)
        self._block_size = BLOCK_SAMPLES
        if path == "whole file":
            self._block_size = round(BLOCK_S * SAMPLE_RATE)

    @property
    def timing(self) -> Timing:
        """As declared; over a whole file there is none."""
        if self._path == "whole file":
            return Timing()
        return declared_timing(self._pipeline.spec, self._settings)

    def cover(self, song: ReferenceSong) -> Cover:
        """Return what the engine plays."""
        pipeline, sound = self._pipeline, channels_of(song.sound)
        pipeline.tap = None  # of the song before
        n_channels = sound.shape[1]
        stream = open_stream(pipeline, self._settings, SAMPLE_RATE, n_channels, self._reserve)
        if not self._is_causal:
            stream.prime(sound[: round(PRIME_S * SAMPLE_RATE)])
        pipeline.tap = recorder = PosteriorRecorder(pipeline.tap)
        events: list[Event] = []
        for start in range(0, len(sound), self._block_size):
            events += stream.push(sound[start : start + self._block_size])
        events += stream.finish()
        frame_s = pipeline.spec.features.frame_s
        return Cover(events_to_notes(notes_of(events)), recorder.posteriors, frame_s)

    def _reserve(self, settings: EngineSettings) -> float:
        if self._path == "whole file":
            return LOOKED_AHEAD_S
        return declared_budget(self._pipeline.spec, settings).reserve


def _as_it_hears(model: CoverModel, settings: EngineSettings, path: Path_) -> CoverModel:
    """Return a model that waits for later sound as the program lets it; not to accompany."""
    if settings.is_accompanying:
        return model
    if path == "whole file":
        return model.offline_variant()
    budget = declared_budget(model.least_spec, settings)
    return model.waiting(wait_frames(budget, settings, model.spec.features.frame_s))


class BasicPitch:
    """Raw basic-pitch: the notes that it finds, played on the piano."""

    timing = Timing()

    def __init__(self) -> None:
        self._teacher = Teacher()

    def cover(self, song: ReferenceSong) -> Cover:
        """Return basic-pitch's notes."""
        return Cover(self._teacher.notes(song.samples, SAMPLE_RATE))


class Human:
    """The human cover itself, for measures that need no truth."""

    timing = Timing()

    def cover(self, song: ReferenceSong) -> Cover:
        """Return the song's own notes; none if they are not known."""
        return Cover(np.zeros((0, 5), np.float32) if song.notes is None else song.notes)


@lru_cache(maxsize=1)
def _analyzer() -> SongAnalyzer:
    return SongAnalyzer()


_last_analysis: list[tuple[ReferenceSong, SongAnalysis]] = []  # shared by the arrangers


def _analysis(song: ReferenceSong) -> SongAnalysis:
    """Return a song's analysis. Raises DataError where no beat is found."""
    if not _last_analysis or _last_analysis[0][0] is not song:
        _last_analysis[:] = [(song, analyze(_analyzer().run([song.sound])))]
    return _last_analysis[0][1]


class ArrangerSystem:
    """The bar-wise arranger, over the whole file; its beats come from a tracker.

    Raises
    ------
    ModelError
        If there is no such arranger.
    """

    timing = Timing()

    def __init__(self, folder: str) -> None:
        self._arranger = Arranger(folder)

    def cover(self, song: ReferenceSong) -> Cover:
        """Return the arrangement; none where no beat was found."""
        try:
            analysis = _analysis(song)
        except DataError as error:
            log.warning("%s: not arranged: %s", song.name, error)
            return Cover(np.zeros((0, 5), np.float32))
        return Cover(self._arranger.arrange(analysis).seconds())


@dataclass(frozen=True, slots=True)
class SystemChoice:
    """A system by name, small enough to be sent to a worker process."""

    name: str
    kind: Literal["model", "arranger", "basic-pitch", "human"]
    path: Path_ = "streamed"
    settings: EngineSettings = EngineSettings()  # of a model
    folder: str = ""  # of an arranger
    is_causal: bool = False  # a model that is streamed


@lru_cache(maxsize=16)
def open_system(choice: SystemChoice) -> System:
    """Return the system, opened once a process."""
    if choice.kind == "human":
        return Human()
    if choice.kind == "basic-pitch":
        return BasicPitch()
    if choice.kind == "arranger":
        return ArrangerSystem(choice.folder)
    return ModelSystem(choice.settings, choice.path, choice.is_causal)
