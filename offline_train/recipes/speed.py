"""What a step of training costs with and without fused GRUs, in turns in one run."""

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.features import LOG_STFT_16K
from models.spec import N_PITCHES, STYLE_DIM
from models.streaming import COVER, TRANSCRIPTION_PREFIX, StreamingConfig
from models.trunk import TRANSCRIPTION
from offline_train.evaluation.report import markdown_table
from offline_train.training.cover.settings import CoverSettings
from offline_train.training.cover.task import CoverTask
from offline_train.training.fused_gru import FusedGRU
from offline_train.training.loop import train_step

SPARSE = 0.03
"""Of the labels' cells, as many as are about filled in a cover."""


def bench_step(
    n_steps: int,
    n_frames: int,
    batch: int,
    threads: int,
    network: StreamingConfig | None = None,
) -> str:
    """Return a table of the median step with torch's GRUs and with fused ones, and their ratio.

    Both networks begin alike and take the same made-up batch, one after the other, ``n_steps``
    times after a first that does not count. Beside busy programs trust the processor's seconds, of
    all threads, from which speed and gain are computed. Where there is no C compiler both are
    torch's. ``batch`` counts crops of ``n_frames``; a network of today's size is timed if none is
    given.
    """
    c = CoverSettings(
        Path(),
        network=network or StreamingConfig(),
        n_frames=n_frames,
        batch=batch,
        threads=threads,
    )
    torch.set_num_threads(c.threads)
    tasks = {"torch's GRU": with_plain_gru(CoverTask(c)), "fused GRU": CoverTask(c)}
    crops = made_up_batch(c)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for k in range(n_steps + 1):
        for name, task in tasks.items():
            wall, processor = time.perf_counter(), time.process_time()
            train_step(task, c.schedule(), crops, k, 0.0, name)
            if k:
                spent[name].append((time.perf_counter() - wall, time.process_time() - processor))
    medians = {name: np.median(times, axis=0).tolist() for name, times in spent.items()}
    sound_s = c.batch * c.n_frames * LOG_STFT_16K.frame_s
    first = next(iter(medians.values()))[1]
    title = f"a step, {c.batch} crops of {c.n_frames} frames, {c.threads} thread(s)"
    rows = [
        [name, f"{wall:.3f}", f"{cpu:.3f}", f"{sound_s / cpu:.1f}", f"{first / cpu:.2f}"]
        for name, (wall, cpu) in medians.items()
    ]
    header = [title, "s", "processor, s", "times real time", "gain"]
    return markdown_table([header, *rows])


def with_plain_gru(task: CoverTask) -> CoverTask:
    """Return a task whose GRUs are torch's own."""
    for module in task.network.modules():
        if type(module) is FusedGRU:
            module.__class__ = nn.GRU  # type: ignore[assignment]
    return task


def made_up_batch(c: CoverSettings) -> dict[str, Tensor]:
    """Return a batch of crops as ``CoverCrops`` has them: noise, with sparse labels."""
    torch.manual_seed(c.seed)
    n_samples = (c.n_frames - 1) * LOG_STFT_16K.hop_length + LOG_STFT_16K.win_length
    samples = 0.1 * torch.randn(c.batch, n_samples)
    flags = ("has_cover", "has_transcription", "has_velocity", "has_melody")
    labels = {
        name: (torch.rand(c.batch, c.n_frames, N_PITCHES) < SPARSE).float()
        for name in (*COVER, *(TRANSCRIPTION_PREFIX + name for name in TRANSCRIPTION))
    }
    return {
        "samples": samples,
        "clean": samples,
        "shift": torch.zeros(c.batch),
        "style": torch.zeros(c.batch, STYLE_DIM),
        **{name: torch.ones(c.batch) for name in flags},
        **labels,
    }
