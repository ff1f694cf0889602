"""Who covers: a model as it ships, streamed or over the whole file; basic-pitch; the human.

A system takes a song and gives notes (n, 5): onset, offset, pitch, velocity, "is melody".
"""

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.core.note_tracker import pair_notes
from engine.core.notes import NoteEvent, Posteriors
from engine.core.settings import DecoderSettings, TimeSettings
from engine.cover.style import style_pace, style_vector
from engine.model.latency import latency_budget
from engine.model.pipeline import (
    Pipeline,
    load_pipeline,
    stream_posteriors,
)
from engine.model.window_model import WindowModel
from engine.perform.decoder import NoteDecoder
from engine.signal.conditioning import BLOCK_S
from engine.whole_song.arranger import Arranger
from engine.whole_song.song_analysis import SongAnalysis, analyze
from engine.whole_song.song_analyzer import SongAnalyzer
from models.spec import Decoding, ModelSpec
from offline_train.data.teacher import Teacher
from offline_train.evaluation.songs import SAMPLE_RATE, ReferenceSong

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


def decode(posteriors: Posteriors, frame_s: float, decoding: Decoding, pace: float = 1.0) -> Array:
    """Return the notes (n, 5) that the engine's decoder makes of posteriors.

    ``pace`` is the style's (``engine.cover.style.style_pace``), as the live stream sets it.
    """
    decoder = NoteDecoder(frame_s, DecoderSettings().resolved(decoding))
    decoder.pace = pace
    return events_to_notes(decoder.push(posteriors) + decoder.flush())


def listen(
    pipeline: Pipeline,
    samples: Array,
    style: str | tuple[float, ...],
    path: Path_ = "streamed",
) -> Posteriors:
    """Return the posteriors of samples at 16 kHz in a style.

    Streamed in blocks as when live, or as ``engine.whole_song.cover`` plays files: in longer
    blocks, a window model half a window at a time.
    """
    spec = pipeline.spec
    vector = style_vector(style, spec)
    if spec.features.sample_rate != SAMPLE_RATE:
        samples = np.asarray(
            soxr.resample(samples, SAMPLE_RATE, spec.features.sample_rate), np.float32
        )
    model, block_size = pipeline.model, BLOCK_SAMPLES
    if path == "whole file":
        block_size = round(BLOCK_S * spec.features.sample_rate)
        model = model.offline_variant() if isinstance(model, WindowModel) else model
    return stream_posteriors(samples, model, pipeline.frontend, vector, block_size=block_size)


def declared_timing(spec: ModelSpec) -> Timing:
    """Return a model's lookahead and the latency that the engine declares for it."""
    budget = latency_budget(
        spec,
        TimeSettings(),
        block=DEVICE_BLOCK_S,
        decoder_frames=NoteDecoder.lookahead_frames,
    )
    return Timing(spec.lookahead_frames * spec.features.frame_s, budget.total)


class ModelSystem:
    """A model file, by the live path or over the whole file.

    Raises
    ------
    ModelError, ConfigError
        If there is no such model, or it has no such style.
    """

    def __init__(
        self,
        model: str | Path,
        path: Path_ = "streamed",
        style: str | tuple[float, ...] = "balanced",
        decoding: Decoding | None = None,
    ) -> None:
        self._pipeline = load_pipeline(model)
        self._path: Path_ = path
        self._style = style
        self._decoding = decoding or self._pipeline.spec.decoding
        self._pace = style_pace(style_vector(style, self._pipeline.spec), self._pipeline.spec)

    @property
    def timing(self) -> Timing:
        """As declared; over a whole file there is none."""
        return declared_timing(self._pipeline.spec) if self._path == "streamed" else Timing()

    def cover(self, song: ReferenceSong) -> Cover:
        """Return what the engine plays."""
        posteriors = listen(self._pipeline, song.samples, self._style, self._path)
        frame_s = self._pipeline.spec.features.frame_s
        notes = decode(posteriors, frame_s, self._decoding, self._pace)
        return Cover(notes, posteriors, frame_s)


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
        _last_analysis[:] = [(song, analyze(_analyzer().run([song.samples])))]
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
    model: str = ""
    path: Path_ = "streamed"
    style: str | tuple[float, ...] = "balanced"
    decoding: Decoding | None = None


@lru_cache(maxsize=16)
def open_system(choice: SystemChoice) -> System:
    """Return the system, opened once a process."""
    if choice.kind == "human":
        return Human()
    if choice.kind == "basic-pitch":
        return BasicPitch()
    if choice.kind == "arranger":
        return ArrangerSystem(choice.model)
    return ModelSystem(choice.model, choice.path, choice.style, choice.decoding)
