"""Renders a split of a corpus as shards of dry stems: resumable, checkable, shard by shard.

A piece holds ``stems`` int16 (n, stems) at 16 kHz and ``score`` float32 (n, 5), what sounds: onset,
offset, pitch, velocity and the number of its stem. Of POP909 songs, which are played by bands, it
holds ``notes`` float32 (n, 5) too, the human cover (onset, offset, pitch, velocity, is_melody), and
``beats`` float32 (n, 2), time and is_downbeat. Every choice comes from the seed in the facts.
"""

import dataclasses
import logging
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError
from offline_train.corpora import (
    Corpus,
    Note,
    Part,
    Song,
    may_feed_weights,
    open_corpus,
    read_song,
)
from offline_train.corpora import Piece as Score
from offline_train.data.jobs import Runner, record_settings, run_in_processes, run_missing
from offline_train.data.shards import Piece, read_manifest, write_manifest
from offline_train.synthesis.band_renders import cut
from offline_train.synthesis.sound_sources import Choice
from offline_train.synthesis.stems import SAMPLE_RATE, Stem, play_piece, play_song, sources_of

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

LATER = (("sounds", "installed"), ("skip", 0))
"""Settings that came later, as they were before: a folder that was begun then goes on."""


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """How a split becomes shards. ``data / corpus`` is the corpus; ``solo``: its piano alone."""

    data: Path
    out: Path
    split: str = "train"
    corpus: str = "pop909"
    solo: bool = False
    excerpt_s: float = 90.0  # 0 renders whole songs
    takes: int = 1  # renderings of each song, each with bands of its own
    pieces: int = 6  # in a shard
    seed: int = 1
    workers: int = 1  # processes; 0 renders in this one
    limit: int = 0  # 0 takes every song
    skip: int = 0  # songs at the start that are left out
    sounds: Choice = "installed"


def plan(config: PrepareConfig) -> list[list[tuple[str, int]]]:
    """Return for each shard its (song, take) pairs; the songs are shuffled by the seed.

    Raises
    ------
    DataError
        If the data folder has no such split.
    """
    ids = _corpus(config).ids(config.split)[config.skip :][: config.limit or None]
    order = np.random.default_rng(config.seed)
    wanted = [(ids[k], t) for t in range(config.takes) for k in order.permutation(len(ids))]
    return [wanted[k : k + config.pieces] for k in range(0, len(wanted), config.pieces)]


def _corpus(config: PrepareConfig) -> Corpus:
    return open_corpus(config.corpus, config.data / config.corpus)


def shard_name(index: int) -> str:
    """Return a shard's file name."""
    return f"shard-{index:05d}.tar"


def render_pieces(config: PrepareConfig, wanted: Sequence[tuple[str, int]]) -> Iterator[Piece]:
    """Yield the pieces of a shard of the plan, which are the same anywhere.

    A broken song is named in the log and left out.
    """
    for song_id, take in wanted:
        try:
            yield render_piece(config, song_id, take)
        except DataError as error:
            log.warning("skipped %s: %s", song_id, error)


def render_piece(config: PrepareConfig, piece_id: str, take: int) -> Piece:
    """Return one piece as stems. Raises DataError naming the file or program that is broken."""
    kind = "solo" if config.solo else config.corpus
    seed = zlib.crc32(f"{config.seed}/{kind}/{config.split}/{piece_id}/{take}".encode())
    rng = np.random.default_rng(seed)
    is_song = config.corpus == "pop909" and not config.solo
    song = read_song(config.data / "pop909" / piece_id) if is_song else _score(config, piece_id)
    start = 0.0
    if config.excerpt_s and song.duration > config.excerpt_s:
        start = float(rng.uniform(0, song.duration - config.excerpt_s))
    seconds = min(song.duration + 1.0, config.excerpt_s or np.inf)
    sounds = sources_of(config.sounds, config.split != "train")
    if isinstance(song, Song):
        song = cut(song, start, seconds)
        stems = play_song(song, seconds, rng, sounds)
    else:
        excerpt = cut_piece(song, start, seconds)
        stems = play_piece(excerpt, seconds, rng, sounds)
    if not stems:
        raise DataError(f"{piece_id}: no sound in {seconds:.0f} s from {start:.0f} s on")
    arrays: dict[str, NDArray[Any]] = {
        "stems": np.stack([to_int16(s.samples) for s in stems], 1),
        "score": score_of(stems),
    }
    if isinstance(song, Song):
        cover = [(*note, is_melody) for note, is_melody in song.cover()]
        arrays["notes"] = np.array(cover, np.float32).reshape(-1, 5)
        beats = [(b.time, b.is_downbeat) for b in song.beats]
        arrays["beats"] = np.array(beats, np.float32).reshape(-1, 2)
    facts: dict[str, Any] = {
        "kind": kind,
        "seed": seed,
        "start": start,
        "seconds": seconds,
        "sample_rate": SAMPLE_RATE,
        "roles": [s.role for s in stems],
        "sources": [s.source for s in stems],
    }
    return Piece(f"{piece_id.replace('.', '_').replace('/', '-')}-{take}", arrays, facts)


def _score(config: PrepareConfig, piece_id: str) -> Score:
    score = _corpus(config).read(piece_id)
    if not may_feed_weights(score.licence):
        log.info("%s: its licence (%s) keeps weights from being shared", piece_id, score.licence)
    if config.solo:
        parts = tuple(part for part in score.parts if part.role == "piano")
        score = dataclasses.replace(score, parts=parts)
    return score


def cut_piece(score: Score, start: float, seconds: float) -> Score:
    """Return an excerpt of a piece with its times from 0; what sounds, held by the pedal."""

    def inside(part: Part) -> Part:
        notes = [
            n._replace(onset=n.onset - start, offset=min(n.offset - start, seconds))
            for n in part.sounding()
            if start <= n.onset < start + seconds
        ]
        return dataclasses.replace(part, notes=notes, pedals=[])

    return dataclasses.replace(score, parts=tuple(inside(part) for part in score.parts))


def to_int16(samples: Array) -> NDArray[np.int16]:
    """Return samples in [-1, 1] as 16-bit integers."""
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)


def score_of(stems: Sequence[Stem]) -> Array:
    """Return what sounds (n, 5): onset, offset, pitch, velocity, number of the stem."""
    rows: list[tuple[Note, int]] = [(n, k) for k, stem in enumerate(stems) for n in stem.notes]
    return np.array([(*note, k) for note, k in sorted(rows)], np.float32).reshape(-1, 5)


def prepare(config: PrepareConfig, do: Runner | None = None) -> int:
    """Render the shards that are missing; return how many pieces are there in the end.

    ``do`` does so elsewhere than in ``config.workers`` processes. The manifest is left in order.

    Raises
    ------
    DataError
        If the folder holds shards of another config, or a shard cannot be written.
    """
    facts = {
        k: str(v)
        for k, v in dataclasses.asdict(config).items()
        if k not in ("data", "out", "workers") and (k, v) not in LATER
    }
    record_settings(config.out, facts)
    shards = plan(config)
    jobs = {
        shard_name(k): partial(render_pieces, config, pieces) for k, pieces in enumerate(shards)
    }
    run_missing(
        config.out, jobs, f"render {config.split}", do or partial(run_in_processes, config.workers)
    )
    lines = read_manifest(config.out).values()
    write_manifest(config.out, lines)
    n_pieces, n_wanted = sum(line.pieces for line in lines), sum(map(len, shards))
    if n_pieces < n_wanted:
        log.warning(
            "%s: %d of %d pieces could not be made", config.out, n_wanted - n_pieces, n_wanted
        )
    return n_pieces
