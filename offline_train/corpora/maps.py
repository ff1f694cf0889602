"""MAPS: piano pieces in seven synthesised and two recorded settings of an instrument.

MIDI Aligned Piano Sounds (Emiya et al., IEEE TASLP 2010; CC BY-NC-SA 2.0 France: not for published
weights). ``<setting>/MUS/MAPS_MUS-<piece>_<setting>.{txt,wav,mid}``; the text has a line a note:
onset and offset in seconds and MIDI pitch, parted by tabs, below a heading.

The recorded Disklavier (ENSTDkAm, ENSTDkCl) is the test set, as in all papers since Sigtia et al.
(2016). As in Hawthorne et al. (ISMIR 2018), a piece that is played in the test set is not in the
others, whatever plays it.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from functools import cached_property
from pathlib import Path

from engine.core.errors import DataError
from offline_train.corpora.folder import audio_beside
from offline_train.corpora.midi import Line, read_lines
from offline_train.corpora.notes import Note
from offline_train.corpora.piece import Part, Piece, check_split, split_of_bytes

TEST_SETTINGS = ("ENSTDkAm", "ENSTDkCl")
VELOCITY = 80  # for notes without a MIDI file beside the text
SAME_ONSET_S = 0.02  # between the text and the MIDI file that it was made from
_PREFIX = "MAPS_MUS-"


class Maps:
    """The pieces of MAPS (MUS) below a folder; chords and single notes are left out.

    A tenth of the pieces, by a hash of the piece's name, is valid.

    Raises
    ------
    DataError
        If there are no such pieces.
    """

    name = "maps"
    licence = "CC-BY-NC-SA-2.0-FR"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not self._paths:
            raise DataError(
                f"{folder}: expected files {_PREFIX}PIECE_SETTING.txt below it, found none. MAPS "
                "is published by Télécom Paris (CC BY-NC-SA 2.0 France)"
            )

    @cached_property
    def _paths(self) -> dict[str, Path]:
        found = self._folder.rglob(f"{_PREFIX}*.txt")
        return {path.stem: path for path in sorted(found, key=lambda p: (p.name, p))}

    @cached_property
    def _splits(self) -> dict[str, str]:
        """The split of each id; the other settings' recordings of test pieces are in none."""
        named = {key: key.removeprefix(_PREFIX).rpartition("_") for key in self._paths}
        kept = {piece for piece, _, setting in named.values() if setting in TEST_SETTINGS}
        splits = {}
        for key, (piece, _, setting) in named.items():
            if setting in TEST_SETTINGS:
                splits[key] = "test"
            elif piece not in kept:
                is_valid = split_of_bytes(piece.encode()) == "valid"
                splits[key] = "valid" if is_valid else "train"
        return splits

    def ids(self, split: str) -> list[str]:
        """Return the ids of a split: the names of the text files without suffix."""
        check_split(split)
        return [key for key, own in self._splits.items() if own == split]

    def read(self, piece_id: str) -> Piece:
        """Return a piece; velocities and pedal are the MIDI file's beside the text, if there.

        Raises
        ------
        DataError
            If the piece is not there, or the text or the MIDI file is broken.
        """
        if piece_id not in self._paths:
            raise DataError(f"{self._folder}: expected a piece that is there, got {piece_id}")
        path = self._paths[piece_id]
        notes = _read_text(path)
        lines = read_lines(path.with_suffix(".mid")) if path.with_suffix(".mid").is_file() else []
        pedals = next((line.pedals for line in lines if line.pedals), [])
        part = Part("piano", _with_velocities(notes, lines), 0, pedals)
        return Piece(
            piece_id, (part,), self.licence, audio=audio_beside(path), has_velocities=bool(lines)
        )


def _read_text(path: Path) -> list[Note]:
    """Return the notes of MAPS's text. Raises DataError naming the line that is broken."""
    try:
        rows = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{path}: expected a text file of notes ({error})") from error
    notes = []
    for k, row in enumerate(rows[1:], 2):
        if not row.strip():
            continue
        try:
            onset, offset, pitch = (float(word) for word in row.split())
        except ValueError:
            onset = offset = pitch = math.nan
        if not (0 <= onset <= offset < math.inf and pitch in range(128)):
            raise DataError(
                f"{path}: expected onset, offset and MIDI pitch in line {k}, got {row.strip()!r}"
            )
        if onset < offset:
            notes.append(Note(onset, offset, int(pitch), VELOCITY))
    if not notes:
        raise DataError(f"{path}: expected a text file with a line a note, found none")
    return sorted(notes)


def _with_velocities(notes: list[Note], lines: list[Line]) -> list[Note]:
    """Return notes with the velocity of the MIDI note of the same pitch nearest in time."""
    struck: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for note in sorted(note for line in lines for note in line.notes):
        struck[note.pitch].append((note.onset, note.velocity))
    matched = []
    for note in notes:
        same = struck[note.pitch]
        k = bisect_left(same, (note.onset, 0))
        near = min(same[max(k - 1, 0) : k + 1], key=lambda s: abs(s[0] - note.onset), default=None)
        if near is not None and abs(near[0] - note.onset) <= SAME_ONSET_S:
            note = note._replace(velocity=near[1])
        matched.append(note)
    return matched
