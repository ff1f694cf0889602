"""Measures the cost of a model, and compares streaming with one pass; no device, no thread.

Samples are mono at the model's rate; posteriors rows are (n, 88).
"""

import time
from collections.abc import Callable
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
from engine.model.cover_model import CoverModel, silent_features
from engine.model.pipeline import (
    load_pipeline,
    offline_features,
    offline_posteriors,
    stream_posteriors,
)
from engine.model.stateful_model import STEPS_AHEAD, StatefulModel
from engine.model.window_model import WindowModel
from engine.signal.conditioning import conditioned_blocks
from engine.signal.stereo import channels_of, middle_of
from livecover.bench import markdown

Array = NDArray[np.float32]

BLOCKS: tuple[int | None, ...] = (1, 7, 256, 4096, None)
"""Samples pushed at once; None is the whole song."""
BLOCK, SONG_RATE = 512, 44100
STEP_FRAMES = 8  # in which a model that can wait is measured


def load_samples(path: Path, sample_rate: int, seconds: float | None = None) -> Array:
    """Return the first ``seconds`` of an audio file, mono at ``sample_rate``."""
    samples = np.ascontiguousarray(middle_of(load_sound(path, sample_rate)))
    return samples if seconds is None else samples[: round(seconds * sample_rate)]


def load_sound(path: Path, sample_rate: int) -> Array:
    """Return an audio file at ``sample_rate``, as models hear it: mono, or middle and side."""
    source = open_song(path, paced=False)
    sound: Array = np.concatenate(list(conditioned_blocks(source, sample_rate)))
    return sound


def rtf(model: str, song: Path) -> str:
    """Return the real-time factor of each stage on one thread, fed a hop at a time as when live.

    The stages are those of a free cover; the last row is all of one on the beat, if the model is
    for covers: beat, bars and accompanist beside them.

    Wall time and this process's processor time: beside other busy programs the second is the truer.
    """
    pipeline = open_pipeline(ModelSettings(model, threads=1))
    spec = pipeline.spec
    sound = load_sound(song, spec.features.sample_rate)
    cost = measure_cost(pipeline, sound)
    stages = [
        ("samples to features", cost.frontend),
        ("features to posteriors", cost.model),
        ("posteriors to notes", cost.decoder),
        ("features to notes", cost.cover),
        ("samples to notes, free", cost.total),
    ]
    if (on_beat := _cost_on_beat(model, sound)) is not None:
        stages.append(("samples to notes, on the beat", on_beat))
    return markdown(
        [f"real-time factor, {spec.name} {spec.version}, one thread", "wall", "processor"],
        [[name, f"{factor.wall:.4f}", f"{factor.processor:.4f}"] for name, factor in stages],
    )


def _cost_on_beat(model: str, sound: Array) -> Factor | None:
    """Return what a song costs that is covered on the beat; None if the model's is not."""
    settings = EngineSettings(model=ModelSettings(model, threads=1))
    pipeline = open_pipeline(settings.model)
    rate, hop = pipeline.spec.features.sample_rate, pipeline.spec.features.hop_length
    channels = channels_of(sound)
    n_channels = channels.shape[1]
    parts = open_accompanying(pipeline, settings, rate, n_channels, lambda _: 0.0)
    if parts is None:
        return None
    stream = CoverStream(pipeline, settings, rate, n_channels, parts)
    start = time.perf_counter(), time.process_time()
    for begin in range(0, len(channels), hop):
        stream.push(channels[begin : begin + hop])
    stream.finish()
    wall, processor = time.perf_counter() - start[0], time.process_time() - start[1]
    return Factor(wall * rate / len(channels), processor * rate / len(channels))


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
    """Return the real-time factor of a model that hears a window, features to posteriors.

    On one thread: live with what it keeps and without, and over a file that nobody waits for. One
    that carries its past in a state keeps nothing where each step hears its ``window_frames``
    again. Processor time of ``n_steps`` steps live and of one step of a file, of silence: the sound
    makes no difference.

    Raises
    ------
    ModelError
        If the model hears no later sound.
    """
    pipeline = load_pipeline(model, threads=1)
    live, style = pipeline.model, pipeline.style
    if isinstance(live, StatefulModel) and live.spec.ahead_frames:
        live = live.waiting(STEPS_AHEAD * STEP_FRAMES)
        again = silent_features(live.spec, live.spec.window_frames)

        def plain(rows: Array) -> object:
            steps = range(0, len(rows), live.spec.step_frames)
            return [live.one_window(again, style) for _ in steps]

    elif isinstance(live, WindowModel):
        forgetful = live.plain()

        def plain(rows: Array) -> object:
            return forgetful.step(np.arange(len(rows), dtype=np.int64), rows, style)

    else:
        raise ModelError(
            f"expected a model that hears later sound, {model} does not; livecover-train"
            " sketch-window makes one"
        )
    file = live.offline_variant()

    def cost(run: Callable[[Array], object], step_frames: int, n: int) -> str:
        rows = silent_features(live.spec, n * step_frames)
        start = time.process_time()
        run(rows)
        spent = time.process_time() - start
        return f"{spent / (len(rows) * live.spec.features.frame_s):.3g}"

    def stream(kind: CoverModel) -> Callable[[Array], object]:
        return lambda rows: kind.step(np.arange(len(rows), dtype=np.int64), rows, style)

    step, file_step = live.spec.step_frames, file.spec.step_frames
    columns = {
        f"live, a step of {step} frames": cost(stream(live), step, n_steps),
        "the same, nothing kept": cost(plain, step, n_steps),
        f"a file, a step of {file_step}": cost(stream(file), file_step, 1),
    }
    title = f"real-time factor, {live.spec.name}, one thread"
    return markdown([title, *columns], [["features to posteriors", *columns.values()]])


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
