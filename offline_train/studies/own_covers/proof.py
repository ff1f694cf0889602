"""Makes covers of three pianists, a model of each, and measures whose manner each model has.

POP909's validation songs are played by bands; each pianist's covers of them, in a time of their
own, lie in a folder as a user's would: sound files, MIDI beside the song, or both layouts. One
cover in each folder is of another song and must be refused. What a model plays of test songs, in
sounds that it never heard, is compared with what the pianists play of the same songs.
"""

import logging
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from engine.core.settings import EngineSettings, ModelSettings, PlaySettings
from offline_train.corpora import Note, Song, read_song, split_ids
from offline_train.evaluation.measures.pianist import PianistScore, score_pianist
from offline_train.evaluation.report import markdown_table
from offline_train.evaluation.songs.rungs import EvaluateConfig, reference_piece, rendered_songs
from offline_train.evaluation.systems import ModelSystem
from offline_train.studies.own_covers.pianists import PIANISTS
from offline_train.studies.pairs.proof import random_warp
from offline_train.synthesis.band_renders import cut, render_band
from offline_train.synthesis.bands.band import Player
from offline_train.synthesis.pianos.modelled import ModelledPiano
from offline_train.synthesis.render import RENDER_RATE, players_to_midi

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

TELLING = ("notes_a_second", "pitch", "velocity")
"""Density, register and touch, by which a manner is told; the other figures are printed too."""
FREE = PlaySettings(rhythm="free")  # what the model itself plays
LEAD_S = 1.0  # of silence before a cover
RECORDED = "dense"
"""The pianist who leaves recordings; the others leave MIDI."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How covers are played, the mean over songs; nan where it is undefined."""

    notes_a_second: float
    pitch: float
    velocity: float
    velocity_spread: float
    single: float  # attacks of one note alone
    note_s: float
    pulse: float
    crowded: float

    def distance(self, other: "Manner", scale: dict[str, float]) -> float:
        """Return how far two manners lie apart in ``TELLING``, in units of ``scale``."""
        apart = [(getattr(self, n) - getattr(other, n)) / scale[n] for n in TELLING if scale[n]]
        return float(np.sqrt(np.nanmean(np.square(apart))))


def manner_of(covers: Sequence[tuple[Array, float]]) -> Manner:
    """Return how covers are played: notes (n, >= 4) and seconds of each."""
    scores = [score_pianist(notes, seconds) for notes, seconds in covers]
    whole = np.concatenate([notes for notes, _ in covers])

    def mean(name: str) -> float:
        return float(np.nanmean([getattr(score, name) for score in scores]))

    measured = {f.name for f in fields(PianistScore)}
    values = {f.name: mean(f.name) for f in fields(Manner) if f.name in measured}
    pitch, velocity = (float(whole[:, k].mean()) if len(whole) else np.nan for k in (2, 3))
    return Manner(pitch=pitch, velocity=velocity, **values)


def write_folder(data: Path, cache: Path, pianist: str, n_songs: int, seconds: float) -> Path:
    """Return a folder of songs and a pianist's covers of them, made now or there already."""
    folder = cache / "songs" / pianist
    if (folder / "made").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    excerpts = [_excerpt(data, name, seconds) for name in split_ids(data, "valid")[:n_songs]]
    for k, song in enumerate(tqdm(excerpts, desc=pianist, unit="song")):
        is_wrong = k == 0  # a cover of another song, to be refused
        other = excerpts[1] if is_wrong else song
        band = _band(cache, song)
        _write_pair(folder, pianist, song.song_id, band, _played(pianist, other, seconds))
    (folder / "made").touch()
    return folder


def _excerpt(data: Path, name: str, seconds: float) -> Song:
    song = read_song(data / "pop909" / name)
    rng = np.random.default_rng(zlib.crc32(f"{name}/excerpt".encode()))
    return cut(song, float(rng.uniform(0, max(song.duration - seconds, 0.0))), seconds)


def _band(cache: Path, song: Song) -> bytes:
    """Return a song's sound file, which all pianists cover."""
    path = cache / "songs" / f"{song.song_id}.flac"
    if not path.is_file():
        rng = np.random.default_rng(zlib.crc32(f"{song.song_id}/band".encode()))
        audio, _ = render_band(song, rng)
        soundfile.write(path, np.clip(audio, -1, 1), RENDER_RATE, format="FLAC")
    return path.read_bytes()


