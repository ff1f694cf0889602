"""Pipeline: samples to posteriors, in blocks of any size, with gaps, for both kinds of model."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.notes import Posteriors
from engine.model.cover_model import join_posteriors
from engine.model.pipeline import (
    Pipeline,
    load_pipeline,
    offline_features,
    offline_posteriors,
    stream_posteriors,
)
from engine.signal import level
from models.spec import STYLE_DIM

Array = NDArray[np.float32]

TOLERANCE = 1e-4  # the bar for streamed posteriors against one pass
STYLE = np.linspace(-1, 1, STYLE_DIM, dtype=np.float32)


@pytest.fixture(autouse=True)
def no_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The song's level is not learned: a gap or another song before it would make another gain."""
    monkeypatch.setattr(level, "TARGET_DBFS", -120.0)


@pytest.fixture(params=["stateful", "window"])
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    path: Path = request.getfixturevalue(f"tiny_{request.param}_path")
    return load_pipeline(path, style=STYLE)


def one_pass(pipeline: Pipeline, features: Array) -> Posteriors:
    return offline_posteriors(pipeline.model, features, STYLE)  # type: ignore[arg-type]


def assert_close(found: Posteriors, expected: Posteriors) -> None:
    for name in ("onset", "frame", "velocity"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=TOLERANCE, err_msg=name
        )


@pytest.mark.parametrize("block_size", [1, 7, 256, 4096, 10**9])
def test_a_stream_of_any_block_size_equals_one_pass(
    pipeline: Pipeline, tiny_song: Array, block_size: int
) -> None:
    samples = tiny_song[:4500] if block_size == 1 else tiny_song
    expected = one_pass(pipeline, offline_features(samples, pipeline.frontend))
    found = stream_posteriors(samples, pipeline.model, pipeline.frontend, STYLE, block_size)
    assert found.frames.tolist() == expected.frames.tolist()
    assert_close(found, expected)
    assert np.ptp(found.onset) > 0.05  # there is something to agree on


@pytest.mark.parametrize("block_size", [1, 50, 4096])
def test_a_gap_ends_one_stream_and_begins_another_with_exact_features(
    pipeline: Pipeline, tiny_song: Array, block_size: int
) -> None:
    whole = offline_features(tiny_song, pipeline.frontend)
    parts = [pipeline.push(tiny_song[:3333])]
    for start in range(3333, 8111, block_size):
        parts.append(pipeline.skip(tiny_song[start : min(start + block_size, 8111)]))
    before = join_posteriors(parts)
    after = join_posteriors([pipeline.push(tiny_song[8111:]), pipeline.flush()])
    hop, half = pipeline.spec.features.hop_length, pipeline.spec.features.win_length // 2
    n_before = (3333 - half) // hop + 1
    first_after = (8111 - half) // hop + 1
    assert before.frames.tolist() == list(range(n_before))
    assert after.frames.tolist() == list(range(first_after, len(whole)))
    assert_close(before, one_pass(pipeline, whole[:n_before]))
    assert_close(after, one_pass(pipeline, whole[first_after:]))


def test_a_stream_left_by_flush_or_reset_does_not_reach_the_next(
    pipeline: Pipeline, tiny_song: Array
) -> None:
    expected = stream_posteriors(tiny_song, pipeline.model, pipeline.frontend, STYLE)
    pipeline.push(tiny_song[::-1][:5000])
    pipeline.reset()
    again = join_posteriors([pipeline.push(tiny_song), pipeline.flush()])
    assert again.frames.tolist() == expected.frames.tolist()
    assert_close(again, expected)
    assert_close(join_posteriors([pipeline.push(tiny_song), pipeline.flush()]), expected)


def test_the_style_may_be_replaced_on_the_way(pipeline: Pipeline, tiny_song: Array) -> None:
    same = join_posteriors([pipeline.push(tiny_song), pipeline.flush()])
    first = pipeline.push(tiny_song[:6000])
    pipeline.style = -STYLE
    changed = join_posteriors([first, pipeline.push(tiny_song[6000:]), pipeline.flush()])
    difference = np.abs(same.onset - changed.onset).max(axis=1)
    assert difference[: len(first)].max() < TOLERANCE
    assert difference[-1] > 0.01


def test_the_default_style_is_neutral(pipeline: Pipeline) -> None:
    bare = Pipeline(pipeline.frontend, pipeline.model)
    assert bare.style.tolist() == [0.0] * STYLE_DIM


def test_no_samples_give_the_one_frame_at_zero(pipeline: Pipeline) -> None:
    none = np.zeros(0, np.float32)
    found = stream_posteriors(none, pipeline.model, pipeline.frontend, STYLE)
    assert found.frames.tolist() == [0]


class Listener:
    """A tap that keeps what it gets."""

    def __init__(self) -> None:
        self.posteriors: list[Posteriors] = []
        self.n_samples = 0
        self.n_frames = 0

    def begin(self, start: float, first_frame: float) -> None:
        pass

    def push(self, samples: Array, features: Array, cents: float) -> None:
        self.n_samples += len(samples)
        self.n_frames += len(features)

    def push_posteriors(self, posteriors: Posteriors) -> None:
        self.posteriors.append(posteriors)

    def skip(self, samples: Array, n_frames: int) -> None:
        self.n_samples += len(samples)
        self.n_frames += n_frames


def test_a_tap_gets_all_that_the_model_gets_and_says(pipeline: Pipeline, tiny_song: Array) -> None:
    pipeline.tap = tap = Listener()
    pipeline.reset()
    found = [pipeline.push(tiny_song[:3000]), pipeline.push(tiny_song[3000:6000])]
    found += [pipeline.skip(tiny_song[6000:8000]), pipeline.push(tiny_song[8000:])]
    n_samples, n_frames = tap.n_samples, tap.n_frames
    assert n_samples == len(tiny_song)
    assert n_frames == pipeline.frontend.next_frame
    found.append(pipeline.flush())
    told, said = join_posteriors(tap.posteriors), join_posteriors(found)
    assert told.frames.tolist() == said.frames.tolist()
    assert np.array_equal(told.onset, said.onset)
    assert tap.n_frames == n_frames + pipeline.spec.features.half_window_s // (
        pipeline.spec.features.frame_s
    )
