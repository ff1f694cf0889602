"""What a model costs, and whether its stream is its file: no device, no thread, no server.

Samples are mono at the model's rate; posteriors rows are (n, 88).
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio_file import FileSource
from engine.decoder import NoteDecoder
from engine.notes import Posteriors
from engine.offline import (
    Pipeline,
    load_pipeline,
    offline_features,
    offline_posteriors,
    stream_posteriors,
)
from engine.resample import Resampler
from engine.settings import DecoderSettings
from engine.window_model import WindowModel
from livecover.bench import markdown

Array = NDArray[np.float32]

BLOCKS: tuple[int | None, ...] = (1, 7, 256, 4096, None)
"""Samples pushed at once; None is the whole song."""


def load_samples(path: Path, sample_rate: int, seconds: float | None = None) -> Array:
    """Return the first ``seconds`` of an audio file, mono at ``sample_rate``."""
    source = FileSource(path, paced=False)
    resampler = Resampler(source.sample_rate, sample_rate, source.n_channels)
    parts = [resampler.push(block) for block in source.blocks(4096)] + [resampler.flush()]
    samples: Array = np.concatenate(parts)
    return samples if seconds is None else samples[: round(seconds * sample_rate)]


def rtf(model: str, song: Path) -> str:
    """Return the real-time factor of each stage on one thread, fed a hop at a time as when live.

    Wall time and this process's processor time: beside other busy programs the second is the truer.
    """
    pipeline = load_pipeline(model, threads=1)
    spec = pipeline.spec
    samples = load_samples(song, spec.features.sample_rate)
    decoder = NoteDecoder(spec.features.frame_s, DecoderSettings.from_spec(spec.decoding))
    stages = ("samples to features", "features to posteriors", "posteriors to notes")
    spent = np.zeros((len(stages), 2))  # seconds of wall and of processor

    def mark() -> Array:
        return np.array([time.perf_counter(), time.process_time()])

    hop = spec.features.hop_length
    for start in range(0, len(samples), hop):
        marks = [mark()]
        frames, features = pipeline.frontend.push(samples[start : start + hop])
        marks.append(mark())
        posteriors = pipeline.model.step(frames, features, pipeline.style)
        marks.append(mark())
        decoder.push(posteriors)
        marks.append(mark())
        spent += np.diff(marks, axis=0)
    factors = spent / (len(samples) / spec.features.sample_rate)
    rows = [*zip(stages, factors, strict=True), ("features to notes", factors[1:].sum(0))]
    rows.append(("samples to notes", factors.sum(0)))
    return markdown(
        [f"real-time factor, {spec.name} {spec.version}, one thread", "wall", "processor"],
        [[name, f"{wall:.4f}", f"{processor:.4f}"] for name, (wall, processor) in rows],
    )


def streaming(model: str, song: Path, seconds: float) -> str:
    """Return how far streamed posteriors lie from one pass over the file, for each block size.

    Then the same of a window model, cached against plain: ``model`` where it is one, else a small
    network made here (with the extra train).
    """
    pipeline = load_pipeline(model)
    samples = load_samples(song, pipeline.spec.features.sample_rate, seconds)
    style = pipeline.style
    features = offline_features(samples, pipeline.frontend)
    whole = offline_posteriors(pipeline.model, features, style)  # type: ignore[arg-type]
    rows: list[list[object]] = []
    for block in BLOCKS:
        streamed = stream_posteriors(
            samples, pipeline.model, pipeline.frontend, style, block or len(samples)
        )
        rows.append([block or "whole", f"{distance(whole, streamed):.1e}", len(streamed)])
    title = f"{pipeline.spec.name}: block, samples"
    table = markdown([title, "largest difference from one pass", "frames"], rows)
    if isinstance(pipeline.model, WindowModel):
        return table + "\n\n" + _cached(pipeline, samples)
    try:
        from tests.networks import export_full_window
    except ImportError:  # not in a checkout, or without the extra train
        return table
    with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
        path = export_full_window(pipeline.spec.features, Path(folder))
        return table + "\n\n" + _cached(load_pipeline(path), samples)


def _cached(pipeline: Pipeline, samples: Array) -> str:
    """Return how far the cached window model lies from the plain one, and both times."""
    model = pipeline.model
    assert isinstance(model, WindowModel)
    features = offline_features(samples, pipeline.frontend)
    frames = np.arange(len(features), dtype=np.int64)
    answers, times = [], []
    for kind in (model, model.plain()):
        kind.reset()
        start = time.perf_counter()
        answers.append(kind.step(frames, features, pipeline.style))
        times.append(time.perf_counter() - start)
    song_s = len(samples) / pipeline.spec.features.sample_rate
    return markdown(
        [f"{pipeline.spec.name}: window model", "cached", "plain", "plain / cached"],
        [
            [
                "real-time factor",
                *(f"{t / song_s:.4f}" for t in times),
                f"{times[1] / times[0]:.1f}",
            ],
            ["largest difference", f"{distance(*answers):.1e}", "", ""],
        ],
    )


def distance(one: Posteriors, other: Posteriors) -> float:
    """Return the largest difference between two posteriors of the same frames."""
    assert np.array_equal(one.frames, other.frames), (len(one), len(other))
    pairs = [(one.onset, other.onset), (one.frame, other.frame), (one.velocity, other.velocity)]
    if one.melody is not None and other.melody is not None:
        pairs.append((one.melody, other.melody))
    return max(float(np.abs(a - b).max(initial=0.0)) for a, b in pairs)
