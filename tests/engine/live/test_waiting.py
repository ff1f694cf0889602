"""A model that hears later sound waits as long as the latency lets it: real threads, fakes."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.notes import Posteriors, notes_of
from engine.core.settings import EngineSettings, PlaySettings
from engine.live.engine import Engine
from engine.model.cover_model import join_posteriors
from engine.model.frontend import FrontEnd
from engine.model.latency import KEPT_ON_BEAT, KEPT_ON_BEAT_S, KEPT_S
from engine.model.pipeline import Pipeline
from models.spec import ModelSpec
from tests.engine.fakes import (
    SETTINGS,
    SPEC,
    CollectingSink,
    LoudnessModel,
    ScriptedSource,
    loudness,
    sound,
)

Array = NDArray[np.float32]

FREE = replace(SETTINGS, play=PlaySettings(rhythm="free"))
FRAME_S = SPEC.features.frame_s


class WaitingModel(LoudnessModel):
    """Answers ``wait_frames`` later."""

    least_spec = replace(SPEC, ahead_frames=100)

    def __init__(self, n_frames: int = 0) -> None:
        super().__init__()
        self.wait_frames = n_frames
        self.waited: list[Posteriors] = []

    @property
    def spec(self) -> ModelSpec:  # type: ignore[override]
        return replace(self.least_spec, lookahead_frames=self.wait_frames)

    def step(self, frames: NDArray[np.int64], features: Array, style: Array) -> Posteriors:
        self.waited.append(super().step(frames, features, style))
        return self._answers(self.wait_frames)

    def flush(self, style: Array) -> Posteriors:
        answers = self._answers(0)
        self.reset()
        return answers

    def reset(self) -> None:
        super().reset()
        self.waited = []

    def waiting(self, n_frames: int) -> Self:
        n_frames = min(n_frames, self.least_spec.ahead_frames)
        return self if n_frames == self.wait_frames else type(self)(n_frames)

    def _answers(self, n_kept: int) -> Posteriors:
        held = join_posteriors(self.waited)
        n = max(0, len(held) - n_kept)

        def rows(part: slice) -> Posteriors:
            return Posteriors(
                held.frames[part], held.onset[part], held.frame[part], held.velocity[part]
            )

        self.waited = [rows(slice(n, None))]
        return rows(slice(0, n))


def make_engine(settings: EngineSettings, source: ScriptedSource, sink: CollectingSink) -> Engine:
    return Engine(
        settings,
        open_source=lambda name, audio: source,
        open_pipeline=lambda model: Pipeline(FrontEnd(SPEC.features, loudness), WaitingModel()),
        open_beat=lambda beat, features: None,
        open_sink=lambda names, already: sink,
    )


def with_latency(settings: EngineSettings, seconds: float | None) -> EngineSettings:
    return replace(settings, time=replace(settings.time, latency=seconds))


@pytest.mark.parametrize(
    ("rhythm", "least_kept", "share"),
    [("free", KEPT_S, 0.0), ("beat", KEPT_ON_BEAT_S, KEPT_ON_BEAT)],
    ids=["free", "on the beat"],
)
def test_it_waits_as_long_as_the_latency_leaves_time(
    rhythm: str, least_kept: float, share: float
) -> None:
    settings = replace(SETTINGS, play=replace(SETTINGS.play, rhythm=rhythm))
    least = make_engine(
        with_latency(settings, None), ScriptedSource(), CollectingSink()
    ).budget.total
    kept = max(least_kept, share * (0.5 - least))
    for seconds, expected in ((least, 0), (0.5, (0.5 - least - kept) / FRAME_S), (9.0, 100)):
        engine = make_engine(with_latency(settings, seconds), ScriptedSource(), CollectingSink())
        n_frames = engine.pipeline.model.wait_frames
        assert n_frames == pytest.approx(expected, abs=1.0)
        assert engine.budget.total == pytest.approx(seconds)
        lookahead = dict(engine.budget.parts).get("lookahead", 0.0)
        assert lookahead == pytest.approx(n_frames * FRAME_S)


def test_a_device_that_opens_slower_takes_of_the_wait() -> None:
    source = ScriptedSource(latency=0.1)
    engine = make_engine(with_latency(FREE, 0.5), source, CollectingSink())
    promised = engine.pipeline.model.wait_frames
    with engine:
        assert engine.pipeline.model.wait_frames == pytest.approx(promised - 10, abs=1)
        source.finish()
        assert engine.wait(20.0)


def test_an_accompanist_who_is_never_late_waits_for_nothing() -> None:
    engine = make_engine(with_latency(FREE, 0.5), ScriptedSource(), CollectingSink())
    session, settings = engine._worker.session, engine.settings
    accompanying = replace(settings, play=replace(settings.play, mode="accompany"))
    assert session.wait_frames(engine.pipeline, accompanying) == 0


@pytest.mark.parametrize("then", [2.0, None], ids=["later", "sooner"])
def test_another_latency_counts_while_it_plays(then: float | None) -> None:
    """What is heard after the change is played; each note ends; no frame is heard twice."""
    source, sink = ScriptedSource(), CollectingSink()
    models: list[LoudnessModel] = []
    with make_engine(with_latency(FREE, 0.5), source, sink) as engine:
        models.append(_model(engine))
        source.play(sound(1.0, (0.2, 0.4)))
        _wait_for(lambda: len(models[0].heard) >= 95)
        engine.change(with_latency(FREE, then))
        models.append(_model(engine))
        assert models[0] is not models[1]
        source.play(sound(1.0, (0.2, 0.4)))
        source.finish()
        assert engine.wait(20.0)
    ons = [note.time for note in notes_of(sink.events) if note.is_on]
    assert ons == pytest.approx([0.2, 1.2], abs=2 * FRAME_S)
    assert sum(1 if note.is_on else -1 for note in sink.notes) == 0
    heard = models[0].heard + models[1].heard
    assert sorted(heard) == list(range(len(heard)))


def _model(engine: Engine) -> LoudnessModel:
    model = engine.pipeline.model
    assert isinstance(model, LoudnessModel)
    return model


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)