def _played(pianist: str, song: Song, seconds: float) -> list[Note]:
    """Return a cover in a time of its own, with silence before it."""
    rng = np.random.default_rng(zlib.crc32(f"{song.song_id}/{pianist}".encode()))
    times, mapped = random_warp(seconds, rng)

    def moved(time: float) -> float:
        return float(np.interp(time, times, mapped)) + LEAD_S

    notes = PIANISTS[pianist](song, rng)
    return [n._replace(onset=moved(n.onset), offset=moved(n.offset)) for n in notes]


def _write_pair(folder: Path, pianist: str, name: str, song: bytes, cover: list[Note]) -> None:
    if pianist != RECORDED:
        (folder / f"{name}.flac").write_bytes(song)
        players_to_midi([Player("piano", 0, cover)]).save(folder / f"{name}.mid")
        return
    inside = folder / name
    inside.mkdir(exist_ok=True)
    (inside / "song.flac").write_bytes(song)
    piano = ModelledPiano(np.random.default_rng(zlib.crc32(pianist.encode())), RENDER_RATE)
    sound = piano.play(cover, max(n.offset for n in cover) + 1.0)
    sound *= 0.7 / np.abs(sound).max()
    soundfile.write(inside / "cover.flac", sound, RENDER_RATE, format="FLAC")


@dataclass(frozen=True, slots=True)
class Proof:
    """The manners of the pianists, of a model of each, and of the model they began with."""

    pianists: dict[str, Manner]
    models: dict[str, Manner]
    start: Manner

    @property
    def scale(self) -> dict[str, float]:
        """By figure, how far the pianists differ: their standard deviation."""
        return {
            f.name: float(np.std([getattr(m, f.name) for m in self.pianists.values()]))
            for f in fields(Manner)
        }

    def nearest(self, name: str) -> str:
        """Return whose manner the model of a pianist has."""
        model = self.models[name]
        return min(self.pianists, key=lambda p: model.distance(self.pianists[p], self.scale))

    def holds(self) -> bool:
        """Return whether each model has its own pianist's manner."""
        return all(self.nearest(name) == name for name in self.models)

    def table(self) -> str:
        """Return the manners as a Markdown table."""
        names = [f.name.replace("_", " ") for f in fields(Manner)]
        rows = [["", *names, *(f"to {p}" for p in self.pianists)]]
        for name, model in self.models.items():
            rows += [self._row(f"{name} plays", self.pianists[name])]
            rows += [self._row(f"the model of {name}", model)]
        return markdown_table([*rows, self._row("the model they began with", self.start)])

    def _row(self, title: str, manner: Manner) -> list[str]:
        values = [getattr(manner, f.name) for f in fields(Manner)]
        apart = [manner.distance(other, self.scale) for other in self.pianists.values()]
        return [title, *(f"{v:.3g}" for v in values), *(f"{a:.2f}" for a in apart)]


def prove(models: dict[str, Path], start: str, songs: EvaluateConfig) -> Proof:
    """Return the manners of pianists and of their models, of the same songs."""
    played: dict[str, list[tuple[Array, float]]] = {}
    systems = {
        name: ModelSystem(EngineSettings(model=ModelSettings(str(model)), play=FREE))
        for name, model in {**models, "start": start}.items()
    }
    for song in tqdm(rendered_songs(songs), desc="prove", unit="song"):
        piece, _ = reference_piece(songs, song.name)
        for name, notes in _by_rule(piece):
            played.setdefault(f"by {name}", []).append((notes, song.seconds))
        for name, system in systems.items():
            played.setdefault(name, []).append((system.cover(song).notes, song.seconds))
    manners = {name: manner_of(covers) for name, covers in played.items()}
    return Proof(
        {name: manners[f"by {name}"] for name in PIANISTS},
        {name: manners[name] for name in models},
        manners["start"],
    )


def _by_rule(song: Song) -> Iterator[tuple[str, Array]]:
    for name, pianist in PIANISTS.items():
        notes = pianist(song, np.random.default_rng(zlib.crc32(song.song_id.encode())))
        yield name, np.array([(*note, 0) for note in notes], np.float32)
