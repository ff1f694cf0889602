"""The posteriors of ``live`` of rendered songs, by frame and gathered by sixteenth, and kept.

Each song is one ``NAME.npz`` in a folder: ``live``, uint8 (S, 88, 2), onset and frame in steps of
1/255; ``first``, the step of the whole song with which the excerpt begins; and what ``HeardSong``
has. The same command goes on where it stopped.
Not here: the songs' notes (``data.accompaniment``).
"""

import logging
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.beat.activations import load_beat_model
from engine.beat.steps.attacks import RISE_FRAMES, attacks
from engine.beat.steps.gathering import gather_steps
from engine.core.errors import DataError
from engine.model.pipeline import Pipeline, load_pipeline
from engine.system.whole_file import written_whole
from models.spec import FeatureSpec
from offline_train.corpora import Note, open_corpus, read_song
from offline_train.data.accompaniment.bars import HeardSong
from offline_train.data.accompaniment.crops import ExcerptPosteriors
from offline_train.data.accompaniment.songs import band_cells, step_times
from offline_train.data.beats.pieces import band, played
from offline_train.data.sampler import mix_piece
from offline_train.data.shards import read_shards
from offline_train.evaluation.beats import features_of
from offline_train.evaluation.songs.rungs import (
    EvaluateConfig,
    excerpt_start,
    read_reference_song,
    reference_piece,
    song_names,
)
from offline_train.evaluation.systems import listen
from offline_train.synthesis.band_renders import cut
from offline_train.synthesis.bands.band import Player
from offline_train.synthesis.mixing import MACHINE, audible, draw_gains, master
from offline_train.synthesis.stems import SAMPLE_RATE, TRAIN_SOUNDFONTS

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

MODEL = "live"
EXCERPT_S = 90.0
SONG_SOUNDFONTS = (*TRAIN_SOUNDFONTS, *["MuseScore_General_Lite.sf3"] * 4)
"""Half of the songs sound as ``live`` was not trained on."""

_PARTS = {
    "lead": "melody", "voice": "melody", "second": "bridge", "bass": "bass", "chords": "comp",
    "pads": "pad", "piano": "piano",
}  # fmt: skip


class Sound(NamedTuple):
    """A song's sound at 16 kHz, and its beats in seconds from where the sound begins."""

    song_id: str
    name: str
    samples: Array
    beats: NDArray[np.floating]
    start: float  # seconds of the whole song


def of_shards(folder: Path, take: int = 1) -> Iterator[Sound]:
    """Yield the POP909 songs of a folder of shards, mixed and mastered as in training.

    Each ``take`` from 1 on is another mix of the same stems, under another name.
    """
    for k, piece in enumerate(read_shards(folder)):
        if "beats" in piece and "notes" in piece:
            samples, _ = mix_piece(piece, np.random.default_rng((take, k)))
            song_id = piece.name.rpartition("-")[0]
            beats = np.array(piece.array("beats"), float)[:, 0]
            start = float(piece.facts.get("start", 0.0))
            yield Sound(song_id, take_name(piece.name, take), samples, beats, start)


def of_songs(data: Path, kept: Path, limit: int = 0) -> Iterator[Sound]:
    """Yield training songs of POP909 in a fixed random order, each played by a band of its own.

    Those whose posteriors lie in ``kept`` are passed over.
    """
    ids = open_corpus("pop909", data / "pop909").ids("train")
    for song_id in np.random.default_rng(0).permutation(ids)[: limit or None]:
        name = f"{song_id}-song"
        if (kept / f"{name}.npz").is_file():
            continue
        rng = np.random.default_rng(zlib.crc32(f"posteriors/{song_id}".encode()))
        whole = read_song(data / "pop909" / song_id)
        start = float(rng.uniform(0, max(whole.duration - EXCERPT_S, 0.0)))
        song = cut(whole, start, EXCERPT_S)
        if len(song.beats) < 2:
            continue
        font = str(rng.choice(SONG_SOUNDFONTS))
        sound = played(band(song, rng), font, min(whole.duration + 1.0, EXCERPT_S))
        beats = np.array([beat.time for beat in song.beats])
        yield Sound(song_id, name, master(sound, rng, SAMPLE_RATE), beats, start)


def take_name(name: str, take: int) -> str:
    """Return the name of a take of a piece.

    >>> take_name("102-0", 1), take_name("102-0", 2)
    ('102-0', '102-0-2')
    """
    return name if take == 1 else f"{name}-{take}"


def of_rung(config: EvaluateConfig) -> Iterator[Sound]:
    """Yield the songs of a rung of POP909, as ``livecover-train evaluate`` renders them."""
    for name in song_names(config):
        yield sound_of(config, name)


def sound_of(config: EvaluateConfig, name: str) -> Sound:
    """Return one of a rung's songs of POP909. DataError if it is broken."""
    song, _ = reference_piece(config, name)
    song_sound = read_reference_song(config, name)
    beats = np.array([beat.time for beat in song.beats])
    return Sound(name, name, song_sound.samples, beats, excerpt_start(config, name))


