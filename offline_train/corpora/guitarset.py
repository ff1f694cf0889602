"""GuitarSet: 360 half minutes of acoustic guitar, six strings annotated one by one.

Published at https://zenodo.org/records/3371780 (Xi et al., ISMIR 2018, MIT). Its folders as
unpacked: ``annotation/*.jams``, and ``audio_mono-mic/*_mic.wav`` where the sound is wanted.
The split is by player, as in figures published on it: 05 is test, 04 valid, the others train.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

from engine.core.errors import DataError
from offline_train.corpora.loaders import mirdata_loader, naming
from offline_train.corpora.notes import Beat, Chord, Note
from offline_train.corpora.piece import Part, Piece, check_split

VELOCITY = 80  # GuitarSet has none
ACOUSTIC_GUITAR = 25  # General MIDI: steel strings
_SPLIT_OF_PLAYER = {"04": "valid", "05": "test"}
_AUDIO = {
    "audio_mic": "audio_mono-mic/{}_mic.wav",
    "audio_mix": "audio_mono-pickup_mix/{}_mix.wav",
    "audio_hex": "audio_hex-pickup_original/{}_hex.wav",
    "audio_hex_cln": "audio_hex-pickup_debleeded/{}_hex_cln.wav",
}


class GuitarSet:
    """GuitarSet in the folder that holds ``annotation``.

    Raises
    ------
    ConfigError
        If mirdata is not installed.
    DataError
        If the folder has no annotations.
    """

    name = "guitarset"
    licence = "MIT"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loader = mirdata_loader("guitarset")
        if not self._index["tracks"]:
            raise DataError(
                f"{folder}: expected a folder with annotation/*.jams. GuitarSet is published at "
                "https://zenodo.org/records/3371780 (MIT)"
            )

    @cached_property
    def _index(self) -> dict[str, Any]:
        """Mirdata's index of the excerpts that are there."""
        excerpts = sorted(path.stem for path in (self._folder / "annotation").glob("*.jams"))
        return {
            "version": "1.1.0",
            "tracks": {
                excerpt: {"jams": [f"annotation/{excerpt}.jams", None]}
                | {key: [pattern.format(excerpt), None] for key, pattern in _AUDIO.items()}
                for excerpt in excerpts
            },
        }

    def ids(self, split: str) -> list[str]:
        """Return the ids of a split, such as ``00_BN1-129-Eb_comp``."""
        check_split(split)
        excerpts = self._index["tracks"]
        return [e for e in excerpts if _SPLIT_OF_PLAYER.get(e[:2], "train") == split]

    def read(self, piece_id: str) -> Piece:
        """Return an excerpt with the lead sheet's chords; all notes have one velocity.

        Raises
        ------
        DataError
            If it is not there, or its annotation is broken.
        """
        path = self._folder / "annotation" / f"{piece_id}.jams"
        if piece_id not in self._index["tracks"]:
            raise DataError(f"{path}: expected an excerpt of GuitarSet, found none")
        with naming(path, "an excerpt of GuitarSet in JAMS"):
            track = self._loader.Track(piece_id, str(self._folder), self.name, self._index, None)
            beats = [
                Beat(float(time), int(position) == 1)
                for time, position in zip(track.beats.times, track.beats.positions, strict=True)
            ]
            chords = [
                Chord(float(start), float(end), symbol)
                for (start, end), symbol in zip(
                    track.leadsheet_chords.intervals, track.leadsheet_chords.labels, strict=True
                )
            ]
            notes = [note for string in track.notes.values() for note in _string_notes(string)]
        if not notes:
            raise DataError(f"{path}: expected an excerpt of GuitarSet with notes, found none")
        part = Part("guitar", sorted(notes), ACOUSTIC_GUITAR)
        audio = Path(track.audio_mic_path)
        return Piece(
            piece_id,
            (part,),
            self.licence,
            beats,
            chords,
            audio if audio.is_file() else None,
            has_velocities=False,
        )


def _string_notes(string: Any) -> list[Note]:
    """Return the notes of one string, each at the nearest semitone; mirdata gives None for none."""
    if string is None:
        return []
    return [
        Note(float(onset), float(offset), round(float(pitch)), VELOCITY)
        for (onset, offset), pitch in zip(string.intervals, string.pitches, strict=True)
    ]
