"""Writes an arrangement, unit by unit, with an exported network; melody and accompaniment apart.

An arranger is a folder: ``encode.onnx``, ``step.onnx``, ``note.onnx``, as
``offline_train.arranging`` exports them. No torch. Not here: what is heard (``hearing``) and files
of notes (``notation``).
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.arranging.grid import UNIT_BEATS, UNIT_STEPS
from engine.arranging.hearing import Hearing
from engine.errors import ModelError
from engine.graph import Graph
from engine.paths import given_path, is_folder
from models import shipped
from models.spec import MIN_PITCH, N_PITCHES

Array = NDArray[np.float32]

GRAPHS = ("encode", "step", "note")
KIND = "arranger"
END, BEGIN = N_PITCHES, N_PITCHES + 1
MAX_NOTES = 16
SOFTEST, LOUDEST = 38, 104  # velocities of the intensity's ends
GROUP_END = 0.22  # the probability from which a group of notes ends
MELODY_LIFT = 10  # velocity, over the accompaniment
SPLIT_PITCH = 60
HAND_SPAN = 16  # semitones
HAND_NOTES = 5


@dataclass(frozen=True, slots=True, order=True)
class GridNote:
    """A note on the grid: its first step, its length in steps, and who plays it."""

    step: int
    length: int
    pitch: int
    velocity: int
    is_melody: bool = False
    is_left: bool = False


@dataclass(frozen=True, slots=True)
class Arranged:
    """An arrangement: notes in order, and the hearing that they were written to."""

    notes: list[GridNote]
    hearing: Hearing

    def seconds(self) -> Array:
        """Return the notes (n, 5) as elsewhere: onset, offset, pitch, velocity, is_melody."""
        grid = self.hearing.grid
        if not self.notes:
            return np.zeros((0, 5), np.float32)
        steps = np.array([(n.step, n.step + n.length) for n in self.notes])
        times = grid.time(steps.ravel()).reshape(-1, 2)
        rest = [(n.pitch, n.velocity, n.is_melody) for n in self.notes]
        return np.concatenate([times, np.array(rest, float)], 1).astype(np.float32)


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
        self, hearing: Hearing, on_progress: Callable[[float], None] | None = None
    ) -> Arranged:
        """Return the arrangement of a song; ``on_progress`` is told the share that is done."""
        chords = hearing.chord_vectors()
        written: list[GridNote] = []
        previous: list[GridNote] = []
        n_units = hearing.grid.n_units
        for unit in range(n_units):
            first = unit * UNIT_STEPS
            sound = self._mask(hearing.sound[first : first + UNIT_STEPS])
            beats = chords[unit * UNIT_BEATS : (unit + 1) * UNIT_BEATS]
            previous = self._unit(beats, sound, previous if self._follows else None)
            written += [_moved(note, first) for note in previous]
            if on_progress is not None:
                on_progress((unit + 1) / n_units)
        last = hearing.grid.n_steps
        notes = [_ending(note, last) for note in written if note.step < last]
        melody = melody_on_grid(hearing)
        return Arranged(hands_apart(without_doubles(notes, melody) + melody), hearing)

    def _mask(self, sound: Array) -> Array:
        """Return the sound (S, P, 4) without what the network was trained to do without."""
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
            struck, group = self._group(inner)
            notes += [GridNote(step, length, pitch, velocity) for pitch, length in struck]
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
        struck: list[tuple[int, int]] = []
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
            if struck:
                allowed[: struck[-1][0] - MIN_PITCH + 1] = -np.inf  # upwards only
            chances = np.exp(allowed - allowed.max())
            if chances[END] >= GROUP_END * chances.sum() or k == MAX_NOTES:
                break
            pitch = int(allowed[:END].argmax())
            length = int(lengths[0, pitch].argmax())
            struck.append((pitch + MIN_PITCH, length + 1))
        return struck, total


def score_image(notes: list[GridNote]) -> Array:
    """Return the notes of a unit as an image (S, P, 2): struck, sounding."""
    image = np.zeros((UNIT_STEPS, N_PITCHES, 2), np.float32)
    for note in notes:
        row = note.pitch - MIN_PITCH
        image[note.step, row, 0] = 1
        image[note.step : note.step + note.length, row, 1] = 1
    return image


def melody_on_grid(hearing: Hearing) -> list[GridNote]:
    """Return the melody's notes on the grid, each at least a step long, none over another."""
    grid = hearing.grid
    if not hearing.melody:
        return []
    on = grid.step([note.onset for note in hearing.melody])
    off = grid.step([note.offset for note in hearing.melody])
    found: dict[int, GridNote] = {}
    for note, start, stop in zip(hearing.melody, on.tolist(), off.tolist(), strict=True):
        if 0 <= start < grid.n_steps:
            velocity = min(note.velocity + MELODY_LIFT, 127)
            found[start] = GridNote(start, max(stop - start, 1), note.pitch, velocity, True)
    ordered = [found[step] for step in sorted(found)]
    ends = [note.step for note in ordered[1:]] + [grid.n_steps]
    return [_ending(note, end) for note, end in zip(ordered, ends, strict=True)]


