"""The sum of the latency, its parts, and what a latency that was asked for does to it."""

import dataclasses

import pytest

from engine.core.errors import ConfigError
from engine.core.settings import TimeSettings
from engine.model.latency import LatencyBudget, latency_budget, writing_lead
from models.spec import FeatureSpec, ModelSpec
from tests.messages import refused

SPEC = ModelSpec(
    name="m",
    kind="stateful",
    features=FeatureSpec("f", "STFT", 16000, 2048, 2048, 160, 1, 20.0, 8000.0, 1e-5),
    version="1",
    lookahead_frames=6,
    step_frames=2,
)
TIME = TimeSettings(compute_allowance=0.02, output_allowance=0.005)


def budget(time: TimeSettings = TIME, device: float = 0.0, resampler: float = 0.0) -> LatencyBudget:
    return latency_budget(SPEC, time, block=0.016, device=device, resampler=resampler)


def test_every_part_is_counted() -> None:
    parts = dict(budget(device=0.01, resampler=0.002).parts)
    assert parts == pytest.approx(
        {
            "capture block": 0.016,
            "device": 0.01,
            "resampler": 0.002,
            "half window": 0.064,
            "lookahead": 0.06,
            "step": 0.01,
            "onset peak": 0.015,
            "compute": 0.02,
            "output": 0.005,
        }
    )
    assert budget(device=0.01, resampler=0.002).total == pytest.approx(sum(parts.values()))
    graph = latency_budget(SPEC, TIME, block=0.016, port=0.012)
    assert graph.parts[-1] == ("MIDI graph", 0.012)
    assert graph.total == pytest.approx(budget().total + 0.012)


def test_parts_of_no_length_are_left_out() -> None:
    spec = dataclasses.replace(SPEC, step_frames=1)
    names = [name for name, _ in latency_budget(spec, TIME, block=0.016).parts]
    assert not {"device", "resampler", "step"} & set(names)


def test_more_latency_than_needed_becomes_a_reserve() -> None:
    asked = dataclasses.replace(TIME, latency=0.3)
    assert budget(asked).total == pytest.approx(0.3)
    assert dict(budget(asked).parts)["reserve"] == pytest.approx(0.11)


def test_the_least_possible_may_be_asked_for_as_it_is_printed() -> None:
    assert budget(dataclasses.replace(TIME, latency=0.19)).total == pytest.approx(0.19)


def test_less_than_possible_is_refused_with_the_least() -> None:
    with refused(ConfigError, "time.latency", "at least", "0.190", "0.1"):
        budget(dataclasses.replace(TIME, latency=0.1))


def test_describe_is_one_line_in_milliseconds() -> None:
    text = budget().describe()
    assert text.startswith("latency 190 ms = 16.0 capture block + 64.0 half window")
    assert "\n" not in text


def test_a_writer_has_time_for_a_frame_and_for_computing() -> None:
    time = TimeSettings(compute_allowance=0.03, output_allowance=0.01)
    lead = writing_lead(SPEC, time, block=0.005, device=0.02, resampler=0.001)
    frame = SPEC.features.frame_s
    assert lead == pytest.approx(0.005 + 0.02 + 0.001 + frame + 0.03 + 0.01)
