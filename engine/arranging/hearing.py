"""What of a song the arranger hears: its grid, chords and key, melody, and sound by step and pitch.

Two models listen: ``transcribe`` hears what sounds, the cover model which of it is the melody.
Shapes: T frames, P = 88 pitches, S steps. Not here: the notes that come of it (``arranger``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arranging.grid import (
    STEPS_PER_BEAT,
    UNIT_STEPS,
    Grid,
    Times,
    first_downbeat,
    grid_of,
    track_beats,
)
from engine.arranging.harmony import (
    ChordName,
    Key,
    bass_of,
    find_key,
    fold,
    recognise,
    vector_of,
)
from engine.decoder import NoteDecoder
from engine.errors import ModelError
from engine.note_tracker import pair_notes
from engine.notes import NoteEvent, Posteriors
from engine.offline import load_pipeline, stream_posteriors
from engine.settings import DecoderSettings
from engine.style import style_vector

Array = NDArray[np.float32]

SAMPLE_RATE = 16000
LOW_KEYS = 31  # up to D#3


@dataclass(frozen=True, slots=True)
class MelodyNote:
    """A note of the melody, in seconds."""

    onset: float
    offset: float
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A song as the two models hear it, before any grid; T frames of ``frame_s`` each."""

    transcription: Posteriors
    melody_posteriors: Posteriors
    melody: list[MelodyNote]
    frame_s: float


@dataclass(frozen=True, slots=True)
class Hearing:
    """A song on its grid: what the arranger is given."""

    grid: Grid
    sound: Array  # (units * 32, P, 4): onset, frame, velocity, melody, each in [0, 1]
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

    def __init__(self, transcriber: str = "transcribe", cover: str = "live") -> None:
        self._transcriber, self._cover = load_pipeline(transcriber), load_pipeline(cover)
        heard, played = self._transcriber.spec.features, self._cover.spec.features
        self.frame_s = played.frame_s
        if played.sample_rate != SAMPLE_RATE or heard.frame_s != played.frame_s:
            raise ModelError(
                f"the arranger hears at {SAMPLE_RATE} Hz, by models of one frame rate; {cover} has"
                f" {played.sample_rate} Hz and frames of {1000 * played.frame_s:g} ms,"
                f" {transcriber} {1000 * heard.frame_s:g} ms: give another --model"
            )

    def hear(self, samples: Array) -> Heard:
        """Return what the models hear in mono samples (n,) at 16 kHz."""
        said = []
        for pipeline in (self._transcriber, self._cover):
            style = style_vector("balanced", pipeline.spec)
            said.append(stream_posteriors(samples, pipeline.model, pipeline.frontend, style))
        settings = DecoderSettings().resolved(self._cover.spec.decoding)
        decoder = NoteDecoder(self.frame_s, settings)
        events = decoder.push(said[1]) + decoder.flush()
        return Heard(said[0], said[1], melody_of(events), self.frame_s)


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


def listen(samples: Array, ears: Ears, beats: Times | None = None) -> Hearing:
    """Return a song's hearing.

    Parameters
    ----------
    samples
        (n,) mono at 16 kHz.
    ears
        The models.
    beats
        (b,) seconds; found by a tracker if not given.

    Raises
    ------
    DataError
        If there is no beat, or the tracker is not installed.
    """
    heard = ears.hear(samples)
    if beats is None:
        hop_length = round(heard.frame_s * SAMPLE_RATE)
        beats = track_beats(struck(heard.transcription), SAMPLE_RATE, hop_length)
    grid = grid_of(beats, downbeat_of(heard, beats), len(samples) / SAMPLE_RATE)
    return on_grid(heard, grid)


def struck(transcription: Posteriors) -> Array:
    """Return how much is struck in each frame (T,), what is low counting threefold."""
    each = transcription.onset * transcription.velocity
    return np.asarray(each.sum(1) + 2 * each[:, :LOW_KEYS].sum(1), np.float32)


def downbeat_of(heard: Heard, beats: Times) -> int:
    """Return which of the first four beats (b,) begins a bar; 0 without beats enough."""
    if len(beats) < 8:
        return 0
    onset = _between(heard.transcription.onset, heard, _around(beats), np.maximum)
    sounding = _between(heard.transcription.frame, heard, _from(beats), np.add)
    low = bass_of(onset).max(1)
    return first_downbeat(onset.sum(1), low, fold(sounding))


def on_grid(heard: Heard, grid: Grid) -> Hearing:
    """Return what was heard on the steps of a grid, padded with silence to whole units."""
    n_steps = grid.n_units * UNIT_STEPS
    steps = grid.time(np.arange(n_steps))
    said, cover = heard.transcription, heard.melody_posteriors
    melody = np.zeros_like(cover.frame) if cover.melody is None else cover.melody * cover.frame
    sound = np.stack(
        [
            _between(said.onset, heard, _around(steps), np.maximum),
            _between(said.frame, heard, _from(steps), np.add),
            _between(said.velocity * said.onset, heard, _around(steps), np.maximum),
            _between(melody, heard, _from(steps), np.add),
        ],
        2,
    )
    by_beat = sound[:, :, 1].reshape(-1, STEPS_PER_BEAT, sound.shape[1]).mean(1)
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


def _between(rows: Array, heard: Heard, edges: Times, how: np.ufunc) -> Array:
    """Return (n, P): the greatest (np.maximum) or the mean (np.add) of rows (T, P) in intervals.

    ``edges`` (n + 1,) are seconds; an interval without a frame takes the frame that it begins in.
    """
    padded = np.concatenate([rows, np.zeros((1, rows.shape[1]), np.float32)])
    bounds = np.clip(np.round(edges / heard.frame_s).astype(int), 0, len(rows))
    out = how.reduceat(padded, bounds, axis=0)[:-1]
    if how is np.add:
        out = out / np.maximum(np.diff(bounds), 1)[:, None]
    out[bounds[:-1] >= len(rows)] = 0
    return np.asarray(out, np.float32)