def without_doubles(notes: list[GridNote], melody: list[GridNote]) -> list[GridNote]:
    """Return notes, less those on a pitch that the melody holds at the time; overlaps cut."""
    held = {(step, n.pitch) for n in melody for step in range(n.step, n.step + n.length)}
    kept: dict[int, GridNote] = {}
    result: list[GridNote] = []
    for note in sorted(notes):
        if any((step, note.pitch) in held for step in range(note.step, note.step + note.length)):
            continue
        before = kept.get(note.pitch)
        if before is not None and before.step + before.length > note.step:
            result[result.index(before)] = _ending(before, note.step)
        kept[note.pitch] = note
        result.append(note)
    return result


def hands_apart(notes: list[GridNote]) -> list[GridNote]:
    """Return the notes in order, each given to a hand.

    The melody is the right hand's. The notes struck together are parted where the gap between
    neighbours is widest for its nearness to middle C, so that no hand has more than five keys or a
    tenth to span where that can be avoided.
    """
    result: list[GridNote] = []
    groups: dict[int, list[GridNote]] = {}
    for note in notes:
        groups.setdefault(note.step, []).append(note)
    for step in sorted(groups):
        group = sorted(groups[step], key=lambda note: note.pitch)
        cut = _best_cut(group)
        for k, note in enumerate(group):
            is_left = k < cut and not note.is_melody
            result.append(_with_hand(note, is_left))
    return sorted(result)


def _best_cut(group: list[GridNote]) -> int:
    """Return how many of the lowest notes of a group go to the left hand."""

    def cost(cut: int) -> float:
        left, right = group[:cut], group[cut:]
        wrong = sum(note.is_melody for note in left) * 100.0
        for hand in (left, right):
            if hand:
                span = hand[-1].pitch - hand[0].pitch
                wrong += max(span - HAND_SPAN, 0) * 3 + max(len(hand) - HAND_NOTES, 0) * 10
        wrong += sum(max(note.pitch - SPLIT_PITCH, 0) for note in left)
        return wrong + sum(max(SPLIT_PITCH - note.pitch, 0) for note in right)

    return min(range(len(group) + 1), key=cost)


def _with_hand(note: GridNote, is_left: bool) -> GridNote:
    return GridNote(note.step, note.length, note.pitch, note.velocity, note.is_melody, is_left)


def _moved(note: GridNote, steps: int) -> GridNote:
    return GridNote(note.step + steps, note.length, note.pitch, note.velocity)


def _ending(note: GridNote, last: int) -> GridNote:
    """Return the note, ended at step ``last`` if it lasts longer."""
    length = max(min(note.length, last - note.step), 1)
    return GridNote(note.step, length, note.pitch, note.velocity, note.is_melody, note.is_left)
