"""Notes as a JACK port gave them, or as a MIDI file holds them, and what can be said of them.

Times are seconds: of ``perf_counter`` from the recorder, of the file from a file.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import mido
import numpy as np
from mir_eval.transcription import precision_recall_f1_overlap
from numpy.typing import NDArray

from engine.midi.messages import ALL_NOTES_OFF

Array = NDArray[np.float64]


@dataclass(frozen=True, order=True)
class Message:
    """One note-on (velocity 1 to 127) or note-off (velocity 0)."""

    time: float
    pitch: int
    velocity: int
    sample: int = 0  # its place in the recorder's sound
    channel: int = 0

    @property
    def is_on(self) -> bool:
        return self.velocity > 0


def from_bytes(time: float, data: Sequence[int], sample: int = 0) -> Message | None:
    """Return the note message in ``data``, None for any other message."""
    status = data[0] & 0xF0
    if status not in (0x80, 0x90):
        return None
    velocity = data[2] if status == 0x90 else 0
    return Message(time, data[1], velocity, sample, data[0] & 0x0F)


def read_recording(path: Path) -> list[Message]:
    """Return what ``jack_recorder.py`` has written by now, in order of arrival."""
    messages = []
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):  # else it is being written
            raw = json.loads(line)
            messages.append(from_bytes(raw["t"], raw["data"], raw["sample"]))
    return [m for m in messages if m is not None]


def read_midi_file(path: Path) -> list[Message]:
    """Return all notes of a MIDI file, tracks merged, note-offs first where times are equal."""
    time, messages = 0.0, []
    for message in mido.MidiFile(path):
        time += message.time
        if message.type in ("note_on", "note_off"):
            velocity = message.velocity if message.type == "note_on" else 0
            messages.append(Message(time, message.note, velocity, channel=message.channel))
    return sorted(messages, key=lambda m: (m.time, m.is_on))


def ons(messages: Iterable[Message]) -> list[Message]:
    return [m for m in messages if m.is_on]


def key(message: Message) -> tuple[int, int]:
    """Return what stays the same on every way: pitch and velocity."""
    return message.pitch, message.velocity


def unended(messages: Iterable[Message]) -> list[int]:
    """Return the pitches that sound after the last message, each as often as it was struck.

    As a synthesizer counts: a note-on needs a note-off of its own before or after the next.
    """
    sounding: dict[int, int] = {}
    for message in messages:
        n = sounding.get(message.pitch, 0) + (1 if message.is_on else -1)
        sounding[message.pitch] = max(0, n)
    return [pitch for pitch, n in sorted(sounding.items()) for _ in range(n)]


def is_silenced(path: Path) -> bool:
    """Return whether All Notes Off came after the last note in a recorder's file."""
    for line in reversed(path.read_text().splitlines()):
        data: list[int] = json.loads(line)["data"]
        if data[0] & 0xF0 in (0x80, 0x90):
            return False
        if data[0] & 0xF0 == 0xB0 and data[1] == ALL_NOTES_OFF:
            return True
    return False


def has_pairs_only(messages: Sequence[Message]) -> bool:
    """True if every note-on has its note-off and there is no other note-off."""
    n_on = len(ons(messages))
    return not unended(messages) and len(messages) == 2 * n_on


def onset_f1(reference: Sequence[Message], estimate: Sequence[Message]) -> float:
    """Return the F1 of pitch and onset within 50 ms (mir_eval), times of both on one scale."""
    intervals, pitches = zip(*map(_note_arrays, (reference, estimate)), strict=True)
    if not all(len(p) for p in pitches):
        return 0.0
    _, _, f1, _ = precision_recall_f1_overlap(
        intervals[0], pitches[0], intervals[1], pitches[1], offset_ratio=None
    )
    return float(f1)


def _note_arrays(messages: Sequence[Message]) -> tuple[Array, Array]:
    """Return onsets as intervals (n, 2) of no matter which end, and pitches (n,) in hertz."""
    struck = ons(messages)
    onsets = np.array([m.time for m in struck], np.float64)
    onsets -= min(0.0, onsets.min(initial=0.0))  # mir_eval takes no negative time
    hertz = 440.0 * 2.0 ** ((np.array([m.pitch for m in struck], np.float64) - 69) / 12)
    return np.stack([onsets, onsets + 0.1], axis=1).reshape(-1, 2), hertz


def delays(reference: Sequence[Message], estimate: Sequence[Message], reach: float) -> Array:
    """Return, for each reference note with a note of its pitch nearer than ``reach``, how much

    later (seconds) that note is. Each note is taken once at most.
    """
    left, found = ons(estimate), []
    for note in ons(reference):
        near = [m for m in left if m.pitch == note.pitch and abs(m.time - note.time) < reach]
        if near:
            best = min(near, key=lambda m: abs(m.time - note.time))
            left.remove(best)
            found.append(best.time - note.time)
    return np.array(found, np.float64)


def shifted(messages: Iterable[Message], by: float) -> list[Message]:
    return [replace(m, time=m.time + by) for m in messages]
