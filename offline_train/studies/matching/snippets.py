"""Pairs of snippets: pieces analysed once and kept as spectra, then drawn in batches.

``analyze_pieces`` mixes and masters each piece of some folders of shards, some times over, and
keeps its spectrum and notes as shards of its own: what is slow is done once, and the same command
goes on where it stopped. Two tasks: ``piano`` pairs the sound of a piano with its own notes, as the
paper does; ``cover`` pairs a band with the piano arrangement that a human made of its song.

In a batch every snippet has exactly one partner: pop music repeats itself, so a snippet whose roll
is nearly that of another in the batch is drawn anew. Not here: rendering (``prepare``).
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.errors import DataError
from offline_train.data.analysis_cache import cached_pieces, group_by_shard, record_sources
from offline_train.data.sampler import mix_piece
from offline_train.data.shards import Piece, StoredPiece
from offline_train.studies.matching.views import (
    FRAME_S,
    WINDOW_S,
    roll_window,
    sound_window,
    spectrum,
)
from offline_train.synthesis.mixing import audible

Task = Literal["piano", "cover"]
Array = NDArray[np.float32]

MAX_SHIFT = 6  # semitones to either side, as in the paper
LEAST_CELLS = 12  # of a roll that is worth finding: an eighth of a second of one note
TOO_LIKE = 0.8  # shared cells / all cells, from which two snippets count as the same music
MAX_DRAWS = 100  # for each snippet of a batch


@dataclass(frozen=True, slots=True)
class Place:
    """Where a snippet was cut."""

    piece: str
    start: float  # seconds
    semitones: int


class Snippets(NamedTuple):
    """Partners in the same row: rolls (N, P, C) and spectra (N, F, T), float32."""

    rolls: Tensor
    sounds: Tensor
    places: list[Place]


def analyze_pieces(
    folders: Sequence[Path], out: Path, task: Task, n_mixes: int = 1, seed: int = 1
) -> list[StoredPiece]:
    """Return the pieces of folders of shards as spectra ``cqt`` (T, F) and ``notes`` (n, >= 3).

    Raises
    ------
    DataError
        If no piece fits the task, or ``out`` holds an analysis of other shards.
    """
    wanted = "solo pieces" if task == "piano" else "songs with a cover"
    sources = group_by_shard(folders, partial(_fits, task=task), wanted)
    record_sources(out, folders, {"task": task, "hearings": n_mixes, "seed": seed})
    return cached_pieces(
        out,
        {
            f"{name}-{k}.tar": partial(_analyzed_all, pieces, task, k, seed)
            for k in range(n_mixes)
            for name, pieces in sources
        },
    )


def _fits(piece: StoredPiece, task: Task) -> bool:
    if piece.facts["seconds"] < 2 * WINDOW_S:
        return False
    is_solo = piece.facts.get("roles") == ["solo"]
    return (is_solo and "score" in piece) if task == "piano" else "notes" in piece


def _analyzed_all(pieces: list[StoredPiece], task: Task, mix: int, seed: int) -> Iterator[Piece]:
    return (_analyzed(piece, task, mix, seed) for piece in pieces)


def _analyzed(piece: StoredPiece, task: Task, mix: int, seed: int) -> Piece:
    rng = np.random.default_rng(zlib.crc32(f"{seed}/{piece.name}/{mix}".encode()))
    sound, gains = mix_piece(piece, rng)
    notes = np.array(piece.array("score" if task == "piano" else "notes"))
    if task == "piano":
        notes = notes[audible(gains)[notes[:, 4].astype(int)]]
    facts = {"seconds": piece.facts["seconds"], "sources": piece.facts.get("sources", [])}
    return Piece(f"{piece.name}-{mix}", {"cqt": spectrum(sound), "notes": notes}, facts)


class SnippetSource:
    """Draws snippets of analysed pieces.

    Parameters
    ----------
    pieces
        Of ``analyze_pieces``.
    max_shift
        Semitones to either side by which both partners are moved; 0 leaves them as they are.
    too_like
        Share of common cells from which a snippet may not join one that is there. Above 1, rolls
        may be as like as they come, but never equal: an equal one would be right as well.
    apart_s
        Seconds between the beginnings of two snippets of one piece, at least.
    """

    def __init__(
        self,
        pieces: Sequence[StoredPiece],
        max_shift: int = MAX_SHIFT,
        too_like: float = TOO_LIKE,
        apart_s: float = 0.0,
    ) -> None:
        self._pieces = [(p.name, p.array("cqt"), np.array(p.array("notes"))) for p in pieces]
        lengths = np.array([len(frames) for _, frames, _ in self._pieces], float)
        self._share = lengths / lengths.sum()
        self._max_shift = max_shift
        self._too_like, self._apart_s = too_like, apart_s

    def draw(self, n: int, rng: np.random.Generator) -> Snippets:
        """Return n snippets, of which no two are the same music, by the choices of ``rng``.

        Raises
        ------
        DataError
            If the pieces do not hold so many.
        """
        rolls: list[NDArray[np.uint8]] = []
        sounds: list[Array] = []
        places: list[Place] = []
        packed = np.zeros((n, roll_window(np.zeros((0, 3), np.float32), 0.0).size // 8), np.uint8)
        for _ in range(MAX_DRAWS * n):
            place, roll, sound = self._one(rng)
            if any(self._is_near(place, other) for other in places):
                continue
            bits = np.packbits(roll)
            if self._is_new(bits, packed[: len(rolls)]):
                packed[len(rolls)] = bits
                rolls.append(roll)
                sounds.append(sound())
                places.append(place)
            if len(rolls) == n:
                return Snippets(
                    torch.from_numpy(np.stack(rolls)).float(),
                    torch.from_numpy(np.stack(sounds)),
                    places,
                )
        raise DataError(
            f"{len(self._pieces)} pieces hold only {len(rolls)} different snippets, {n} were asked"
            " for: give more pieces or smaller batches"
        )

    def _one(self, rng: np.random.Generator) -> tuple[Place, NDArray[np.uint8], "_Cut"]:
        name, frames, notes = self._pieces[rng.choice(len(self._pieces), p=self._share)]
        last = len(frames) - round(WINDOW_S / FRAME_S)
        first = int(rng.integers(0, max(last, 1)))
        semitones = int(rng.integers(-self._max_shift, self._max_shift + 1))
        place = Place(name, first * FRAME_S, semitones)
        return place, roll_window(notes, place.start, semitones), _Cut(frames, first, semitones)

    def _is_near(self, one: Place, other: Place) -> bool:
        return one.piece == other.piece and abs(one.start - other.start) < self._apart_s

    def _is_new(self, bits: NDArray[np.uint8], others: NDArray[np.uint8]) -> bool:
        n_cells = int(np.bitwise_count(bits).sum())
        if n_cells < LEAST_CELLS:
            return False
        if not len(others):
            return True
        common = np.bitwise_count(others & bits).sum(1, dtype=np.int64)
        every = np.bitwise_count(others | bits).sum(1, dtype=np.int64)
        if self._too_like > 1:
            return bool((common < every).all())
        return bool((common < self._too_like * every).all())


class _Cut(NamedTuple):
    """A window of sound that is only made if it is wanted."""

    frames: NDArray[np.float16]
    first: int
    semitones: int

    def __call__(self) -> Array:
        return sound_window(self.frames, self.first, self.semitones)
