"""Makes what the beat network learns from: songs at many tempos, played, mixed and mastered.

POP909 songs have true beats; a share of them is made to be in three. Freedoom's pieces have those
of their tempo maps, whose bar lines are unreliable. Every choice comes from the seed in the facts.
Not here: other timing (``timing``), crops of them (``crops``).
"""

import logging
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.model.frontend import FrontEnd, load_frontend
from models.spec import FeatureSpec
from offline_train.corpora import Beat, Corpus, Song, open_corpus, read_song
from offline_train.data.beats.crops import quantize
from offline_train.data.beats.timing import in_bars_of_three, in_three, retimed, retimed_piece
from offline_train.data.jobs import Job, record_settings, run_in_processes, run_missing
from offline_train.data.prepare import cut_piece
from offline_train.data.shards import Piece, StoredPiece, read_manifest, read_shards, write_manifest
from offline_train.synthesis.band_renders import cut
from offline_train.synthesis.bands.band import Player, arrange
from offline_train.synthesis.bands.grooves import TRAIN_GROOVES
from offline_train.synthesis.bands.mma import mma_players
from offline_train.synthesis.mixing import draw_gains, master, mix
from offline_train.synthesis.render import fluidsynth, players_to_midi
from offline_train.synthesis.stems import DRY_RATE, SAMPLE_RATE, TRAIN_SOUNDFONTS, sum_of

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

IN_THREE_SHARE = 0.12
NO_DRUMS_SHARE = 0.25  # of mixes: a singer with a guitar has none
MOST_TAPE_SEMITONES = 3.0  # stems played faster or slower as a tape is
TEMPO_SHARE = 0.35  # a piece whose timing is its own is played so much faster or slower at most
MACHINE_SHARE = 0.5
MOST_PLAYERS = 15  # a MIDI file has so many channels beside the drums'
LEAST_BEATS = 8
UNKNOWN = -1.0


@dataclass(frozen=True, slots=True)
class BeatPiecesConfig:
    """How a split becomes shards. ``data / corpus`` is the corpus."""

    data: Path
    out: Path
    spec: FeatureSpec
    split: str = "train"
    corpus: str = "pop909"
    excerpt_s: float = 80.0
    takes: int = 1
    mixes: int = 4
    pieces: int = 6  # in a shard
    seed: int = 1
    workers: int = 1
    limit: int = 0


def make_pieces(config: BeatPiecesConfig) -> int:
    """Render the shards that are missing; return how many pieces are there in the end.

    Raises
    ------
    DataError
        If the folder holds shards of another config, or a shard cannot be written.
    """
    corpus = open_corpus(config.corpus, config.data / config.corpus)
    ids = corpus.ids(config.split)[: config.limit or None]
    order = np.random.default_rng(config.seed)
    wanted = [(ids[k], t) for t in range(config.takes) for k in order.permutation(len(ids))]
    parts = [wanted[k : k + config.pieces] for k in range(0, len(wanted), config.pieces)]
    jobs = {f"shard-{k:05d}.tar": partial(_pieces, config, part) for k, part in enumerate(parts)}
    return make_shards(config.out, asdict(config), jobs, f"render {config.corpus}", config.workers)


def make_shards(
    out: Path, settings: dict[str, Any], jobs: Mapping[str, Job], title: str, workers: int
) -> int:
    """Make the shards of a folder that are missing; return how many pieces are there in the end."""
    free = ("data", "out", "workers", "source")
    record_settings(out, {name: str(value) for name, value in settings.items() if name not in free})
    run_missing(out, jobs, title, partial(run_in_processes, workers))
    write_manifest(out, read_manifest(out).values())
    return sum(line.pieces for line in read_manifest(out).values())


def _pieces(config: BeatPiecesConfig, wanted: list[tuple[str, int]]) -> Iterator[Piece]:
    corpus = open_corpus(config.corpus, config.data / config.corpus)
    frontend = load_frontend(config.spec)
    for piece_id, take in wanted:
        text = f"beats/{config.seed}/{config.corpus}/{config.split}/{piece_id}/{take}"
        rng = np.random.default_rng(zlib.crc32(text.encode()))
        try:
            sound, beats, seconds = _play(config, corpus, piece_id, rng)
        except DataError as error:
            log.warning("skipped %s: %s", piece_id, error)
            continue
        if len(beats) < LEAST_BEATS or not sound.any():
            log.warning("skipped %s: no beats or no sound", piece_id)
            continue
        mixes = [
            quantized_features(master(sound, rng, SAMPLE_RATE), frontend, seconds)
            for _ in range(config.mixes)
        ]
        facts = {"seconds": seconds * config.mixes, "corpus": config.corpus}
        name = f"{piece_id.replace('.', '_').replace('/', '-')}-{take}"
        yield Piece(name, {"features": np.stack(mixes), "beats": beats}, facts)


