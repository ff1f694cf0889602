"""A model's real-time factor on this machine, stage by stage.

Not here: whether that is enough (``livecover.commands.doctor``), tables (``livecover.bench``).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.settings import DecoderSettings
from engine.model.pipeline import Pipeline
from engine.perform.decoder import NoteDecoder

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Factor:
    """Seconds of computing for a second of sound; beside busy programs trust ``processor``."""

    wall: float
    processor: float

    def __add__(self, other: "Factor") -> "Factor":
        return Factor(self.wall + other.wall, self.processor + other.processor)


@dataclass(frozen=True, slots=True)
class Cost:
    """Samples to features, features to posteriors, posteriors to notes."""

    frontend: Factor
    model: Factor
    decoder: Factor

    @property
    def cover(self) -> Factor:
        """Features to notes."""
        return self.model + self.decoder

    @property
    def total(self) -> Factor:
        """Samples to notes."""
        return self.frontend + self.cover


def measure_cost(pipeline: Pipeline, samples: Array) -> Cost:
    """Return what a song costs, fed a hop at a time as when live; begins a new stream.

    Threads are those that the pipeline was loaded with. Frames that are pending at the
    end are not counted, so the song should last for many steps of the model.
    """
    spec = pipeline.spec
    decoder = NoteDecoder(spec.features.frame_s, DecoderSettings.from_spec(spec.decoding))
    spent = np.zeros((3, 2))  # seconds of wall and of processor

    def mark() -> NDArray[np.float64]:
        return np.array([time.perf_counter(), time.process_time()])

    pipeline.reset()
    hop = spec.features.hop_length
    for start in range(0, len(samples), hop):
        marks = [mark()]
        frames, features = pipeline.hear(samples[start : start + hop])
        marks.append(mark())
        posteriors = pipeline.model.step(frames, features, pipeline.style)
        marks.append(mark())
        decoder.push(posteriors)
        marks.append(mark())
        spent += np.diff(marks, axis=0)
    pipeline.reset()
    factors = spent / (len(samples) / spec.features.sample_rate)
    frontend, model, notes = (Factor(wall, processor) for wall, processor in factors.tolist())
    return Cost(frontend, model, notes)


def compare_costs(
    pipelines: Mapping[str, Pipeline], samples: Array, n_rounds: int = 3
) -> dict[str, Cost]:
    """Return each pipeline's cost, by name: the least of some rounds, in processor time.

    They take turns, so that what else the machine does changes little between them.
    """
    rounds = [{n: measure_cost(p, samples) for n, p in pipelines.items()} for _ in range(n_rounds)]
    return {
        name: min((costs[name] for costs in rounds), key=lambda cost: cost.total.processor)
        for name in pipelines
    }
