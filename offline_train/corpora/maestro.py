"""MAESTRO: competition performances on a Disklavier, recorded, with velocities and pedal.

Published at https://magenta.tensorflow.org/datasets/maestro (Hawthorne et al., ICLR 2019,
CC BY-NC-SA 4.0: not for published weights). Versions 2 and 3 are read, with or without the sound:
``maestro-vX.Y.Z.json`` beside the folders of the years.
"""

from pathlib import Path
from typing import Any

from engine.core.errors import DataError
from offline_train.corpora.loaders import mirdata_loader, naming
from offline_train.corpora.midi import read_lines
from offline_train.corpora.piece import Part, Piece, check_split
from offline_train.corpora.text_files import read_json

_SPLITS = {"train": "train", "validation": "valid", "test": "test"}
_WHERE = "MAESTRO is published at https://magenta.tensorflow.org/datasets/maestro (CC BY-NC-SA 4.0)"


class Maestro:
    """MAESTRO in the folder that holds ``maestro-vX.Y.Z.json``, with the splits in that file.

    Raises
    ------
    ConfigError
        If mirdata is not installed.
    DataError
        If the folder has no such file, or it is broken.
    """

    name = "maestro"
    licence = "CC-BY-NC-SA-4.0"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loader = mirdata_loader("maestro")
        tables = sorted(folder.glob("maestro-v*.json"))
        if not tables:
            raise DataError(f"{folder}: expected a folder with maestro-vX.Y.Z.json. {_WHERE}")
        with naming(tables[-1], "a table of MAESTRO's performances"):
            rows = _rows(read_json(tables[-1]))
            self._metadata = {row["midi_filename"].rsplit(".", 1)[0]: row for row in rows}
            self._split = {key: _SPLITS[row["split"]] for key, row in self._metadata.items()}
            tracks = {
                key: {"midi": [row["midi_filename"], None], "audio": [row["audio_filename"], None]}
                for key, row in self._metadata.items()
            }
        self._index = {"version": tables[-1].stem.removeprefix("maestro-v"), "tracks": tracks}

    def ids(self, split: str) -> list[str]:
        """Return the ids of a split, such as ``2018/NAME``: the MIDI files without suffix."""
        check_split(split)
        return [key for key, own in self._split.items() if own == split]

    def read(self, piece_id: str) -> Piece:
        """Return a performance. Raises DataError if it is not listed or its MIDI is broken."""
        if piece_id not in self._split:
            raise DataError(f"{self._folder}: expected a listed performance, got {piece_id}")
        track = self._loader.Track(
            piece_id, str(self._folder), self.name, self._index, lambda: self._metadata
        )
        lines = read_lines(Path(track.midi_path))
        if not lines:
            raise DataError(f"{track.midi_path}: expected a MIDI file with notes, found none")
        parts = tuple(Part("piano", x.notes, x.program, x.pedals, x.track) for x in lines)
        audio = Path(track.audio_path)
        return Piece(piece_id, parts, self.licence, audio=audio if audio.is_file() else None)


def _rows(table: Any) -> list[dict[str, Any]]:
    """Return a record a performance: version 2 lists records, version 3 has a column a field."""
    if isinstance(table, list):
        return table
    return [{field: table[field][key] for field in table} for key in table["midi_filename"]]
