"""The sounds of the transfer study: synthesized instruments, the piano and the guitar it goes to.

``synthesized`` plays the scores of both targets on programs of the training soundfonts; ``piano``
is the recorded Salamander grand, ``guitar`` a soundfont that nothing else here uses. Where the
data folder holds MAPS (``maps``) or GuitarSet (``guitarset``), their recordings are the targets.
Scores are GiantMIDI-Piano's and, for the guitar, the pianists' of POP909 laid on six strings.

Every piece is a shard of its own: ``stems`` int16 (n, 1) and ``score`` float32 (n, 5), as
``prepare`` writes them, so what reads those reads these. Not here: features (``excerpts``).
"""

import logging
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ConfigError, DataError
from offline_train.corpora import Corpus, Note, Piece, open_corpus
from offline_train.data.jobs import missing_shards, run_missing
from offline_train.data.prepare import cut_piece, score_of, shard_name, to_int16
from offline_train.data.shards import Piece as Stored
from offline_train.data.sound_files import read_part
from offline_train.synthesis.band_renders import HELD_OUT_SOUNDFONT
from offline_train.synthesis.bands.band import Player
from offline_train.synthesis.pianos.salamander import play_piano
from offline_train.synthesis.stems import SAMPLE_RATE, Stem, level, play_in_turn

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

DOMAINS = ("synthesized", "piano", "guitar")
REAL = {"piano": "maps", "guitar": "guitarset"}
SCORES = {"piano": ("giantmidi",), "guitar": ("pop909",), "synthesized": ("giantmidi", "pop909")}
FLUID, OPL3, BANK = "FluidR3_GM.sf2", "OPL-3_FM_128M.sf2", "sf_GMbank.sf2"
SYNTHESIZED = tuple(
    (font, program)
    for font in (FLUID, BANK, OPL3)
    for program in (0, 1, 4, 6, 11, 16, 19, 24, 25, 27, 46, 48, 73, 80)
)
"""Pianos, harpsichord, vibraphone, organs, guitars, harp, strings, flute and a lead."""

GUITARS = ((HELD_OUT_SOUNDFONT, 24), (HELD_OUT_SOUNDFONT, 25))
LOWEST_STRING, HIGHEST_FRET, N_STRINGS = 40, 88, 6

Play = Callable[[list[Note], float, np.random.Generator], tuple[Array, str]]


@dataclass(frozen=True, slots=True)
class SoundConfig:
    """How much of a domain's split is made: ``minutes``, in excerpts of ``seconds``."""

    data: Path
    out: Path
    domain: str
    split: str
    minutes: float
    seconds: float = 40.0
    seed: int = 1

    @property
    def n_pieces(self) -> int:
        """How many excerpts that is."""
        return max(1, math.ceil(self.minutes * 60 / self.seconds))


def as_guitar(notes: Sequence[Note]) -> list[Note]:
    """Return notes as a guitar can play them: by octaves into its range, six at once at the most.

    Where a seventh is struck the one that has sounded longest ends, as its string would.

    >>> as_guitar([Note(0.0, 1.0, 28, 80)])
    [Note(onset=0.0, offset=1.0, pitch=40, velocity=80)]
    """
    placed: dict[tuple[float, int], Note] = {}
    for note in sorted(notes):
        pitch = note.pitch
        while pitch < LOWEST_STRING:
            pitch += 12
        while pitch > HIGHEST_FRET:
            pitch -= 12
        placed.setdefault((note.onset, pitch), note._replace(pitch=pitch))
    sounding: list[Note] = []
    done: list[Note] = []
    for note in sorted(placed.values()):
        for other in [n for n in sounding if n.offset <= note.onset]:
            sounding.remove(other)
            done.append(other)
        same = [n for n in sounding if n.pitch == note.pitch]
        full = sounding[:1] if len(sounding) >= N_STRINGS else []
        for other in same or full:
            sounding.remove(other)
            done.append(other._replace(offset=note.onset))
        sounding.append(note)
    return sorted(note for note in done + sounding if note.offset > note.onset)


def _play_font(fonts: Sequence[tuple[str, int]]) -> Play:
    def play(notes: list[Note], seconds: float, rng: np.random.Generator) -> tuple[Array, str]:
        font, program = fonts[int(rng.integers(len(fonts)))]
        (sound,) = play_in_turn([("solo", [Player("solo", program, notes)])], font, seconds)
        return sound, f"{font}:{program}"

    return play


def _play_recorded_piano(
    notes: list[Note], seconds: float, rng: np.random.Generator
) -> tuple[Array, str]:
    sound = play_piano(notes, [], seconds, rng, SAMPLE_RATE)
    return np.asarray(sound.mean(1), np.float32), "salamander"