def _play(
    config: BeatPiecesConfig, corpus: Corpus, piece_id: str, rng: np.random.Generator
) -> tuple[Array, Array, float]:
    """Return sound (n,), beats (b, 2) and length of an excerpt of a piece, at its own tempo."""
    font = str(rng.choice(TRAIN_SOUNDFONTS))
    if config.corpus == "pop909":
        song = in_bars_of_three(read_song(config.data / "pop909" / piece_id))
        if rng.random() < IN_THREE_SHARE:
            song = in_three(song)
        song = retimed(song, rng)
        start = float(rng.uniform(0, max(song.duration - config.excerpt_s, 0.0)))
        seconds = min(song.duration + 1.0, config.excerpt_s)
        song = cut(song, start, seconds)
        return played(band(song, rng), font, seconds), beats_of(song), seconds
    faster = float(np.exp(rng.uniform(-TEMPO_SHARE, TEMPO_SHARE)))
    piece = retimed_piece(corpus.read(piece_id), faster)
    end = max(note.offset for part in piece.parts for note in part.notes)
    start = float(rng.uniform(0, max(end - config.excerpt_s, 0.0)))
    seconds = min(end + 1.0, config.excerpt_s)
    rows = [(beat.time - start, UNKNOWN) for beat in piece.beats if beat.time >= start]
    beats = np.array(rows, np.float32).reshape(-1, 2)
    players = [
        Player("drums" if part.role == "drums" else "comp", part.program or 0, part.sounding())
        for part in cut_piece(piece, start, seconds).parts
        if part.notes
    ]
    return played(_without_drums(players, rng), font, seconds), beats, seconds


def band(song: Song, rng: np.random.Generator) -> list[Player]:
    """Return who plays a song: a band on a hand-made groove or on MMA's, with or without drums."""
    players = arrange(song, TRAIN_GROOVES, rng)
    machine = mma_players(song, rng) if rng.random() < MACHINE_SHARE else []
    if machine:
        players = [p for p in players if p.role in ("melody", "bridge")] + machine
    return _without_drums(players, rng)


def _without_drums(players: list[Player], rng: np.random.Generator) -> list[Player]:
    others = [player for player in players if player.role != "drums"]
    return others if others and rng.random() < NO_DRUMS_SHARE else players


def played(players: list[Player], font: str, seconds: float) -> Array:
    """Return the players' sound (n,), mono."""
    sound = fluidsynth(players_to_midi(players[:MOST_PLAYERS]), font, DRY_RATE).mean(1)
    total = sum_of([soxr.resample(sound, DRY_RATE, SAMPLE_RATE)], seconds)
    return np.asarray(total * np.float32(0.7 / max(float(np.abs(total).max()), 1e-3)), np.float32)


def beats_of(song: Song) -> Array:
    """Return a song's beats (n, 2): seconds, is_downbeat."""
    rows = [(beat.time, beat.is_downbeat) for beat in song.beats]
    return np.array(rows, np.float32).reshape(-1, 2)


def _mixed(sounds: NDArray[np.int16], roles: list[str], rng: np.random.Generator) -> Array:
    """Return a mastered mix (n,) of stems (n, stems)."""
    gains = draw_gains(roles, rng)
    is_drums = np.array([role.endswith("drums") for role in roles])
    if rng.random() < NO_DRUMS_SHARE and (gains * ~is_drums).any():
        gains = gains * ~is_drums
    return master(mix(sounds, gains), rng, SAMPLE_RATE)


def quantized_features(sound: Array, frontend: FrontEnd, seconds: float) -> NDArray[np.uint8]:
    """Return the features (T, F) of a sound (n,) in eight bits, of the frames in ``seconds``."""
    frontend.reset()
    _, features = frontend.push(sound)
    _, last = frontend.flush()
    n_frames = int(seconds / frontend.spec.frame_s)
    return quantize(np.concatenate([features, last])[:n_frames], frontend.spec)


def remix(source: Path, out: Path, spec: FeatureSpec, mixes: int, workers: int = 1) -> int:
    """Make pieces of shards of stems with ``beats`` (``prepare``); return how many there are.

    Each mix is played faster or slower as a tape is, and mastered anew.
    """
    pieces = [piece for piece in read_shards(source) if "beats" in piece]
    jobs = {
        f"shard-{k:05d}-{n:02d}.tar": partial(_remixed, piece, spec, n)
        for n in range(mixes)
        for k, piece in enumerate(pieces)
    }
    settings = {"source": source, "spec": spec, "mixes": mixes}
    return make_shards(out, settings, jobs, "remix", workers)


def _remixed(piece: StoredPiece, spec: FeatureSpec, number: int) -> Iterator[Piece]:
    rng = np.random.default_rng(zlib.crc32(f"beats/{piece.name}/{number}".encode()))
    stems, beats = np.array(piece.array("stems")), np.array(piece.array("beats"))
    sound = _mixed(stems, piece.facts["roles"], rng)
    faster = 2 ** (rng.uniform(-MOST_TAPE_SEMITONES, MOST_TAPE_SEMITONES) / 12)
    sound = soxr.resample(sound, SAMPLE_RATE * faster, SAMPLE_RATE, "MQ").astype(np.float32)
    seconds = len(sound) / SAMPLE_RATE
    song = Song(piece.name, [], [], [], [Beat(t, bool(d)) for t, d in beats.tolist()], [])
    beats = beats_of(in_bars_of_three(song)) / np.array([faster, 1], np.float32)
    features = quantized_features(sound, load_frontend(spec), seconds)
    facts = {"seconds": seconds, "roles": piece.facts["roles"], "corpus": "pop909"}
    yield Piece(f"{piece.name}-{number}", {"features": features[None], "beats": beats}, facts)
