"""Renders songs as band audio and stores features and cover notes, one pair of files a song.

``ID.features.npy``: float16 (T, F), mmap-able; ``ID.notes.npy``: float32 (n, 5) with onset,
offset, pitch, velocity, is_melody; ``manifest.jsonl``: one line a song with seed and sources.
A song that is there is not rendered again, so a run that was stopped goes on where it was.
"""

import dataclasses
import json
import logging
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from engine.errors import DataError
from models.features import LOG_STFT_16K, Features
from models.spec import FeatureSpec
from offline_train.band import TRAIN_GROOVES, UNHEARD_GROOVES, Player, arrange
from offline_train.corpora import Note, Song, read_song, split_ids
from offline_train.render import RENDER_RATE, fluidsynth, master, mix, players_to_midi, random_synth

log = logging.getLogger(__name__)

TRAIN_SOUNDFONTS = ("FluidR3_GM.sf2", "FluidR3_GM.sf2", "OPL-3_FM_128M.sf2")
TRAIN_DRUMS = ("Black_Pearl_4_LV2.sf2", "Red_Zeppelin_4_LV2.sf2")
UNHEARD_SOUNDFONT = "TimGM6mb.sf2"


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """How a split becomes takes; ``heard`` False: the sound source and grooves kept for tests."""

    data: Path
    out: Path
    split: str = "train"
    heard: bool = True
    excerpt_s: float = 120.0  # 0 renders whole songs
    takes: int = 1  # renderings of each song, each with a band of its own
    seed: int = 1
    workers: int = 1
    limit: int = 0  # 0 takes every song


def cut(song: Song, start: float, seconds: float) -> Song:
    """Return an excerpt of a song with its times from 0."""

    def notes(source: list[Note]) -> list[Note]:
        inside = [n for n in source if start <= n.onset < start + seconds]
        return [
            n._replace(onset=n.onset - start, offset=min(n.offset - start, seconds)) for n in inside
        ]

    end = start + seconds
    return Song(
        song.song_id,
        notes(song.melody),
        notes(song.bridge),
        notes(song.piano),
        [b._replace(time=b.time - start) for b in song.beats if start <= b.time < end],
        [
            c._replace(start=max(c.start - start, 0.0), end=min(c.end, end) - start)
            for c in song.chords
            if c.end > start and c.start < end
        ],
    )


def render_band(
    song: Song, rng: np.random.Generator, heard: bool = True
) -> tuple[NDArray[np.float32], dict[str, object]]:
    """Return (audio (n, 2) at ``RENDER_RATE``, what was chosen) of a song played by a band."""
    players = arrange(song, TRAIN_GROOVES if heard else UNHEARD_GROOVES, rng)
    stems, sources = [], {}
    groups: dict[str, list[Player]] = {}
    fonts = rng.choice(TRAIN_SOUNDFONTS, 2) if heard else [UNHEARD_SOUNDFONT] * 2
    for player in players:
        source = str(fonts[int(player.role in ("melody", "bridge"))])
        if heard and player.role == "drums" and rng.random() < 0.35:
            source = str(rng.choice(TRAIN_DRUMS))
        if heard and player.role in ("melody", "bridge", "pad", "comp") and rng.random() < 0.2:
            source = "random_synth"
            stems.append(random_synth(player, rng))
        else:
            groups.setdefault(source, []).append(player)
        sources[player.role] = f"{source}:{player.program}"
    stems += [fluidsynth(players_to_midi(group), font) for font, group in groups.items()]
    return master(mix(stems), rng), {"players": sources}


def waveform(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Return rendered audio (n, 2) as mono (m,) at a model's sample rate."""
    mono = audio.mean(1, dtype=np.float32)
    return np.asarray(soxr.resample(mono, RENDER_RATE, sample_rate), np.float32)


def features_of(samples: NDArray[np.float32], layer: Features, spec: FeatureSpec) -> torch.Tensor:
    """Return features (T, F) of a whole waveform, padded as the engine's front end pads it."""
    half = spec.win_length // 2
    padded = torch.nn.functional.pad(torch.from_numpy(samples), (half, half))
    with torch.inference_mode():
        features: torch.Tensor = layer(padded[None])[0]
    return features


def _prepare_one(config: PrepareConfig, song_id: str, take: int) -> dict[str, object]:
    """Render and store one take; files appear whole or not at all."""
    torch.set_num_threads(1)
    seed = zlib.crc32(f"{config.seed}/{config.split}/{song_id}/{take}/{config.heard}".encode())
    rng = np.random.default_rng(seed)
    song = read_song(config.data / "pop909" / song_id)
    start = 0.0
    if config.excerpt_s and song.duration > config.excerpt_s:
        start = float(rng.uniform(0, song.duration - config.excerpt_s))
        song = cut(song, start, config.excerpt_s)
    audio, chosen = render_band(song, rng, config.heard)
    samples = waveform(audio, LOG_STFT_16K.sample_rate)
    features = features_of(samples, Features(LOG_STFT_16K), LOG_STFT_16K)
    notes = np.array([(*note, is_melody) for note, is_melody in song.cover()], np.float32)
    name = f"{song_id}-{take}"
    for suffix, array in (("notes", notes), ("features", features.numpy().astype(np.float16))):
        partial = config.out / f".{name}.{suffix}.npy"
        np.save(partial, array)
        os.replace(partial, config.out / f"{name}.{suffix}.npy")
    seconds = len(samples) / LOG_STFT_16K.sample_rate
    return {"name": name, "seed": seed, "start": start, "seconds": seconds, **chosen}


def prepare(config: PrepareConfig) -> int:
    """Render what is missing of a split; return how many takes are there in the end.

    A broken song is named in the log, skipped and counted.
    """
    config.out.mkdir(parents=True, exist_ok=True)
    wanted = list(_wanted(config))
    missing = [(s, t) for s, t in wanted if not (config.out / f"{s}-{t}.features.npy").is_file()]
    np.random.default_rng(config.seed).shuffle(missing)
    facts = {k: str(v) for k, v in dataclasses.asdict(config).items()}
    (config.out / "config.json").write_text(json.dumps(facts, indent=1))
    broken = 0
    with (
        ProcessPoolExecutor(config.workers) as pool,
        (config.out / "manifest.jsonl").open("a") as manifest,
        tqdm(total=len(missing), desc=f"render {config.split}", unit="song") as bar,
    ):
        jobs = {pool.submit(_prepare_one, config, s, t): s for s, t in missing}
        for job in as_completed(jobs):
            try:
                manifest.write(json.dumps(job.result()) + "\n")
                manifest.flush()
            except DataError as error:
                broken += 1
                log.warning("skipped %s: %s", jobs[job], error)
            bar.update()
    return len(wanted) - broken


def _wanted(config: PrepareConfig) -> Iterator[tuple[str, int]]:
    ids = split_ids(config.data, config.split)
    for song_id in ids[: config.limit or None]:
        for take in range(config.takes):
            yield song_id, take
