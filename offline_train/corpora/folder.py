"""Folders of MIDI files: any folder, GiantMIDI-Piano and Freedoom.

GiantMIDI-Piano: https://github.com/bytedance/GiantMIDI-Piano (Kong et al., TISMIR 2022, CC BY 4.0),
solo piano transcribed from recordings. Freedoom: https://freedoom.github.io (BSD-3-Clause), band
music that was written as MIDI. Not here: the reading of one file (``midi``).
"""

from functools import cached_property
from pathlib import Path

from engine.core.errors import DataError
from engine.midi.reader import read_midi
from offline_train.corpora.midi import Line, midi_beats, midi_lines
from offline_train.corpora.piece import (
    UNKNOWN_LICENCE,
    Part,
    Piece,
    check_split,
    role_of_program,
    split_of_bytes,
)

MIDI_SUFFIXES = (".mid", ".midi", ".kar")
LATEST_BEGIN_S = 30.0  # of a piece that is a whole recording
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


def parts_of(lines: list[Line]) -> tuple[Part, ...]:
    """Return the parts that a MIDI file's lines are by General MIDI's programs."""
    return tuple(
        Part("drums", line.notes, None, [], line.track)
        if line.is_drums
        else Part(role_of_program(line.program), line.notes, line.program, line.pedals, line.track)
        for line in lines
    )


def audio_beside(path: Path) -> Path | None:
    """Return the sound file with the same name beside a file, or None."""
    beside = (path.with_suffix(suffix) for suffix in AUDIO_SUFFIXES)
    return next((sound for sound in beside if sound.is_file()), None)


class MidiFolder:
    """Every MIDI file below a folder; ``NAME.wav`` beside ``NAME.mid`` is its recording.

    A piece's id is its path below the folder. Beats are read only where ``has_grid``: a performance
    that was recorded without a click has a grid that means nothing.

    Raises
    ------
    DataError
        If there is no such folder or no MIDI file in it.
    """

    name = "midi"

    def __init__(
        self, folder: Path, licence: str = UNKNOWN_LICENCE, *, has_grid: bool = False
    ) -> None:
        self.licence = licence
        self._folder, self._has_grid = folder, has_grid
        if not self._paths:
            raise DataError(f"{folder}: expected a folder with MIDI files, found none")

    @cached_property
    def _paths(self) -> list[Path]:
        below = (p for p in self._folder.rglob("*") if p.suffix.lower() in MIDI_SUFFIXES)
        files = (p for p in below if p.is_file() and not p.name.startswith("."))
        return sorted(files, key=lambda p: (p.name, p))

    def _id(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    @cached_property
    def _splits(self) -> dict[str, str]:
        """The split of each id, in order."""
        return {self._id(path): _split_of_file(path) for path in self._paths}

    def ids(self, split: str) -> list[str]:
        """Return the ids of a split; a tenth is test and a tenth valid, by a hash of the file."""
        check_split(split)
        return [piece_id for piece_id, own in self._splits.items() if own == split]

    def read(self, piece_id: str) -> Piece:
        """Return a piece. Raises DataError if it is not there, is no MIDI or has no notes."""
        path = self._folder / piece_id
        midi = read_midi(path)
        parts = self._parts(midi_lines(midi))
        if not parts:
            raise DataError(f"{path}: expected a MIDI file with notes, found none")
        beats = midi_beats(midi) if self._has_grid else []
        return Piece(piece_id, parts, self.licence, beats, audio=audio_beside(path))

    def _parts(self, lines: list[Line]) -> tuple[Part, ...]:
        return parts_of(lines)


def _split_of_file(path: Path) -> str:
    try:
        return split_of_bytes(path.read_bytes())
    except OSError:
        return "train"  # read() says what is wrong with it


class GiantMidi(MidiFolder):
    """GiantMIDI-Piano: of the pieces sorted by file name, k % 5 == 0 is test, k % 5 == 1 valid.

    A movement that was cut from a long recording has kept the time it had there; it begins after a
    second here. The recording itself, where it is there as well, is left out: its movements may be
    in other splits.
    """

    name = "giantmidi"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "CC-BY-4.0")

    @cached_property
    def _splits(self) -> dict[str, str]:
        fifths = {0: "test", 1: "valid"}
        splits = {p: fifths.get(k % 5, "train") for k, p in enumerate(self._paths)}
        cuts = "/".join(path.stem for path in splits)
        # A name ends with the recording's id of 11 characters; a cut's goes on after it.
        return {self._id(p): split for p, split in splits.items() if f"{p.stem[-11:]}_" not in cuts}

    def _parts(self, lines: list[Line]) -> tuple[Part, ...]:
        first = min((note.onset for line in lines for note in line.notes), default=0.0)
        early = first - 1.0 if first > LATEST_BEGIN_S else 0.0
        parts = []
        for x in lines:
            notes = [
                note._replace(onset=note.onset - early, offset=note.offset - early)
                for note in x.notes
            ]
            pedals = [pedal._replace(time=max(pedal.time - early, 0.0)) for pedal in x.pedals]
            parts.append(Part("piano", notes, x.program, pedals, x.track))
        return tuple(parts)


class Freedoom(MidiFolder):
    """Freedoom's music: multi-track band pieces with drums, on a grid of beats."""

    name = "freedoom"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "BSD-3-Clause", has_grid=True)