PLAYERS: dict[str, Play] = {
    "synthesized": _play_font(SYNTHESIZED),
    "piano": _play_recorded_piano,
    "guitar": _play_font(GUITARS),
}


def prepare_sounds(c: SoundConfig) -> Path:
    """Make what is missing of a domain's split; return its folder of shards.

    Raises
    ------
    ConfigError
        If there is no such domain.
    DataError
        If its scores are not in the data folder, or a program or sound source is missing.
    """
    if c.domain not in DOMAINS:
        raise ConfigError(f"domain must be one of {', '.join(DOMAINS)}, not {c.domain!r}")
    folder = c.out / f"{c.domain}-{c.split}"
    folder.mkdir(parents=True, exist_ok=True)
    names = [shard_name(k) for k in range(c.n_pieces)]
    if not missing_shards(folder, names):
        return folder
    real = REAL.get(c.domain)
    is_real = real is not None and (c.data / real).is_dir()
    corpora = (real,) if is_real and real is not None else SCORES[c.domain]
    pieces = [
        (corpus, piece_id)
        for corpus in (open_corpus(name, c.data / name) for name in corpora)
        for piece_id in _shuffled(corpus.ids(c.split), c.seed)
    ]
    if not pieces:
        raise DataError(f"{c.data}: expected pieces of {', '.join(corpora)} for {c.split}")
    order = _interleaved(pieces, len(corpora))
    jobs = {
        name: partial(_stored, c, *order[k % len(order)], k, is_real)
        for k, name in enumerate(names)
    }
    run_missing(folder, jobs, f"render {c.domain} {c.split}")
    return folder


def _shuffled(ids: list[str], seed: int) -> list[str]:
    return [ids[k] for k in np.random.default_rng(seed).permutation(len(ids))]


def _interleaved(pieces: list[tuple[Corpus, str]], n_corpora: int) -> list[tuple[Corpus, str]]:
    """Return the pieces so that corpora take turns, until the shortest is used up."""
    by_corpus: dict[str, list[tuple[Corpus, str]]] = {}
    for corpus, piece_id in pieces:
        by_corpus.setdefault(corpus.name, []).append((corpus, piece_id))
    turns = zip(*by_corpus.values(), strict=False)
    return [piece for turn in turns for piece in turn] if n_corpora > 1 else pieces


def _stored(
    c: SoundConfig, corpus: Corpus, piece_id: str, take: int, is_real: bool
) -> Iterator[Stored]:
    """Yield one excerpt; every choice comes from a seed of its own."""
    seed = zlib.crc32(f"{c.seed}/{c.domain}/{c.split}/{piece_id}/{take}".encode())
    rng = np.random.default_rng(seed)
    piece = corpus.read(piece_id)
    seconds = min(c.seconds, piece.duration + 1.0)
    start = float(rng.uniform(0, max(piece.duration - seconds, 1e-3)))
    if is_real:
        notes = sorted(n for part in cut_piece(piece, start, seconds).parts for n in part.notes)
        sound, source = read_excerpt(piece, start, seconds), corpus.name
    else:
        notes = _notes(piece, corpus.name == "pop909", start, seconds)
        sound, source = PLAYERS[c.domain](notes, seconds, rng)
    stem = Stem("solo", level(sound), notes, source)
    facts = {
        "kind": c.domain,
        "seed": seed,
        "start": start,
        "seconds": seconds,
        "sample_rate": SAMPLE_RATE,
        "roles": ["solo"],
        "sources": [source],
        "score": f"{corpus.name}:{piece_id}",
    }
    arrays: dict[str, NDArray[Any]] = {"stems": to_int16(stem.samples)[:, None]}
    arrays["score"] = score_of([stem])
    yield Stored(f"{c.domain}-{take:05d}", arrays, facts)


def _notes(piece: Piece, on_guitar: bool, start: float, seconds: float) -> list[Note]:
    """Return the notes of a piece's piano in an excerpt, its times from 0."""
    parts = cut_piece(piece, start, seconds).parts
    notes = sorted(note for part in parts if part.role == "piano" for note in part.notes)
    return as_guitar(notes) if on_guitar else notes


def read_excerpt(piece: Piece, start: float, seconds: float) -> Array:
    """Return a piece's recording as mono (n,) at 16 kHz.

    Raises
    ------
    DataError
        If the piece has no recording, or it cannot be read, or holds samples that are not numbers.
    """
    if piece.audio is None:
        raise DataError(f"{piece.piece_id}: expected a recording beside it, found none")
    return read_part(piece.audio, start, seconds)
