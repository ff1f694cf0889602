"""StatefulModel and the bookkeeping of steps: streaming equals one pass."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import ModelError
from engine.core.notes import Posteriors
from engine.model.cover_model import StepQueue, join_posteriors
from engine.model.graph import Graph
from engine.model.model_files import load_model
from engine.model.stateful_model import MAX_CALL_FRAMES, StatefulModel
from models.spec import STYLE_DIM
from tests.messages import refused
from tests.tiny import TINY_FEATURES, TINY_STATEFUL

Array = NDArray[np.float32]

TOLERANCE = 1e-5  # ten times finer than the bar; float32 rounding gives about 1e-6
HALVES = (slice(0, 4), slice(4, 8))
STYLE = np.linspace(-1, 1, STYLE_DIM, dtype=np.float32)


@pytest.fixture
def model(tiny_stateful_path: Path) -> StatefulModel:
    model = load_model(tiny_stateful_path)
    assert isinstance(model, StatefulModel)
    return model


def music(n_frames: int) -> Array:
    rng = np.random.default_rng(n_frames)
    return rng.normal(-2.0, 1.5, (n_frames, TINY_FEATURES.n_bins)).astype(np.float32)


def stream(model: StatefulModel, features: Array, sizes: list[int]) -> Posteriors:
    """Step through the features by blocks of these sizes in turn, then flush."""
    parts: list[Posteriors] = []
    start = 0
    while start < len(features):
        size = sizes[len(parts) % len(sizes)]
        rows = features[start : start + size]
        frames = np.arange(start, start + len(rows), dtype=np.int64)
        parts.append(model.step(frames, rows, STYLE))
        start += size
    return join_posteriors([*parts, model.flush(STYLE)])


def assert_close(found: Posteriors, expected: Posteriors) -> None:
    assert found.frames.tolist() == expected.frames.tolist()
    for name in ("onset", "frame", "velocity", "melody"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=TOLERANCE, err_msg=name
        )


@pytest.mark.parametrize("sizes", [[1], [2], [3, 1, 8], [7], [101], [1000]])
@pytest.mark.parametrize("n_frames", [1, 2, 3, 101])
def test_steps_of_any_size_equal_one_pass(
    model: StatefulModel, sizes: list[int], n_frames: int
) -> None:
    features = music(n_frames)
    found = stream(model, features, sizes)
    assert found.frames.tolist() == list(range(n_frames))
    assert_close(found, model.offline(features, STYLE))


def test_a_transcription_comes_with_the_notes_of_its_frames() -> None:
    spec = dataclasses.replace(TINY_STATEFUL, lookahead_frames=2)
    names = (*spec.outputs, "transcription_onset", "transcription_frame")
    rows = np.random.default_rng(0).random((len(names), 8, 88), np.float32)
    queue = StepQueue(spec)
    queue.push(np.arange(8), music(8))
    named = dict(zip(names, rows, strict=True))
    parts = [queue.to_posteriors({n: v[part] for n, v in named.items()}) for part in HALVES]
    joined = join_posteriors(parts)
    assert joined.transcription is not None
    assert (joined.transcription == rows[-2:, 2:].swapaxes(0, 1)).all()
    assert np.array_equal(joined.part(slice(1, 3)).transcription, joined.transcription[1:3])  # type: ignore[arg-type]
    bare = queue.to_posteriors({n: named[n][:0] for n in spec.outputs})
    assert bare.transcription is None and bare.part(slice(0)).transcription is None


def test_one_pass_equals_torch(model: StatefulModel) -> None:
    with np.load(model.graph.path.with_suffix(".sample.npz")) as sample:
        found = model.offline(sample["features"][0], sample["style"][0])
        n_lead, n_frames = TINY_STATEFUL.lookahead_frames, sample["features"].shape[1]
        for name in TINY_STATEFUL.outputs:  # what torch gave, the lead of silence in front
            np.testing.assert_allclose(
                getattr(found, name)[: n_frames - n_lead], sample[name][0, n_lead:], atol=TOLERANCE
            )


def test_a_block_longer_than_one_call_equals_one_pass(model: StatefulModel) -> None:
    features = music(2 * MAX_CALL_FRAMES + 5)
    assert_close(stream(model, features, [len(features)]), model.offline(features, STYLE))


def test_a_frame_is_answered_as_soon_as_its_step_is_whole(model: StatefulModel) -> None:
    features = music(12)
    n_answered = []
    for k in range(12):
        model.step(np.array([k]), features[k : k + 1], STYLE)
        n_answered.append(int(model._queue._unanswered.size))
    # lookahead 3, steps of 2: after frames 0 to 3, row 3 answers frame 0, and so on by twos.
    assert n_answered == [1, 2, 3, 3, 4, 3, 4, 3, 4, 3, 4, 3]


@pytest.mark.parametrize("end", ["reset", "flush"])
def test_reset_and_flush_begin_a_new_stream(model: StatefulModel, end: str) -> None:
    model.step(np.arange(9), music(9), STYLE)
    if end == "reset":
        model.reset()
    else:
        model.flush(STYLE)
    features = music(20)
    assert_close(stream(model, features, [5]), model.offline(features, STYLE))


def test_frame_indices_pass_through_with_their_gaps(model: StatefulModel) -> None:
    frames = np.array([5, 6, 7, 100, 101, 300])
    parts = [model.step(frames, music(6), STYLE), model.flush(STYLE)]
    assert join_posteriors(parts).frames.tolist() == frames.tolist()


def test_flush_of_nothing_is_empty(model: StatefulModel) -> None:
    assert len(model.flush(STYLE)) == 0
    assert len(model.offline(music(0), STYLE)) == 0


def test_offline_leaves_the_stream_alone(model: StatefulModel) -> None:
    features = music(30)
    first = model.step(np.arange(15), features[:15], STYLE)
    expected = model.offline(features, STYLE)
    second = model.step(np.arange(15, 30), features[15:], STYLE)
    assert_close(join_posteriors([first, second, model.flush(STYLE)]), expected)


def test_the_style_is_heard(model: StatefulModel) -> None:
    features = music(20)
    calm, intense = (model.offline(features, s * np.ones_like(STYLE)) for s in (-1, 1))
    assert np.abs(calm.onset - intense.onset).max() > 0.01


def test_posteriors_are_float32_probabilities(model: StatefulModel) -> None:
    found = model.offline(10 * music(20), STYLE)
    assert found.melody is not None
    for rows in (found.onset, found.frame, found.velocity, found.melody):
        assert rows.dtype == np.float32
        assert rows.shape == (20, 88)
        assert rows.min() >= 0.0
        assert rows.max() <= 1.0


def test_a_model_without_melody_gives_none(tiny_stateful_path: Path) -> None:
    spec = dataclasses.replace(TINY_STATEFUL, outputs=("onset", "frame", "velocity"))
    model = StatefulModel(spec, Graph(tiny_stateful_path))
    assert model.offline(music(4), STYLE).melody is None


def test_a_graph_that_lacks_an_output_is_refused(tiny_stateful_path: Path) -> None:
    spec = dataclasses.replace(TINY_STATEFUL, outputs=("onset", "frame", "velocity", "pedal"))
    with refused(ModelError, "metadata", "missing", "['pedal']"):
        StatefulModel(spec, Graph(tiny_stateful_path))


def test_a_spec_without_onsets_is_refused(tiny_stateful_path: Path) -> None:
    spec = dataclasses.replace(TINY_STATEFUL, outputs=("frame", "velocity"))
    with refused(ModelError, "metadata", "onset"):
        StatefulModel(spec, Graph(tiny_stateful_path))


def test_silence_does_not_need_whole_steps() -> None:
    queue = StepQueue(dataclasses.replace(TINY_STATEFUL, step_frames=4, lookahead_frames=5))
    assert len(queue.push(np.arange(6), music(6))) == 4
    last = queue.finish()
    assert len(last) == 8  # two frames that waited, five of lookahead, one to make it whole
    np.testing.assert_array_equal(last[2:], np.float32(np.log(TINY_FEATURES.log_floor)))


def test_joined_parts_keep_melody_only_if_all_have_it(model: StatefulModel) -> None:
    part = model.offline(music(3), STYLE)
    bare = dataclasses.replace(part, melody=None)
    empty = join_posteriors([])
    assert len(empty) == 0
    assert empty.onset.shape == (0, 88)
    assert join_posteriors([empty, part, empty]).melody is not None
    assert join_posteriors([part, bare]).melody is None
