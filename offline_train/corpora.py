"""Reads POP909: notes by role, beats and chords of a song, on one time axis.

Published at https://github.com/music-x-lab/POP909-Dataset (Wang et al., ISMIR 2020, MIT licence).
Expected below the data folder: ``pop909/NNN/{NNN.mid, beat_midi.txt, chord_midi.txt}`` and
``splits.json`` (``{"pop909": {"train": [ids], "valid": [ids], "test": [ids]}}``).
Not here: making audio of a song (``band``, ``render``).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import mido
from mido.midifiles.meta import KeySignatureError

from engine.errors import DataError

SPLITS = ("train", "valid", "test")
# All that mido raises on a file that is not MIDI; KeySignatureError descends from Exception.
_BROKEN_MIDI = (OSError, EOFError, ValueError, KeyError, IndexError, KeySignatureError)
WHERE = "POP909 is published at https://github.com/music-x-lab/POP909-Dataset (MIT)"


class Note(NamedTuple):
    """A note: onset and offset in seconds, MIDI pitch, velocity 1 to 127."""

    onset: float
    offset: float
    pitch: int
    velocity: int


class Chord(NamedTuple):
    """A chord symbol in Harte's notation, such as ``F#:maj7/5``, or ``N`` for none."""

    start: float
    end: float
    symbol: str


class Beat(NamedTuple):
    """A beat and whether a bar begins on it."""

    time: float
    is_downbeat: bool


@dataclass(frozen=True, slots=True)
class Song:
    """One piece of POP909; every list is ordered by time."""

    song_id: str
    melody: list[Note]
    bridge: list[Note]
    piano: list[Note]
    beats: list[Beat]
    chords: list[Chord]

    @property
    def duration(self) -> float:
        """Seconds to the last note's end."""
        return max((n.offset for n in self.melody + self.bridge + self.piano), default=0.0)

    def cover(self) -> list[tuple[Note, bool]]:
        """Return the human cover: MELODY and PIANO merged, each note with "is melody".

        A piano note that doubles a melody note (same pitch, onsets within 50 ms) is dropped.
        """
        notes = [(note, True) for note in self.melody]
        taken: dict[int, list[float]] = {}
        for note in self.melody:
            taken.setdefault(note.pitch, []).append(note.onset)
        for note in self.piano:
            if not any(abs(note.onset - other) < 0.05 for other in taken.get(note.pitch, ())):
                notes.append((note, False))
        return sorted(notes)


def read_notes(path: Path) -> dict[str, list[Note]]:
    """Return the notes of each track of a MIDI file by track name.

    Raises
    ------
    DataError
        If the file is missing or is not MIDI.
    """
    try:
        midi = mido.MidiFile(path)
    except _BROKEN_MIDI as error:
        raise DataError(f"{path}: expected a MIDI file, could not read it ({error})") from error
    tempi = _tempo_map(midi)
    return {track.name: _track_notes(track, midi.ticks_per_beat, tempi) for track in midi.tracks}


def _tempo_map(midi: mido.MidiFile) -> list[tuple[int, float, int]]:
    """Return (tick, seconds, microseconds a quarter) at each tempo change."""
    changes = []
    for track in midi.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                changes.append((tick, message.tempo))
    tempi = [(0, 0.0, 500_000)]
    for tick, tempo in sorted(changes):
        last_tick, seconds, last_tempo = tempi[-1]
        seconds += mido.tick2second(tick - last_tick, midi.ticks_per_beat, last_tempo)
        tempi.append((tick, seconds, tempo))
    return tempi


def _track_notes(
    track: mido.MidiTrack, ticks_per_beat: int, tempi: list[tuple[int, float, int]]
) -> list[Note]:
    notes: list[Note] = []
    sounding: dict[int, tuple[float, int]] = {}
    tick, k = 0, 0
    for message in track:
        tick += message.time
        while k + 1 < len(tempi) and tempi[k + 1][0] <= tick:
            k += 1
        if message.type not in ("note_on", "note_off"):
            continue
        start_tick, seconds, tempo = tempi[k]
        now = seconds + mido.tick2second(tick - start_tick, ticks_per_beat, tempo)
        if message.note in sounding:
            onset, velocity = sounding.pop(message.note)
            if now > onset:
                notes.append(Note(onset, now, message.note, velocity))
        if message.type == "note_on" and message.velocity > 0:
            sounding[message.note] = (now, message.velocity)
    return sorted(notes)


def _rows(path: Path) -> list[list[str]]:
    try:
        return [line.split() for line in path.read_text().splitlines() if line.strip()]
    except OSError as error:
        raise DataError(f"{path}: expected a text file of annotations ({error})") from error


def read_song(folder: Path) -> Song:
    """Return the song in a POP909 folder. Raises DataError naming the file that is broken."""
    tracks = read_notes(folder / f"{folder.name}.mid")
    missing = [name for name in ("MELODY", "PIANO") if not tracks.get(name)]
    if missing:
        raise DataError(f"{folder}: expected notes on the tracks MELODY and PIANO, {missing} empty")
    try:
        beats = [Beat(float(r[0]), float(r[2]) > 0.5) for r in _rows(folder / "beat_midi.txt")]
        chords = [Chord(float(r[0]), float(r[1]), r[2]) for r in _rows(folder / "chord_midi.txt")]
    except (IndexError, ValueError) as error:
        raise DataError(
            f"{folder}: expected rows of numbers in its annotations ({error})"
        ) from error
    return Song(
        folder.name, tracks["MELODY"], tracks.get("BRIDGE", []), tracks["PIANO"], beats, chords
    )


def split_ids(data: Path, split: str) -> list[str]:
    """Return the POP909 song ids of a split (train, valid or test).

    Raises
    ------
    DataError
        If the data folder has no ``splits.json`` or no such split.
    """
    path = data / "splits.json"
    if not path.is_file():
        raise DataError(f"{data}: expected a folder with pop909/ and splits.json. {WHERE}")
    try:
        ids: Iterable[str] = json.loads(path.read_text())["pop909"][split]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f'{path}: expected {{"pop909": {{"{split}": [ids]}}}} ({error})') from error
    return list(ids)
