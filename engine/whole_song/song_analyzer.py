"""Two models over a whole song: a transcriber, and a cover model for the melody.

They take blocks, and their outputs are kept as bytes, so that hours of music fit into memory.
Shapes: T frames, P = 88 pitches. Not here: beats, grid and harmony (``song_analysis``).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from engine.audio.opening import SongSource, open_source
from engine.core.errors import ModelError
from engine.core.note_tracker import pair_notes
from engine.core.notes import NoteEvent, Posteriors
from engine.core.settings import AudioSettings, DecoderSettings, ModelSettings
from engine.cover.style import style_vector
from engine.model.pipeline import Pipeline, load_pipeline
from engine.perform.decoder import NoteDecoder
from engine.signal.conditioning import PRIME_S, conditioned_blocks
from engine.signal.stereo import in_turn
from engine.whole_song.frame_rows import FrameRows
from models.spec import N_PITCHES

Array = NDArray[np.float32]

SAMPLE_RATE = 16000
BLOCK_SAMPLES = 8192
DEFAULT = ModelSettings()  # of the cover model
LOW_KEYS = 31  # up to D#3
LEAST_NOTES = 4  # of music; noise and clicks are transcribed as one note or none


@dataclass(frozen=True, slots=True)
class MelodyNote:
    """A note of the melody, in seconds."""

    onset: float
    offset: float
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class ModelOutputs:
    """What the two models give for a song; rows (T, P) of ``frame_s`` each, in [0, 1]."""

    onset: FrameRows
    frame: FrameRows
    velocity: FrameRows  # times the onset's probability
    melody_frame: FrameRows  # frames of the cover's melody
    onset_strength: Array  # (T,): velocity summed over pitches, low keys counting threefold
    melody: list[MelodyNote]
    n_notes: int  # transcribed
    seconds: float
    frame_s: float

    @property
    def is_music(self) -> bool:
        """Whether there is anything to arrange."""
        return self.n_notes >= LEAST_NOTES


class SongAnalyzer:
    """The two models, opened once.

    Raises
    ------
    ModelError
        If one is missing, or they are not at 16 kHz and of one frame rate.
    """

    def __init__(self, transcriber: str = "transcribe", settings: ModelSettings = DEFAULT) -> None:
        cover = settings.model
        self._transcriber, self._cover = load_pipeline(transcriber), load_pipeline(cover)
        self._transcriber.tuning = self._cover.tuning = settings.tuning
        self._cover.centre = settings.centre
        features, cover_features = self._transcriber.spec.features, self._cover.spec.features
        self.frame_s = cover_features.frame_s
        if cover_features.sample_rate != SAMPLE_RATE or features.frame_s != self.frame_s:
            raise ModelError(
                f"the arranger needs models of {SAMPLE_RATE} Hz and one frame rate; {cover} has"
                f" {cover_features.sample_rate} Hz and frames of {1000 * self.frame_s:g} ms,"
                f" {transcriber} {1000 * features.frame_s:g} ms: give another --model"
            )

    def run(self, blocks: Iterable[Array]) -> ModelOutputs:
        """Return the models' outputs for blocks of samples at 16 kHz, mono or stereo."""
        begin, blocks = _begin(blocks)
        transcription, cover = (_ModelStream(p, begin) for p in (self._transcriber, self._cover))
        onset, frame, velocity, melody_frame = (FrameRows(N_PITCHES) for _ in range(4))
        strengths, n_samples = [np.zeros(0, np.float32)], 0

        def keep(transcribed: Posteriors, covered: Posteriors) -> None:
            loudness = transcribed.onset * transcribed.velocity
            onset.append(transcribed.onset)
            frame.append(transcribed.frame)
            velocity.append(loudness)
            strengths.append(loudness.sum(1) + 2 * loudness[:, :LOW_KEYS].sum(1))
            if covered.melody is None:
                melody_frame.append(np.zeros_like(covered.frame))
            else:
                melody_frame.append(covered.melody * covered.frame)

        for block in _cut(blocks):
            n_samples += len(block)
            keep(transcription.push(block), cover.push(block))
        keep(transcription.flush(), cover.flush())
        return ModelOutputs(
            onset,
            frame,
            velocity,
            melody_frame,
            onset_strength=np.concatenate(strengths),
            melody=melody_of(cover.events),
            n_notes=sum(event.is_on for event in transcription.events),
            seconds=n_samples / SAMPLE_RATE,
            frame_s=self.frame_s,
        )


class _ModelStream:
    """A model in a new stream, primed with its beginning, and its decoder; ``events`` grows."""

    def __init__(self, pipeline: Pipeline, begin: Array) -> None:
        self._pipeline = pipeline
        pipeline.reset()
        pipeline.prime(begin)
        pipeline.style = style_vector("balanced", pipeline.spec)
        settings = DecoderSettings().resolved(pipeline.spec.decoding)
        self._decoder = NoteDecoder(pipeline.spec.features.frame_s, settings)
        self.events: list[NoteEvent] = []

    def push(self, block: Array) -> Posteriors:
        """Return what became final with samples."""
        posteriors = self._pipeline.push(block)
        self.events += self._decoder.push(posteriors)
        return posteriors

    def flush(self) -> Posteriors:
        """Return the last posteriors."""
        posteriors = self._pipeline.flush()
        self.events += self._decoder.push(posteriors) + self._decoder.flush()
        return posteriors


def sound_blocks(
    name: str, on_progress: Callable[[float], None] = lambda share: None
) -> Iterator[Array]:
    """Yield a sound file in the models' format: blocks at 16 kHz, mono or stereo.

    ``on_progress`` gets the share that was read. Raises LiveCoverError where the file cannot be
    read.
    """
    source = open_source(name, AudioSettings(), paced=False)
    assert isinstance(source, SongSource), "a file goes in"
    for samples in conditioned_blocks(source, SAMPLE_RATE):
        yield samples
        on_progress(min(1.0, source.position / source.duration))


def _begin(blocks: Iterable[Array]) -> tuple[Array, Iterator[Array]]:
    """Return the first seconds of a song, and all its blocks."""
    blocks, head, n_samples = iter(blocks), [np.zeros(0, np.float32)], 0
    n_wanted = round(PRIME_S * SAMPLE_RATE)
    while n_samples < n_wanted and (block := next(blocks, None)) is not None:
        head.append(block)
        n_samples += len(block)
    begin = in_turn(head)
    return begin[:n_wanted], chain([begin], blocks)


def _cut(blocks: Iterable[Array]) -> Iterator[Array]:
    """Yield blocks cut to a length that bounds the memory."""
    for block in blocks:
        for start in range(0, len(block), BLOCK_SAMPLES):
            yield block[start : start + BLOCK_SAMPLES]


def melody_of(events: list[NoteEvent]) -> list[MelodyNote]:
    """Return the melody's notes of paired events, one at a time: a new one ends the one before."""
    notes = [
        MelodyNote(on.time, off.time, on.pitch, on.velocity)
        for on, off in pair_notes(events)
        if off is not None and on.part == "melody"
    ]
    notes.sort(key=lambda note: (note.onset, note.pitch))
    single: list[MelodyNote] = []
    for note in notes:
        if single and note.onset - single[-1].onset < 0.03:  # struck together: the higher one
            single[-1] = note
            continue
        if single and single[-1].offset > note.onset:
            last = single[-1]
            single[-1] = MelodyNote(last.onset, note.onset, last.pitch, last.velocity)
        single.append(note)
    return single
