"""What of a song the arranger hears: its grid, chords and key, melody, and sound by step and pitch.

Two models listen: ``transcribe`` hears what sounds, the cover model which of it is the melody. They
hear blocks, and what they say is kept small, so that hours of music fit into memory.
Shapes: T frames, P = 88 pitches, S steps. Not here: the notes that come of it (``arranger``).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from engine.audio.opening import FileSource, open_source
from engine.core.errors import ModelError
from engine.core.note_tracker import pair_notes
from engine.core.notes import NoteEvent, Posteriors
from engine.core.settings import AudioSettings, DecoderSettings
from engine.cover.style import style_vector
from engine.model.pipeline import Pipeline, load_pipeline
from engine.perform.decoder import NoteDecoder
from engine.signal.conditioning import PRIME_S, conditioned_blocks
from engine.whole_song.beats import (
    FASTEST_BPM,
    FASTEST_WALTZ_BPM,
    LEAST_BEATS,
    Beats,
    Times,
    track_beats,
)
from engine.whole_song.frame_rows import FrameRows
from engine.whole_song.grid import (
    BEATS_PER_BAR,
    STEPS_PER_BEAT,
    UNIT_BARS,
    Grid,
    bar_phases,
    grid_of,
)
from engine.whole_song.harmony import ChordName, Key, bass_of, find_key, fold, recognise, vector_of
from models.spec import N_PITCHES

Array = NDArray[np.float32]
Halves = NDArray[np.float16]

SAMPLE_RATE = 16000
BLOCK_SAMPLES = 8192
LOW_KEYS = 31  # up to D#3
WALTZ = 3  # beats a bar
WALTZ_MARGIN = 0.8  # how well bars of three must fit, against bars of four
LEAST_NOTES = 4  # that a transcriber hears in what is music: noise and clicks give it one or none


@dataclass(frozen=True, slots=True)
class MelodyNote:
    """A note of the melody, in seconds."""

    onset: float
    offset: float
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A song as the two models hear it, before any grid; rows (T, P) of ``frame_s`` each."""

    onset: FrameRows  # what is struck
    frame: FrameRows  # what sounds
    velocity: FrameRows  # how loud it is struck
    tune: FrameRows  # what of the melody sounds
    strength: Array  # (T,) how much is struck, what is low counting threefold
    melody: list[MelodyNote]
    n_notes: int  # that the transcriber hears
    seconds: float
    frame_s: float

    @property
    def is_music(self) -> bool:
        """Whether there is anything to arrange."""
        return self.n_notes >= LEAST_NOTES


@dataclass(frozen=True, slots=True)
class Hearing:
    """A song on its grid: what the arranger is given."""

    grid: Grid
    sound: Halves  # (steps of all units, P, 4): onset, frame, velocity, melody, each in [0, 1]
    chords: list[ChordName | None]  # one a beat of all units
    key: Key
    melody: list[MelodyNote]

    def chord_vectors(self) -> Array:
        """Return the chords (beats, 36)."""
        return np.stack([vector_of(chord) for chord in self.chords])


class Ears:
    """The two models, opened once.

    Raises
    ------
    ModelError
        If one is missing, or they are not at 16 kHz and of one frame rate.
    """

    def __init__(
        self, transcriber: str = "transcribe", cover: str = "live", tuning: float | None = None
    ) -> None:
        self._transcriber, self._cover = load_pipeline(transcriber), load_pipeline(cover)
        self._transcriber.tuning = self._cover.tuning = tuning
        heard, played = self._transcriber.spec.features, self._cover.spec.features
        self.frame_s = played.frame_s
        if played.sample_rate != SAMPLE_RATE or heard.frame_s != played.frame_s:
            raise ModelError(
                f"the arranger hears at {SAMPLE_RATE} Hz, by models of one frame rate; {cover} has"
                f" {played.sample_rate} Hz and frames of {1000 * played.frame_s:g} ms,"
                f" {transcriber} {1000 * heard.frame_s:g} ms: give another --model"
            )

    def hear(self, blocks: Iterable[Array]) -> Heard:
        """Return what the models hear in blocks of mono samples (n,) at 16 kHz."""
        begin, blocks = _begin(blocks)
        transcription, cover = (_Listener(p, begin) for p in (self._transcriber, self._cover))
        onset, frame, velocity, tune = (FrameRows(N_PITCHES) for _ in range(4))
        strengths, n_samples = [np.zeros(0, np.float32)], 0

        def keep(heard: Posteriors, played: Posteriors) -> None:
            struck = heard.onset * heard.velocity
            onset.append(heard.onset)
            frame.append(heard.frame)
            velocity.append(struck)
            strengths.append(struck.sum(1) + 2 * struck[:, :LOW_KEYS].sum(1))
            of_melody = np.zeros_like(played.frame) if played.melody is None else played.melody
            tune.append(of_melody * played.frame)

        for block in _cut(blocks):
            n_samples += len(block)
            keep(transcription.push(block), cover.push(block))
        keep(transcription.flush(), cover.flush())
        return Heard(
            onset,
            frame,
            velocity,
            tune,
            strength=np.concatenate(strengths),
            melody=melody_of(cover.events),
            n_notes=sum(event.is_on for event in transcription.events),
            seconds=n_samples / SAMPLE_RATE,
            frame_s=self.frame_s,
        )


