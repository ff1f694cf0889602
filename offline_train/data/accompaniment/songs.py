"""POP909 on a grid: notes, chords and band on the sixteenths of the annotated beats.

``prepare_songs`` lays each song on its grid and keeps it as arrays in shards; ``load_songs`` reads
them. Shapes: S steps (sixteenths), n notes, P = 88 pitches.
Not here: posteriors of a song (``posterior_noise``, ``step_posteriors``), crops (``crops``).
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.accompany.chords import QUALITY_NAMES, Chord
from engine.core.errors import DataError
from engine.whole_song.grid import STEPS_PER_BEAT, Grid
from models.spec import MIN_PITCH, N_PITCHES
from offline_train.corpora import Note, Song, read_song, split_ids
from offline_train.data.jobs import record_settings, run_missing
from offline_train.data.shards import Piece, StoredPiece, read_shards
from offline_train.evaluation.measures.playability import split_hands
from offline_train.synthesis.bands.band import Player, arrange, parse_chord
from offline_train.synthesis.bands.grooves import TRAIN_GROOVES

Times = NDArray[np.floating]

SONGS_A_SHARD = 50
N_BANDS = 2  # that play each song
ROLES = ("melody", "bass", "chords")
"""Who sounds, as the simulated errors distinguish them; a cell of a band is 1 + the index."""
STRUCK = 4  # added to a cell of a band on the step on which it is struck
_ROLE_OF = {"melody": 0, "bridge": 0, "bass": 1, "comp": 2, "pad": 2, "piano": 2}
_OTHER_QUALITIES = {
    "sus4(b7)": "sus4", "maj6": "maj", "min6": "min", "hdim7": "dim", "dim7": "dim", "aug": "maj",
    "minmaj7": "min",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GridSong:
    """A song on its grid; arrays over steps have S rows."""

    song_id: str
    times: NDArray[np.float64]  # (S,) seconds
    place: NDArray[np.uint8]  # (S,) steps since the bar began
    chords: NDArray[np.int16]  # (S, 3): root, index of the quality, bass; -1 where there is none
    tones: NDArray[np.uint16]  # (S,) the annotated chord's tones, a bit a pitch class; 0 for none
    piano: NDArray[np.int16]  # (n, 5): step, length, pitch, velocity, is the right hand's
    melody: NDArray[np.int16]  # (m, 5) the same of the melody
    bands: NDArray[np.uint8]  # (bands, S, P): who sounds

    @property
    def n_steps(self) -> int:
        """Of the whole song."""
        return len(self.times)

    @property
    def step_s(self) -> float:
        """Seconds of the middle step."""
        return float(np.median(np.diff(self.times)))

    @property
    def bpm(self) -> float:
        """Beats a minute, of the middle step."""
        return 60 / (STEPS_PER_BEAT * self.step_s)


def step_times(beats: Times) -> NDArray[np.float64]:
    """Return the seconds of the sixteenths of beats (b,), those of the last beat included.

    >>> step_times(np.array([0.0, 0.4, 1.2])).round(2)
    array([0. , 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1. , 1.2, 1.4, 1.6, 1.8])
    """
    return np.asarray(Grid(beats).time(np.arange(STEPS_PER_BEAT * len(beats))), np.float64)


def bar_places(is_downbeat: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return for each step of beats (b,) how many steps its bar is old.

    What comes before the first downbeat counts back from it, in bars of four beats.
    """
    beats = np.flatnonzero(is_downbeat)
    place = np.arange(STEPS_PER_BEAT * len(is_downbeat))
    first = int(beats[0]) * STEPS_PER_BEAT if len(beats) else 0
    begins = np.array([first % 16 - 16, *(beats * STEPS_PER_BEAT)])
    last = begins[np.searchsorted(begins, place, side="right") - 1]
    return np.asarray((place - last) % np.where(place < first, 16, 256), np.uint8)


def grid_song(song: Song, rng: np.random.Generator) -> GridSong:
    """Return a song on its grid, and bands that play it, by the choices of ``rng``.

    Raises
    ------
    DataError
        If it has fewer than eight beats, or they do not rise.
    """
    beats = np.array([beat.time for beat in song.beats])
    if len(beats) < 8 or (np.diff(beats) <= 0).any():
        raise DataError(f"{song.song_id}: expected at least eight rising beats, got {len(beats)}")
    times = step_times(beats)
    chords, tones = step_chords(song, times)
    bands = [arrange(song, TRAIN_GROOVES, rng) for _ in range(N_BANDS)]
    return GridSong(
        song.song_id,
        times,
        bar_places(np.array([beat.is_downbeat for beat in song.beats])),
        chords,
        tones,
        grid_notes(song.piano, beats),
        grid_notes(song.melody, beats),
        np.stack([band_cells(players, beats) for players in bands]),
    )