def keep_posteriors(sounds: Iterator[Sound], data: Path, out: Path) -> int:
    """Run ``live`` on each sound that is not kept yet; return how many are there.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    pipeline, features = load_pipeline(MODEL), load_beat_model().spec.features
    n = 0
    for sound in tqdm(sounds, f"posteriors {out.name}", unit="song"):
        n += 1
        path = out / f"{sound.name}.npz"
        if path.is_file():
            continue
        whole = read_song(data / "pop909" / sound.song_id).beats
        before = np.abs(np.array([beat.time for beat in whole]) - sound.start - sound.beats[0])
        first = int(np.argmin(before))
        is_downbeat = np.array([beat.is_downbeat for beat in whole[first:]][: len(sound.beats)])
        heard = _heard_song(sound, is_downbeat, pipeline, features)
        steps = gather_steps(*heard.posteriors(), heard.frame_s, step_times(sound.beats))
        with written_whole(path) as file:
            np.savez_compressed(
                file,
                first=np.array(first * 4),
                live=np.round(255 * steps).astype(np.uint8),
                **heard._asdict(),
            )
    return n


def _heard_song(
    sound: Sound, is_downbeat: NDArray[np.bool_], pipeline: Pipeline, features: FeatureSpec
) -> HeardSong:
    """Return what a pipeline hears of a sound, and its attacks by the beat network's features."""
    posteriors = listen(pipeline, sound.samples, "balanced")
    rises = attacks(features_of(sound.samples, features))
    onset, frame = (
        np.round(255 * kind).astype(np.uint8) for kind in (posteriors.onset, posteriors.frame)
    )
    return HeardSong(
        onset,
        frame,
        np.pad(rises, ((RISE_FRAMES, 0), (0, 0))).astype(np.float16),
        pipeline.spec.features.frame_s,
        np.asarray(sound.beats, np.float64),
        is_downbeat,
    )


def noise_pairs(
    shards: Path, folder: Path, take: int = 1
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield who sounded (S, 88) and posteriors (S, 88, 2) of songs that ``of_shards`` gave."""
    for k, piece in enumerate(read_shards(shards)):
        path = folder / f"{take_name(piece.name, take)}.npz"
        if not path.is_file():
            continue
        roles = piece.facts["roles"]
        is_audible = audible(draw_gains(roles, np.random.default_rng((take, k))))
        score = np.array(piece.array("score"))
        players = [
            Player(part, 0, [Note(*row[:4]) for row in score[score[:, 4] == number].tolist()])
            for number, role in enumerate(roles)
            if is_audible[number] and (part := _PARTS.get(role.removeprefix(MACHINE)))
        ]
        with np.load(path) as kept:
            rows = kept[MODEL]
        yield band_cells(players, np.array(piece.array("beats"), float)[:, 0])[: len(rows)], rows


def load_posteriors(
    folder: Path, shares: Mapping[str, float] | None = None
) -> dict[str, list[ExcerptPosteriors]]:
    """Return the posteriors by sixteenth kept in a folder, by song id.

    As far as only ``shares`` of each sixteenth of a song had been heard, where those are given.

    Raises
    ------
    DataError
        If shares are given, and nothing is kept by frame.
    """
    found: dict[str, list[ExcerptPosteriors]] = {}
    for path in sorted(folder.glob("*.npz")):
        song_id = path.stem.partition("-")[0]
        with np.load(path) as kept:
            rows = kept[MODEL]
            if shares is not None and song_id in shares:
                rows = _heard_so_far(_heard_of(kept, path), shares[song_id])
            found.setdefault(song_id, []).append(ExcerptPosteriors(int(kept["first"]), rows))
    return found


def _heard_so_far(song: HeardSong, share: float) -> NDArray[np.uint8]:
    steps = gather_steps(*song.posteriors(), song.frame_s, step_times(song.beats), share)
    return np.asarray(np.round(255 * steps), np.uint8)


def _heard_of(kept: Mapping[str, Any], path: Path) -> HeardSong:
    if "onset" not in kept:
        raise DataError(
            f"{path}: expected what was heard by frame:"
            " delete it and run livecover-train hear-songs"
        )
    arrays = {name: kept[name] for name in HeardSong._fields}
    return HeardSong(**(arrays | {"frame_s": float(kept["frame_s"])}))


def load_heard_songs(folder: Path) -> list[HeardSong]:
    """Return what was heard by frame of the songs kept in a folder, by their names.

    Raises
    ------
    DataError
        If there is none.
    """
    songs = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as kept:
            if "onset" in kept:
                songs.append(_heard_of(kept, path))
    if not songs:
        raise DataError(
            f"{folder}: expected songs heard by frame, found none:"
            " make them with livecover-train hear-songs"
        )
    return songs