class _Listener:
    """A model in a new stream that knows its beginning, with its decoder; ``events`` grows."""

    def __init__(self, pipeline: Pipeline, begin: Array) -> None:
        self._pipeline = pipeline
        pipeline.reset()
        pipeline.prime(begin)
        pipeline.style = style_vector("balanced", pipeline.spec)
        settings = DecoderSettings().resolved(pipeline.spec.decoding)
        self._decoder = NoteDecoder(pipeline.spec.features.frame_s, settings)
        self.events: list[NoteEvent] = []

    def push(self, block: Array) -> Posteriors:
        """Return what became final with samples (n,)."""
        said = self._pipeline.push(block)
        self.events += self._decoder.push(said)
        return said

    def flush(self) -> Posteriors:
        """Return what was still underway."""
        said = self._pipeline.flush()
        self.events += self._decoder.push(said) + self._decoder.flush()
        return said


def sound_blocks(
    name: str, on_progress: Callable[[float], None] = lambda share: None
) -> Iterator[Array]:
    """Yield a sound file as the models want it, in blocks (n,) of mono at 16 kHz.

    ``on_progress`` is told the share that was read. Raises LiveCoverError where the file is not
    what it should be.
    """
    source = open_source(name, AudioSettings(), paced=False)
    assert isinstance(source, FileSource), "a file goes in"
    for samples in conditioned_blocks(source, SAMPLE_RATE):
        yield samples
        on_progress(min(1.0, source.position / source.duration))


def _begin(blocks: Iterable[Array]) -> tuple[Array, Iterator[Array]]:
    """Return the first seconds of a song (n,), and all its blocks."""
    blocks, head, n_samples = iter(blocks), [np.zeros(0, np.float32)], 0
    n_wanted = round(PRIME_S * SAMPLE_RATE)
    while n_samples < n_wanted and (block := next(blocks, None)) is not None:
        head.append(block)
        n_samples += len(block)
    begin = np.concatenate(head)
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


def listen(heard: Heard, beats_per_bar: int | None = None) -> Hearing:
    """Return a song's hearing; bars are as :func:`find_beats` has them.

    Raises
    ------
    DataError
        If there are too few beats.
    """
    beats = find_beats(heard, beats_per_bar)
    grid = grid_of(beats.times, beats.first_downbeat, heard.seconds, beats.beats_per_bar)
    return on_grid(heard, grid)


def find_beats(heard: Heard, beats_per_bar: int | None = None) -> Beats:
    """Return the beats of what was heard, in bars of four, or of three where only these fit.

    Bars fit where harmony changes and the bass plays at their begin more than elsewhere. A song in
    three may be faster than one in four.
    """
    found = {}
    for metre, fastest_bpm in ((BEATS_PER_BAR, FASTEST_BPM), (WALTZ, FASTEST_WALTZ_BPM)):
        if beats_per_bar in (None, metre):
            times = track_beats(heard.strength, heard.frame_s, fastest_bpm)
            phases = _phases(heard, times, metre)
            found[metre] = float(np.ptp(phases)), Beats(times, int(phases.argmax()), metre)
    if len(found) == 2:
        four, three = found[BEATS_PER_BAR], found[WALTZ]
        return (three if three[0] > WALTZ_MARGIN * four[0] else four)[1]
    return found[beats_per_bar or BEATS_PER_BAR][1]


def _phases(heard: Heard, beats: Times, beats_per_bar: int) -> NDArray[np.floating]:
    """Return how well each of the first beats does as a downbeat; the first one of too few."""
    if len(beats) < LEAST_BEATS:
        return np.asarray(np.eye(1, beats_per_bar)[0])
    onset = _between(heard.onset, heard, _around(beats), np.maximum)
    sounding = _between(heard.frame, heard, _from(beats), np.add)
    return bar_phases(onset.sum(1), bass_of(onset).max(1), fold(sounding), beats_per_bar)


def on_grid(heard: Heard, grid: Grid) -> Hearing:
    """Return what was heard on the steps of a grid, padded with silence to whole units."""
    n_steps = grid.n_units * UNIT_BARS * grid.steps_per_bar
    steps = grid.time(np.arange(n_steps))
    sound = np.empty((n_steps, N_PITCHES, 4), np.float16)
    sound[..., 0] = _between(heard.onset, heard, _around(steps), np.maximum)
    sounding = _between(heard.frame, heard, _from(steps), np.add)
    sound[..., 1] = sounding
    sound[..., 2] = _between(heard.velocity, heard, _around(steps), np.maximum)
    sound[..., 3] = _between(heard.tune, heard, _from(steps), np.add)
    by_beat = sounding.reshape(-1, STEPS_PER_BEAT, N_PITCHES).mean(1)
    key = find_key(fold(by_beat).sum(0))
    return Hearing(grid, sound, recognise(by_beat), key, heard.melody)


def _from(times: Times) -> Times:
    """Return the edges (n + 1,) of intervals that begin at times (n,)."""
    return np.append(times, 2 * times[-1] - times[-2])


def _around(times: Times) -> Times:
    """Return the edges (n + 1,) of intervals around times (n,)."""
    edges = _from(times)
    middles = (edges[1:] + edges[:-1]) / 2
    return np.concatenate([[2 * times[0] - middles[0]], middles])


def _between(rows: FrameRows, heard: Heard, edges: Times, how: np.ufunc) -> Array:
    """Return (n, P): the greatest or the mean of rows between edges (n + 1,) in seconds."""
    return rows.between(np.round(edges / heard.frame_s).astype(np.int64), how)
