"""Of stereo, a model that tells the tune apart hears the middle louder; nobody else does."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.notes import Posteriors
from engine.model.cover_model import join_posteriors
from engine.model.frontend import load_frontend
from engine.model.model_files import load_model
from engine.model.pipeline import Pipeline
from models.spec import ModelSpec

Array = NDArray[np.float32]
RATE = 16000
TOLERANCE = 2e-3  # of log magnitudes, which frames computed at once or alone differ by


class Ear:
    """A model that keeps what it hears."""

    wait_frames = 0

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = self.least_spec = spec
        self.heard: list[Array] = []

    def step(self, frames: NDArray[np.int64], features: Array, style: Array) -> Posteriors:
        assert len(frames) == len(features)
        self.heard.append(features)
        return join_posteriors([])

    def flush(self, style: Array) -> Posteriors:
        return join_posteriors([])

    def reset(self) -> None:
        pass

    def waiting(self, n_frames: int) -> "Ear":
        return self

    def offline_variant(self) -> "Ear":
        return self


class Beside:
    """Hears what a beat follower does."""

    def __init__(self) -> None:
        self.samples: list[Array] = []
        self.features: list[Array] = []

    def begin(self, start: float, first_frame: float) -> None:
        pass

    def push(self, samples: Array, features: Array, cents: float) -> None:
        self.samples.append(samples)
        self.features.append(features)

    def push_posteriors(self, posteriors: Posteriors) -> None:
        pass

    def skip(self, samples: Array, n_frames: int) -> None:
        self.samples.append(samples)


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return load_model("live").spec


def band(seconds: float = 2.0) -> Array:
    """A singer in the middle, a guitar at the left: (n, 2) middle and side, ordinarily loud."""
    time = np.arange(round(seconds * RATE)) / RATE
    singer, guitar = (0.2 * np.sin(2 * np.pi * f * time) for f in (440.0, 660.0))
    return np.stack([singer + guitar, guitar], 1).astype(np.float32)


def heard(spec: ModelSpec, sound: Array, centre: float, block: int = 4096) -> Array:
    ear = Ear(spec)
    pipeline = Pipeline(load_frontend(spec.features), ear)
    pipeline.tuning, pipeline.centre = 440.0, centre
    for start in range(0, len(sound), block):
        pipeline.push(sound[start : start + block])
    pipeline.flush()
    return np.concatenate(ear.heard)


def loudest(features: Array, hertz: float) -> float:
    """Return the highest log magnitude near a frequency, in the middle of the sound."""
    bin_ = round(3 * 12 * np.log2(hertz / 27.5)) + 1
    return float(features[40:80, bin_ - 1 : bin_ + 2].max())


def test_the_singer_stays_and_the_guitar_is_fainter(spec: ModelSpec) -> None:
    plain, centred = (heard(spec, band(), centre) for centre in (0.0, 0.7))
    assert loudest(centred, 440) == pytest.approx(loudest(plain, 440), abs=0.02)
    assert loudest(plain, 660) - loudest(centred, 660) == pytest.approx(-np.log(0.3), abs=0.05)


def test_without_a_centre_the_middle_is_all(spec: ModelSpec) -> None:
    np.testing.assert_array_equal(
        heard(spec, band(), 0.0), heard(spec, np.ascontiguousarray(band()[:, 0]), 0.7)
    )


def test_stereo_of_a_mono_song_is_heard_as_mono_bit_by_bit(spec: ModelSpec) -> None:
    mono = np.ascontiguousarray(band()[:, 0])
    np.testing.assert_array_equal(
        heard(spec, np.stack([mono, np.zeros_like(mono)], 1), 0.7), heard(spec, mono, 0.7)
    )


@pytest.mark.parametrize("block", [1, 100, 10**9])
def test_blocks_of_any_length_give_the_same(spec: ModelSpec, block: int) -> None:
    sound = band(0.3)
    np.testing.assert_allclose(
        heard(spec, sound, 0.7, block), heard(spec, sound, 0.7), atol=TOLERANCE
    )


def test_a_model_that_does_not_tell_the_tune_apart_hears_the_middle(spec: ModelSpec) -> None:
    transcriber = replace(spec, outputs=("onset", "frame", "velocity"))
    np.testing.assert_array_equal(heard(transcriber, band(), 0.7), heard(spec, band(), 0.0))


def test_who_listens_beside_the_model_hears_the_middle(spec: ModelSpec) -> None:
    tap, sound = Beside(), band()
    pipeline = Pipeline(load_frontend(spec.features), Ear(spec))
    pipeline.tuning, pipeline.centre = 440.0, 0.7
    pipeline.tap = tap
    pipeline.push(sound)
    np.testing.assert_array_equal(np.concatenate(tap.samples), sound[:, 0])
    plain = heard(spec, sound, 0.0)[: len(np.concatenate(tap.features))]
    np.testing.assert_allclose(np.concatenate(tap.features), plain, atol=TOLERANCE)


def test_after_a_gap_and_a_change_of_the_centre_features_are_exact(spec: ModelSpec) -> None:
    sound, ear = band(), Ear(spec)
    pipeline = Pipeline(load_frontend(spec.features), ear)
    pipeline.tuning, pipeline.centre = 440.0, 0.0
    pipeline.push(sound[:5000])
    pipeline.skip(sound[5000:9000])
    pipeline.centre = 0.7
    pipeline.push(sound[9000:])
    expected = heard(spec, sound, 0.7)
    found = ear.heard[-1]
    first = pipeline.frontend.next_frame - len(found)
    np.testing.assert_allclose(found, expected[first : first + len(found)], atol=TOLERANCE)
