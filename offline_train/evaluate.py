"""Covers a split through the engine that ships and compares it with the human covers.

Songs are rendered once, with the sound source and grooves kept from training, and kept as FLAC
beside their notes; a broken song is named and skipped. Not here: the metrics (``metrics``).
"""

import dataclasses
import json
import logging
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from engine.decoder import NoteDecoder
from engine.notes import NoteEvent, Posteriors
from engine.offline import Pipeline, load_pipeline, stream_posteriors
from engine.settings import DecoderSettings
from models.spec import Decoding
from offline_train.corpora import read_song, split_ids
from offline_train.metrics import NO_NOTES, NoteScore, score_notes
from offline_train.prepare import cut, render_band, waveform

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
SAMPLE_RATE = 16000
BLOCK_SAMPLES = 4096


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """What is covered; ``cache`` keeps the rendered audio."""

    data: Path
    cache: Path
    split: str = "test"
    heard: bool = False
    excerpt_s: float = 90.0  # 0 takes whole songs
    limit: int = 0  # 0 takes every song
    workers: int = 1
    seed: int = 7


@dataclass(frozen=True, slots=True)
class RenderedSong:
    """A rendered song: mono samples at 16 kHz and the human cover (n, 5)."""

    song_id: str
    samples: Array
    notes: Array


def _render(config: EvaluateConfig, song_id: str) -> Path:
    path = config.cache / f"{song_id}.flac"
    if not path.is_file():
        seed = zlib.crc32(f"{config.seed}/{song_id}/{config.heard}".encode())
        rng = np.random.default_rng(seed)
        song = read_song(config.data / "pop909" / song_id)
        if config.excerpt_s and song.duration > config.excerpt_s:
            start = float(rng.uniform(0, song.duration - config.excerpt_s))
            song = cut(song, start, config.excerpt_s)
        audio, _ = render_band(song, rng, config.heard)
        notes = np.array([(*note, is_melody) for note, is_melody in song.cover()], np.float32)
        np.save(path.with_suffix(".npy"), notes)
        partial = path.with_suffix(".partial")
        samples = np.clip(waveform(audio, SAMPLE_RATE), -1, 1)
        soundfile.write(partial, samples, SAMPLE_RATE, format="FLAC")
        partial.replace(path)
    return path


def rendered_songs(config: EvaluateConfig) -> Iterator[RenderedSong]:
    """Yield the split's songs, rendering those that are not in the cache yet."""
    config.cache.mkdir(parents=True, exist_ok=True)
    ids = split_ids(config.data, config.split)[: config.limit or None]
    with ProcessPoolExecutor(config.workers) as pool:
        paths = pool.map(_render, [config] * len(ids), ids)
        for song_id, path in zip(ids, paths, strict=True):
            samples, _ = soundfile.read(path, dtype="float32")
            yield RenderedSong(song_id, samples, np.load(path.with_suffix(".npy")))


def events_to_notes(events: list[NoteEvent]) -> Array:
    """Return notes (n, 5): onset, offset, pitch, velocity, is_melody of paired events."""
    sounding: dict[int, NoteEvent] = {}
    notes = []
    for event in events:
        if event.is_on:
            sounding[event.pitch] = event
        elif event.pitch in sounding:
            on = sounding.pop(event.pitch)
            notes.append((on.time, event.time, on.pitch, on.velocity, on.part == "melody"))
    return np.array(notes, np.float32).reshape(-1, 5)


def decode(posteriors: Posteriors, frame_s: float, decoding: Decoding) -> Array:
    """Return the notes (n, 5) that the engine's decoder makes of posteriors."""
    decoder = NoteDecoder(frame_s, DecoderSettings().resolved(decoding))
    return events_to_notes(decoder.push(posteriors) + decoder.flush())


def listen(pipeline: Pipeline, samples: Array, style: str) -> Posteriors:
    """Return the posteriors of samples at 16 kHz, streamed, in a preset style."""
    vector = np.asarray(pipeline.spec.styles[style], np.float32)
    return stream_posteriors(
        samples, pipeline.model, pipeline.frontend, vector, block_size=BLOCK_SAMPLES
    )


