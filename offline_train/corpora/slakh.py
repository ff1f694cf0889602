"""Slakh: MIDI of whole bands, each part played by a sampled instrument and mixed.

Published at http://www.slakh.com (Manilow et al., WASPAA 2019, CC BY 4.0). Both layouts are read:
``slakh2100_flac_redux/{train,validation,test,omitted}/TrackNNNNN`` and the small
``babyslakh_16k/TrackNNNNN``, each with ``metadata.yaml``, ``all_src.mid``, ``mix.flac`` (small:
``mix.wav``), ``MIDI/SNN.mid`` and ``stems``. The duplicates in ``omitted`` are left out.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

from engine.core.errors import DataError
from engine.midi.reader import read_midi
from offline_train.corpora.folder import audio_beside
from offline_train.corpora.loaders import mirdata_loader, naming
from offline_train.corpora.midi import midi_beats, read_lines
from offline_train.corpora.piece import (
    Part,
    Piece,
    check_split,
    role_of_program,
    split_of_bytes,
)

_SPLITS = {"train": "train", "validation": "valid", "test": "test", "omitted": None}


class Slakh:
    """Slakh in its own folder, or in the folder where its archive was unpacked.

    babySlakh, which has no splits, is split by a hash of each track's name.

    Raises
    ------
    ConfigError
        If mirdata is not installed.
    DataError
        If the folder has no tracks.
    """

    name = "slakh"
    licence = "CC-BY-4.0"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loader = mirdata_loader("slakh")
        if not self._tracks:
            raise DataError(
                f"{folder}: expected a folder with TrackNNNNN/metadata.yaml below it. Slakh is "
                "published at http://www.slakh.com (CC BY 4.0)"
            )

    @cached_property
    def _tracks(self) -> dict[str, Path]:
        """The folder of each track, in order."""
        found: list[Path] = []
        for depth in ("", "*/", "*/*/"):
            found += self._folder.glob(f"{depth}Track*/metadata.yaml")
        folders = sorted((path.parent for path in found), key=lambda p: (p.name, p))
        return {path.name: path for path in folders if _split_of(path) is not None}

    def ids(self, split: str) -> list[str]:
        """Return the ids of a split, such as ``Track00001``."""
        check_split(split)
        return [name for name, path in self._tracks.items() if _split_of(path) == split]

    def read(self, piece_id: str) -> Piece:
        """Return a track: a part for each stem, the mix as its sound, beats of its MIDI's grid.

        Raises
        ------
        DataError
            If it is not there, or its metadata or a MIDI file of it is broken.
        """
        if piece_id not in self._tracks:
            raise DataError(f"{self._folder}: expected a track that is there, got {piece_id}")
        folder = self._tracks[piece_id]
        with naming(folder / "metadata.yaml", "the metadata of a Slakh track"):
            track = self._multitrack(folder)
            stems = [
                (Path(stem.midi_path), stem.is_drum, stem.program_number, stem.midi_program_name)
                for stem in track.tracks.values()
            ]
            parts = tuple(
                _part(path, bool(is_drum), int(program), str(name))
                for path, is_drum, program, name in stems
            )
        playing = tuple(part for part in parts if part.notes)
        if not playing:
            raise DataError(f"{folder}: expected stems with notes in MIDI/, found none")
        mix = Path(track.midi_path)
        beats = midi_beats(read_midi(mix)) if mix.is_file() else []
        return Piece(piece_id, playing, self.licence, beats, audio=audio_beside(folder / "mix.mid"))

    def _multitrack(self, folder: Path) -> Any:
        """Return mirdata's multitrack of a folder: stems that have MIDI, not sound effects."""
        stems = {
            f"{folder.name}-{stem}": {
                "midi": [f"MIDI/{stem}.mid", None],
                "audio": [f"stems/{stem}{_stem_suffix(folder)}", None],
                "metadata": ["metadata.yaml", None],
            }
            for stem in sorted(path.stem for path in (folder / "MIDI").glob("S*.mid"))
        }
        multitrack = {
            "mix": [f"mix{_stem_suffix(folder)}", None],
            "midi": ["all_src.mid", None],
            "metadata": ["metadata.yaml", None],
            "tracks": list(stems),
        }
        index = {"version": "files", "tracks": stems, "multitracks": {folder.name: multitrack}}
        return self._loader.MultiTrack(
            folder.name, str(folder), self.name, index, self._loader.Track, None
        )


def _stem_suffix(folder: Path) -> str:
    return ".flac" if (folder / "mix.flac").is_file() else ".wav"


def _split_of(folder: Path) -> str | None:
    """Return the split of a track's folder; None for the duplicates that Slakh omits."""
    parent = folder.parent.name
    return _SPLITS[parent] if parent in _SPLITS else split_of_bytes(folder.name.encode())


def _part(path: Path, is_drums: bool, program: int, name: str) -> Part:
    """Return a stem as a part, with the program that the metadata names."""
    lines = read_lines(path)
    notes = sorted(note for line in lines for note in line.notes)
    if is_drums:
        return Part("drums", notes, None, [], name)
    pedals = next((line.pedals for line in lines if line.pedals), [])
    return Part(role_of_program(program), notes, program, pedals, name)
