"""Arranges a song unit by unit with an exported network; the melody is kept apart.

An arranger is a folder: ``encode.onnx``, ``step.onnx``, ``note.onnx``, as
``offline_train.studies.arranging`` exports them. Not here: the song's analysis
(``song_analysis``), files of notes (``notation``).
"""

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ModelError
from engine.model.graph import Graph
from engine.system.paths import given_path, is_folder
from engine.whole_song.beats import USUAL_BPM
from engine.whole_song.grid import BEATS_PER_BAR, STEPS_PER_BEAT, UNIT_BARS, UNIT_STEPS, Grid
from engine.whole_song.grid_notes import (
    GridNote,
    ending,
    hands_apart,
    melody_on_grid,
    moved,
    without_doubles,
)
from engine.whole_song.harmony import Key
from engine.whole_song.song_analysis import SongAnalysis
from models import shipped
from models.spec import MIN_PITCH, N_PITCHES

Array = NDArray[np.float32]

GRAPHS = ("encode", "step", "note")
KIND = "arranger"
END, BEGIN = N_PITCHES, N_PITCHES + 1
MAX_NOTES = 16
SOFTEST, LOUDEST = 38, 104  # velocities of the intensity's ends
GROUP_END = 0.22  # the probability from which a group of notes ends
ONSET_CHANNELS = (0, 2)  # of the sound: onset and velocity
ONSET_THRESHOLD = 0.3


@dataclass(frozen=True, slots=True)
class Arranged:
    """An arrangement: notes in order, and the analysis that they were written to."""

    notes: list[GridNote]
    analysis: SongAnalysis
    pedals: tuple[tuple[int, bool], ...] = ()
    """(step, whether the sustain pedal goes down there), in order."""

    def seconds(self) -> Array:
        """Return the notes (n, 5) as elsewhere: onset, offset, pitch, velocity, is_melody."""
        grid = self.analysis.grid
        if not self.notes:
            return np.zeros((0, 5), np.float32)
        steps = np.array([(n.step, n.step + n.length) for n in self.notes])
        times = grid.time(steps.ravel()).reshape(-1, 2)
        rest = [(n.pitch, n.velocity, n.is_melody) for n in self.notes]
        return np.concatenate([times, np.array(rest, float)], 1).astype(np.float32)


def nothing(seconds: float) -> Arranged:
    """Return the arrangement of silence: bars at a usual tempo, no notes, C major."""
    period = 60 / USUAL_BPM
    n_beats = max(1, math.ceil(seconds / (period * BEATS_PER_BAR))) * BEATS_PER_BAR
    grid = Grid(period * np.arange(n_beats + 1))
    sound = np.zeros((0, N_PITCHES, 4), np.float16)
    return Arranged([], SongAnalysis(grid, sound, [None] * n_beats, Key(0, False), []))


