"""POP909: 909 pop songs with melody, bridge and a human piano arrangement, beats and chords.

Published at https://github.com/music-x-lab/POP909-Dataset (Wang et al., ISMIR 2020, MIT licence).
Expected below the data folder: ``pop909/NNN/{NNN.mid, beat_midi.txt, chord_midi.txt}`` and
``splits.json`` (``{"pop909": {"train": [ids], "valid": [ids], "test": [ids]}}``).
Not here: making audio of a song (``band``, ``render``).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mido

from engine.core.errors import DataError
from engine.midi.reader import read_midi
from offline_train.corpora.midi import midi_lines, midi_notes
from offline_train.corpora.notes import Beat, Chord, Note, Pedal
from offline_train.corpora.piece import Part, Piece, check_split
from offline_train.corpora.text_files import read_json, read_text

WHERE = "POP909 is published at https://github.com/music-x-lab/POP909-Dataset (MIT)"
LICENCE = "MIT"


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

    def piece(self, pedals: Sequence[Pedal] = ()) -> Piece:
        """Return the song as every corpus gives its pieces; ``pedals`` are the piano's."""
        parts = (
            Part("melody", self.melody, name="MELODY"),
            Part("bridge", self.bridge, name="BRIDGE"),
            Part("piano", self.piano, 0, list(pedals), "PIANO"),
        )
        playing = tuple(part for part in parts if part.notes)
        return Piece(self.song_id, playing, LICENCE, self.beats, self.chords)


def _rows(path: Path) -> list[list[str]]:
    return [line.split() for line in read_text(path).splitlines() if line.strip()]


def _seconds(text: str) -> float:
    """Return a number that a time can be. Raises ValueError."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no time")
    return value


def read_song(folder: Path) -> Song:
    """Return the song in a POP909 folder. Raises DataError naming the file that is broken."""
    return _read_song(folder, read_midi(folder / f"{folder.name}.mid"))


def _read_song(folder: Path, midi: mido.MidiFile) -> Song:
    tracks = midi_notes(midi)
    missing = [name for name in ("MELODY", "PIANO") if not tracks.get(name)]
    if missing:
        raise DataError(f"{folder}: expected notes on the tracks MELODY and PIANO, {missing} empty")
    try:
        beats = [Beat(_seconds(r[0]), float(r[2]) > 0.5) for r in _rows(folder / "beat_midi.txt")]
        chords = [
            Chord(_seconds(r[0]), _seconds(r[1]), r[2]) for r in _rows(folder / "chord_midi.txt")
        ]
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
        ids: Iterable[str] = read_json(path)["pop909"][split]
    except (KeyError, TypeError) as error:
        raise DataError(f'{path}: expected {{"pop909": {{"{split}": [ids]}}}} ({error})') from error
    return list(ids)


class Pop909:
    """POP909 below a data folder, with the splits of its ``splits.json``.

    Raises
    ------
    DataError
        If the folder has no ``splits.json`` or no ``pop909``.
    """

    name = "pop909"
    licence = LICENCE

    def __init__(self, data: Path) -> None:
        self._data = data
        split_ids(data, "train")
        if not (data / "pop909").is_dir():
            raise DataError(f"{data}: expected a folder with pop909/ and splits.json. {WHERE}")

    def ids(self, split: str) -> list[str]:
        """Return the song ids of a split, as ``splits.json`` has them."""
        check_split(split)
        return split_ids(self._data, split)

    def song(self, song_id: str) -> Song:
        """Return a song as ``band.arrange`` takes it. Raises DataError naming the broken file."""
        return read_song(self._data / "pop909" / song_id)

    def read(self, piece_id: str) -> Piece:
        """Return a song as a piece, with its piano's pedal. Raises DataError as ``song`` does."""
        folder = self._data / "pop909" / piece_id
        midi = read_midi(folder / f"{piece_id}.mid")
        song = _read_song(folder, midi)
        pedals = next((line.pedals for line in midi_lines(midi) if line.track == "PIANO"), [])
        return song.piece(pedals)
