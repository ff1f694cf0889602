"""Measures the cost of a model, and compares streaming with one pass; no device, no thread.

Samples are mono at the model's rate; posteriors rows are (n, 88).
"""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.opening import open_song
from engine.core.errors import ModelError
from engine.core.notes import Posteriors
from engine.core.settings import EngineSettings, GateSettings, ModelSettings
from engine.cover.accompanying import open_accompanying
from engine.cover.cost import Factor, measure_cost
from engine.cover.stream import CoverStream, open_pipeline
from engine.model.cover_model import silent_features
from engine.model.pipeline import (
    load_pipeline,
    offline_features,
    offline_posteriors,
    stream_posteriors,
)
from engine.model.window_model import WindowModel
from engine.signal.conditioning import conditioned_blocks
from livecover.bench import markdown

Array = NDArray[np.float32]

BLOCKS: tuple[int | None, ...] = (1, 7, 256, 4096, None)
"""Samples pushed at once; None is the whole song."""
BLOCK, SONG_RATE = 512, 44100


def load_samples(path: Path, sample_rate: int, seconds: float | None = None) -> Array:
    """Return the first ``seconds`` of an audio file, mono at ``sample_rate``."""
    source = open_song(path, paced=False)
    samples: Array = np.concatenate(list(conditioned_blocks(source, sample_rate)))
    return samples if seconds is None else samples[: round(seconds * sample_rate)]


def rtf(model: str, song: Path) -> str:
    """Return the real-time factor of each stage on one thread, fed a hop at a time as when live.

    The stages are those of a free cover; the last row is all of one on the beat, if the model is
    for covers: beat, bars and accompanist beside them.

    Wall time and this process's processor time: beside other busy programs the second is the truer.
    """
    pipeline = load_pipeline(model, threads=1)
    spec = pipeline.spec
    samples = load_samples(song, spec.features.sample_rate)
    cost = measure_cost(pipeline, samples)
    stages = [
        ("samples to features", cost.frontend),
        ("features to posteriors", cost.model),
        ("posteriors to notes", cost.decoder),
        ("features to notes", cost.cover),
        ("samples to notes, free", cost.total),
    ]
    if (on_beat := _cost_on_beat(model, samples)) is not None:
        stages.append(("samples to notes, on the beat", on_beat))
    return markdown(
        [f"real-time factor, {spec.name} {spec.version}, one thread", "wall", "processor"],
        [[name, f"{factor.wall:.4f}", f"{factor.processor:.4f}"] for name, factor in stages],
    )


def _cost_on_beat(model: str, samples: Array) -> Factor | None:
    """Return what a song (n,) costs that is covered on the beat; None if the model's is not."""
    settings = EngineSettings(model=ModelSettings(model, threads=1))
    pipeline = open_pipeline(settings.model)
    rate, hop = pipeline.spec.features.sample_rate, pipeline.spec.features.hop_length
    parts = open_accompanying(pipeline, settings, rate, 1, lambda _: 0.0)
    if parts is None:
        return None
    stream = CoverStream(pipeline, settings, rate, 1, parts)
    start = time.perf_counter(), time.process_time()
    for begin in range(0, len(samples), hop):
        stream.push(samples[begin : begin + hop, None])
    stream.finish()
    wall, processor = time.perf_counter() - start[0], time.process_time() - start[1]
    return Factor(wall * rate / len(samples), processor * rate / len(samples))


def streaming(model: str, song: Path, seconds: float) -> str:
    """Return how far streamed posteriors lie from one pass over the file, for each block size.

    One pass of a window model is the plain sliding window, which keeps nothing.
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
    return markdown([title, "largest difference from one pass", "frames"], rows)


def window(model: str, n_steps: int) -> str:
    """Return the real-time factor of a window model on one thread, features to posteriors.

    Live with what it keeps and without, and over a file that nobody waits for. Processor time of
    ``n_steps`` steps live and of one step of a file, of silence: the sound makes no difference.

    Raises
    ------
    ModelError
        If the model is of another kind.
    """
    pipeline = load_pipeline(model, threads=1)
    spec, live = pipeline.spec, pipeline.model
    if not isinstance(live, WindowModel):
        raise ModelError(
            f"expected a window model, {model} is {spec.kind}; livecover-train sketch-window makes"
            " one"
        )
    kinds = [
        (f"live, a step of {spec.step_frames} frames", live, n_steps),
        ("the same, nothing kept", live.plain(), n_steps),
        (f"a file, a step of {spec.window_frames // 2}", live.offline_variant(), 1),
    ]
    factors = []
    for _, kind, n in kinds:
        rows = silent_features(spec, n * kind.spec.step_frames)
        start = time.process_time()
        kind.step(np.arange(len(rows), dtype=np.int64), rows, pipeline.style)
        spent = time.process_time() - start
        factors.append(f"{spent / (len(rows) * spec.features.frame_s):.3g}")
    title = f"real-time factor, {spec.name}, one thread"
    return markdown([title, *(name for name, *_ in kinds)], [["features to posteriors", *factors]])


def sleep(model: str, seconds: float = 30.0) -> str:
    """Return the cost of a second of silence, from block to events: awake and asleep, free.

    Processor time of one thread; blocks of stereo at 44.1 kHz, as a loopback gives them.
    """
    pipeline = load_pipeline(model, threads=1)
    block = np.zeros((BLOCK, 2), np.float32)
    n_blocks = round(seconds * SONG_RATE / BLOCK)
    rows: list[list[object]] = []
    for name, is_enabled in (("awake", False), ("asleep", True)):
        gate = GateSettings(enabled=is_enabled)
        stream = CoverStream(pipeline, EngineSettings(gate=gate), SONG_RATE, 2)
        for _ in range(round(2 * gate.hold * SONG_RATE / BLOCK)):
            stream.push(block)
        start = time.process_time()
        for _ in range(n_blocks):
            stream.push(block)
        spent = time.process_time() - start
        each = 1e6 * spent / n_blocks
        rows.append([name, f"{each:.0f}", f"{spent * SONG_RATE / (n_blocks * BLOCK):.2%}"])
    title = f"silence, {pipeline.spec.name}, covered free, one thread"
    return markdown([title, f"µs a block of {BLOCK}", "of a processor"], rows)


def distance(one: Posteriors, other: Posteriors) -> float:
    """Return the largest difference between two posteriors of the same frames."""
    assert np.array_equal(one.frames, other.frames), (len(one), len(other))
    pairs = [(one.onset, other.onset), (one.frame, other.frame), (one.velocity, other.velocity)]
    if one.melody is not None and other.melody is not None:
        pairs.append((one.melody, other.melody))
    return max(float(np.abs(a - b).max(initial=0.0)) for a, b in pairs)
