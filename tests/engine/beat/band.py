"""The beat beside the loudness model: a network that takes every loud frame for a beat."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.beat.follower import BeatFollower
from engine.beat.tracker import BeatTracker
from engine.core.settings import BeatSettings
from engine.model.pipeline import Pipeline
from models.spec import BeatSpec
from tests.engine.fakes import SPEC, Array, make_pipeline, sound

LOOKAHEAD = 2
AUTO = BeatSettings()
CLICK_S = 0.02


@dataclass
class LoudBeats:
    """Activations of loudness, ``LOOKAHEAD`` frames late. The first of four is the loudest."""

    spec: BeatSpec = BeatSpec("loud", SPEC.features, "1", LOOKAHEAD)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._held: Array = np.zeros((0, 1), np.float32)

    def step(self, features: Array) -> Array:
        heard = np.concatenate([self._held, features])
        n_final = max(0, len(heard) - LOOKAHEAD)
        self._held = heard[n_final:]
        loud = heard[:n_final, 0]
        rows = [0.02 + 0.9 * (loud > 0.1), 0.01 + 0.85 * (loud > 0.4)]
        return np.stack(rows, 1).astype(np.float32)


def make_follower(pipeline: Pipeline | None = None, settings: BeatSettings = AUTO) -> BeatFollower:
    """Return a follower, as the pipeline's tap; it hears where the source is auto."""
    tracker = BeatTracker(LoudBeats()) if settings.source == "auto" else None  # type: ignore[arg-type]
    follower = BeatFollower(settings, SPEC.features, tracker)
    if pipeline is not None:
        pipeline.tap = follower
    return follower


def clicks(times: NDArray[np.float64], seconds: float, metre: int = 4) -> Array:
    """Return (n, 1) samples: a click from each time on, each bar's first one louder."""
    soft = sound(seconds, *((t, t + CLICK_S) for t in times.tolist())) * 0.5
    first = sound(seconds, *((t, t + CLICK_S) for t in times[::metre].tolist()))
    return np.asarray(np.maximum(soft, first))


def play(pipeline: Pipeline, song: Array, block: int = 50) -> None:
    """Let a pipeline hear a song (n, 1)."""
    for start in range(0, len(song), block):
        pipeline.push(song[start : start + block, 0])


def follow(song: Array, block: int) -> tuple[BeatFollower, Pipeline]:
    """Return what followed a whole song (n, 1)."""
    pipeline = make_pipeline()
    follower = make_follower(pipeline)
    play(pipeline, song, block)
    return follower, pipeline