class Arranger:
    """An exported arranger.

    Parameters
    ----------
    name_or_folder
        A shipped arranger's name, or a folder; one that has a shipped one's name is ``./NAME``.
    threads
        Of the graphs.

    Raises
    ------
    ModelError
        If there is none, or a graph of it is missing or broken.
    """

    def __init__(self, name_or_folder: str | Path = "arranger", threads: int = 1) -> None:
        folder = shipped.path() / str(name_or_folder)  # whatever the working folder calls so
        if os.path.dirname(name_or_folder) or not is_folder(folder):
            folder = given_path(name_or_folder)
        if not is_folder(folder):
            raise ModelError(
                f"no arranger {str(name_or_folder)!r}: expected a folder with"
                f" {', '.join(f'{name}.onnx' for name in GRAPHS)}, as livecover-train experiment"
                " arrangement leaves it in OUT/model"
            )
        self._encode, self._step, self._note = (
            Graph(folder / f"{name}.onnx", threads=threads) for name in GRAPHS
        )
        spec = json.loads(self._encode.metadata())
        if spec.get("kind") != KIND:
            raise ModelError(f"{folder}: expected an arranger, its metadata says {spec}")
        self._hears_melody: bool = spec["hears_melody"]
        self._hears_texture: bool = spec["hears_texture"]
        self._follows: bool = spec["follows"]

    def arrange(
        self, analysis: SongAnalysis, on_progress: Callable[[float], None] | None = None
    ) -> Arranged:
        """Return the arrangement of a song; ``on_progress`` gets the share that is done."""
        chords = analysis.chord_vectors()
        written: list[GridNote] = []
        previous: list[GridNote] = []
        grid = analysis.grid
        n_beats, n_steps = UNIT_BARS * grid.beats_per_bar, UNIT_BARS * grid.steps_per_bar
        for unit in range(grid.n_units):
            sound = analysis.sound[unit * n_steps : (unit + 1) * n_steps].astype(np.float32)
            beats = chords[unit * n_beats : (unit + 1) * n_beats]
            sound = in_four(self._mask(sound), grid.beats_per_bar)
            beats = in_four(beats, grid.beats_per_bar)
            previous = self._unit(beats, sound, previous if self._follows else None)
            own = from_four(previous, grid.beats_per_bar)
            written += [moved(note, unit * n_steps) for note in own]
            if on_progress is not None:
                on_progress((unit + 1) / grid.n_units)
        melody = melody_on_grid(analysis)
        notes = _while_song_plays(written, melody, analysis)
        return Arranged(hands_apart(without_doubles(notes, melody) + melody), analysis)

    def _mask(self, sound: Array) -> Array:
        """Return the sound (S, P, 4) without the channels that the network was not trained with."""
        if self._hears_texture:
            return sound
        kept = np.zeros_like(sound)
        if self._hears_melody:
            kept[..., 3] = sound[..., 3]  # the melody
        return kept

    def _unit(self, chords: Array, sound: Array, previous: list[GridNote] | None) -> list[GridNote]:
        z, state, _, intensity = self._encode.run(
            {
                "chords": chords[None],
                "sound": sound[None],
                "previous": score_image(previous or [])[None],
                "has_previous": np.full((1, 1), bool(previous), np.float32),
            },
            ["z", "state", "rhythm", "intensity"],
        )
        notes: list[GridNote] = []
        group = np.zeros((1, self._group_size), np.float32)
        for step in range(UNIT_STEPS):
            state, inner = self._step.run(
                {
                    "z": z,
                    "group": group,
                    "has_group": np.full((1, 1), step > 0, np.float32),
                    "state": state,
                },
                ["next_state", "inner"],
            )
            velocity = round(SOFTEST + (LOUDEST - SOFTEST) * float(intensity[0, step]))
            chord, group = self._group(inner)
            notes += [GridNote(step, length, pitch, velocity) for pitch, length in chord]
        return notes

    @property
    def _group_size(self) -> int:
        size = self._step.inputs["group"][1]
        assert isinstance(size, int)
        return size

    def _group(self, inner: Array) -> tuple[list[tuple[int, int]], Array]:
        """Return (pitch, length) of the notes of one step, upwards, and their sum for the next.

        A group ends where it is likelier to end than to go on with any note: against the likeliest
        note alone the end would win wherever several are nearly as likely.
        """
        chord: list[tuple[int, int]] = []
        total = np.zeros((1, self._group_size), np.float32)
        pitch, length = BEGIN, UNIT_STEPS
        for k in range(MAX_NOTES + 1):
            logits, lengths, embedding, inner = self._note.run(
                {
                    "pitch": np.array([pitch], np.float32),
                    "length": np.array([length], np.float32),
                    "state": inner,
                },
                ["pitches", "lengths", "embedding", "next_state"],
            )
            if k:
                total += embedding
            allowed = logits[0].copy()
            if chord:
                allowed[: chord[-1][0] - MIN_PITCH + 1] = -np.inf  # upwards only
            chances = np.exp(allowed - allowed.max())
            if chances[END] >= GROUP_END * chances.sum() or k == MAX_NOTES:
                break
            pitch = int(allowed[:END].argmax())
            length = int(lengths[0, pitch].argmax())
            chord.append((pitch + MIN_PITCH, length + 1))
        return chord, total


def in_four(rows: Array, beats_per_bar: int) -> Array:
    """Return a unit's chords (beats, ...) or sound (steps, ...) in bars of four beats.

    The frames of a shorter bar's last beat are held, without onsets: a network trained on bars of
    four does better with that than with silence.
    """
    if beats_per_bar == BEATS_PER_BAR:
        return rows
    per_beat = len(rows) // (UNIT_BARS * beats_per_bar)
    bars = rows.reshape(UNIT_BARS, beats_per_bar * per_beat, *rows.shape[1:])
    more = np.repeat(bars[:, -per_beat:], BEATS_PER_BAR - beats_per_bar, axis=1)
    if per_beat > 1:
        more[..., ONSET_CHANNELS] = 0
    return np.concatenate([bars, more], 1).reshape(-1, *rows.shape[1:])


def from_four(notes: list[GridNote], beats_per_bar: int) -> list[GridNote]:
    """Return a unit's notes in bars of four beats in its own: none in, nor over, the last beat."""
    if beats_per_bar == BEATS_PER_BAR:
        return notes
    found = []
    for note in notes:
        bar, step = divmod(note.step, BEATS_PER_BAR * STEPS_PER_BEAT)
        own = beats_per_bar * STEPS_PER_BEAT
        if step < own:
            length = min(note.length, own - step)
            found.append(GridNote(bar * own + step, length, note.pitch, note.velocity))
    return found


def _while_song_plays(
    notes: list[GridNote], melody: list[GridNote], analysis: SongAnalysis
) -> list[GridNote]:
    """Return the notes of bars with an onset in the song, none before the first onset."""
    grid = analysis.grid
    is_onset = analysis.sound[..., 0].max(1) >= ONSET_THRESHOLD
    is_onset[[note.step for note in melody]] = True
    if not is_onset.any():
        return []
    bars = is_onset.reshape(-1, grid.steps_per_bar).any(1)
    first, last = int(is_onset.argmax()), grid.n_steps
    return [
        ending(note, last)
        for note in notes
        if first <= note.step < last and bars[note.step // grid.steps_per_bar]
    ]


def score_image(notes: list[GridNote]) -> Array:
    """Return the notes of a unit as an image (S, P, 2): onset, frame."""
    image = np.zeros((UNIT_STEPS, N_PITCHES, 2), np.float32)
    for note in notes:
        row = note.pitch - MIN_PITCH
        image[note.step, row, 0] = 1
        image[note.step : note.step + note.length, row, 1] = 1
    return image