def evaluate(
    model_path: str | Path,
    config: EvaluateConfig,
    style: str = "balanced",
    decoding: Decoding | None = None,
) -> dict[str, Any]:
    """Return scores over a split, streamed in blocks, each song and all together."""
    pipeline = load_pipeline(model_path)
    spec = pipeline.spec
    rows: dict[str, NoteScore] = {}
    velocities, seconds, lengths = [], 0.0, []
    for song in tqdm(rendered_songs(config), desc=f"cover {config.split}", unit="song"):
        posteriors = listen(pipeline, song.samples, style)
        notes = decode(posteriors, spec.features.frame_s, decoding or spec.decoding)
        rows[song.song_id] = score_notes(song.notes, notes)
        velocities += notes[:, 3].tolist()
        lengths += (notes[:, 1] - notes[:, 0]).tolist()
        seconds += len(song.samples) / SAMPLE_RATE
    total = sum(rows.values(), NO_NOTES)
    return {
        "model": str(model_path),
        "style": style,
        "songs": len(rows),
        "minutes": round(seconds / 60, 1),
        "f1": total.f1,
        "f1_mean_over_songs": float(np.mean([r.f1 for r in rows.values()])),
        "precision": total.precision,
        "recall": total.recall,
        "melody_recall": total.melody_recall,
        "density": total.density,
        "notes_a_second": total.n_estimated / seconds,
        "human_notes_a_second": total.n_reference / seconds,
        "mean_velocity": float(np.mean(velocities)) if velocities else 0.0,
        "median_note_s": float(np.median(lengths)) if lengths else 0.0,
        "each": {name: dataclasses.asdict(row) | {"f1": row.f1} for name, row in rows.items()},
    }


def tune(model_path: str | Path, config: EvaluateConfig, style: str = "balanced") -> Decoding:
    """Return the decoding with the best onset F1 on a validation split.

    Of the onset thresholds whose F1 is within 1% of the best, the one whose density is nearest to
    the human's is taken, then the best restrike threshold; frame thresholds are those whose median
    note length is nearest to the human's.
    """
    pipeline = load_pipeline(model_path)
    spec = pipeline.spec
    covers = [
        (listen(pipeline, song.samples, style), song.notes)
        for song in tqdm(rendered_songs(config), desc="tune", unit="song")
    ]

    def notes_of(decoding: Decoding) -> list[Array]:
        return [decode(posteriors, spec.features.frame_s, decoding) for posteriors, _ in covers]

    def total(decoding: Decoding) -> NoteScore:
        pairs = zip(covers, notes_of(decoding), strict=True)
        return sum((score_notes(human, notes) for (_, human), notes in pairs), NO_NOTES)

    tried: list[tuple[Decoding, NoteScore]] = []
    for onset in np.arange(0.09, 0.37, 0.03).round(2).tolist():
        decoding = Decoding(onset, 0.3, 0.15, max(onset, 0.25))
        tried.append((decoding, total(decoding)))
        log.info("onset %.2f: F1 %.3f, density %.2f", onset, tried[-1][1].f1, tried[-1][1].density)
    best = max(score.f1 for _, score in tried)
    good = [(d, s) for d, s in tried if s.f1 >= 0.99 * best]
    decoding, _ = min(good, key=lambda item: abs(np.log(max(item[1].density, 1e-3))))
    restrikes = [
        dataclasses.replace(decoding, restrike_threshold=r)
        for r in (0.2, 0.3, 0.4, 0.5)
        if r >= decoding.onset_threshold
    ]
    decoding = max(restrikes, key=lambda candidate: total(candidate).f1)
    wanted = np.median(np.concatenate([n[:, 1] - n[:, 0] for _, n in covers]))

    def length_error(candidate: Decoding) -> float:
        lengths = np.concatenate([notes[:, 1] - notes[:, 0] for notes in notes_of(candidate)])
        return abs(float(np.median(lengths) - wanted)) if len(lengths) else np.inf

    candidates = [
        dataclasses.replace(decoding, frame_on_threshold=on, frame_off_threshold=round(on / 2, 3))
        for on in (0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
    ]
    return min(candidates, key=length_error)


def report(result: dict[str, Any]) -> str:
    """Return the figures as a Markdown table of two columns."""
    lines = ["| figure | value |", "|---|---|"]
    for name, value in result.items():
        if name != "each":
            shown = f"{value:.3f}" if isinstance(value, float) else str(value)
            lines.append(f"| {name.replace('_', ' ')} | {shown} |")
    return "\n".join(lines)


def save(result: dict[str, Any], path: Path) -> None:
    """Write the result, every song's too, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1))