def grid_notes(notes: Sequence[Note], beats: Times) -> NDArray[np.int16]:
    """Return notes on the grid of beats (b,), (n, 5): step, length, pitch, velocity, right hand.

    Of notes of one pitch and step the longest is kept. Ordered by step, then pitch.
    """
    rows = np.array(notes, np.float32).reshape(-1, 4)
    rows = rows[(rows[:, 2] >= MIN_PITCH) & (rows[:, 2] < MIN_PITCH + N_PITCHES)]
    rows = rows[np.lexsort((rows[:, 2], rows[:, 0]))]
    is_right = split_hands(rows)
    on, off = (Grid(beats).position(rows[:, k]) for k in (0, 1))
    step = np.round(on).astype(int)
    length = np.maximum(np.round(off - on), 1)
    table = np.stack([step, length, rows[:, 2], rows[:, 3], is_right], 1).astype(np.int16)
    table = table[(step >= 0) & (step < STEPS_PER_BEAT * len(beats))]
    table = table[np.lexsort((-table[:, 1], table[:, 2], table[:, 0]))]
    is_first = np.ones(len(table), bool)
    is_first[1:] = (table[1:, 0] != table[:-1, 0]) | (table[1:, 2] != table[:-1, 2])
    return np.asarray(table[is_first], np.int16)


def step_chords(song: Song, times: Times) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Return the annotated chord of each step: root, quality and bass (S, 3), tones (S,)."""
    chords = np.full((len(times), 3), -1, np.int16)
    tones = np.zeros(len(times), np.uint16)
    margin = 0.25 * float(np.median(np.diff(times)))
    for start, end, symbol in song.chords:
        if (parsed := parse_chord(symbol)) is None:
            continue
        root, intervals, bass = parsed
        name = symbol.partition(":")[2].partition("/")[0]
        quality = QUALITY_NAMES.index(_OTHER_QUALITIES.get(name, name))
        inside = (times >= start - margin) & (times < end - margin)
        chords[inside] = Chord(root, quality, bass)
        tones[inside] = sum(1 << pc for pc in {(root + k) % 12 for k in intervals} | {bass})
    return chords, tones


def band_cells(players: Sequence[Player], beats: Times) -> NDArray[np.uint8]:
    """Return who of a band sounds at each step and pitch, (S, P): 0, or ``1 + role``.

    ``STRUCK`` is added where it is struck. What is struck hides what is held, and a role of
    ``ROLES`` those after it.
    """
    n_steps = STEPS_PER_BEAT * len(beats)
    cells = np.zeros((n_steps, N_PITCHES), np.uint8)
    pitched = [player for player in players if player.role in _ROLE_OF]
    pitched.sort(key=lambda player: -_ROLE_OF[player.role])
    tables = [(1 + _ROLE_OF[player.role], grid_notes(player.notes, beats)) for player in pitched]
    for role, notes in tables:
        for step, length, pitch in notes[:, :3]:
            cells[step : step + length, pitch - MIN_PITCH] = role
    for role, notes in tables:
        cells[notes[:, 0], notes[:, 2] - MIN_PITCH] = role + STRUCK
    return cells


def prepare_songs(data: Path, split: str, out: Path, seed: int = 1) -> list[GridSong]:
    """Return the songs of a split of POP909, from shards in ``out``, made where missing.

    Raises
    ------
    DataError
        If the data folder has no such split, or ``out`` holds shards made otherwise.
    """
    ids = split_ids(data, split)
    record_settings(out, {"split": split, "seed": seed, "songs": len(ids)})
    groups = [ids[k : k + SONGS_A_SHARD] for k in range(0, len(ids), SONGS_A_SHARD)]
    jobs = {
        f"shard-{k:05d}.tar": partial(_pieces, data, group, seed) for k, group in enumerate(groups)
    }
    run_missing(out, jobs, f"lay {split} on the grid")
    return load_songs(out)


def _pieces(data: Path, ids: Sequence[str], seed: int) -> Iterator[Piece]:
    for song_id in ids:
        rng = np.random.default_rng(zlib.crc32(f"{seed}/accompany/{song_id}".encode()))
        song = grid_song(read_song(data / "pop909" / song_id), rng)
        arrays: dict[str, NDArray[Any]] = {
            name: getattr(song, name)
            for name in ("times", "place", "chords", "tones", "piano", "melody", "bands")
        }
        yield Piece(song_id, arrays, {"seconds": float(song.times[-1])})


def load_songs(folder: Path) -> list[GridSong]:
    """Return the songs that ``prepare_songs`` left in a folder. Raises DataError without any."""
    return [_song(piece) for piece in read_shards(folder)]


def _song(piece: StoredPiece) -> GridSong:
    names = ("times", "place", "chords", "tones", "piano", "melody", "bands")
    return GridSong(piece.name, *(np.array(piece.array(name)) for name in names))
