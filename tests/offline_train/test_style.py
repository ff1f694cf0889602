"""The style vector against hand-counted histograms, and the presets' order."""

import numpy as np
import pytest
from numpy.typing import NDArray

from offline_train.style import PITCH, PRESET_QUANTILES, VELOCITY, intensity, presets, style_vector


def notes(rate: float, velocity: float, pitch: float, seconds: float = 8.0) -> NDArray[np.float32]:
    """A cover with one note every 1 / rate seconds, all alike."""
    onsets = np.arange(0, seconds, 1 / rate)
    rows = [(t, t + 0.1, pitch, velocity, 0) for t in onsets]
    return np.array(rows, np.float32)


def test_a_style_is_three_histograms() -> None:
    rng = np.random.default_rng(0)
    onsets = np.sort(rng.uniform(0, 30, 200))
    song = np.stack([onsets, onsets + 0.2, rng.integers(30, 90, 200), rng.integers(30, 110, 200)])
    style = style_vector(song.T.astype(np.float32))
    assert style.shape == (24,) and style.dtype == np.float32
    assert style.reshape(3, 8).sum(1) == pytest.approx([1, 1, 1], abs=1e-6)


def test_a_style_counted_by_hand() -> None:
    # Velocities: one at the mean plus a little, one three deviations above; pitch: all low.
    song = np.array(
        [
            (0.0, 0.1, PITCH[0] - 3 * PITCH[1], VELOCITY[0] + 1, 0),
            (0.1, 0.2, PITCH[0] - 3 * PITCH[1], VELOCITY[0] + 3 * VELOCITY[1], 0),
        ],
        np.float32,
    )
    velocity, pitch, rate = style_vector(song).reshape(3, 8)
    assert velocity.tolist() == [0, 0, 0, 0, 0.5, 0, 0, 0.5]
    assert pitch.tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert rate.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]  # 2 a second: z = (2 - 7.6) / 3.175 = -1.76


def test_a_single_note_has_a_style() -> None:
    assert style_vector(notes(1, 80, 60, 0.5)).sum() == pytest.approx(3)


def test_more_and_louder_notes_are_more_intense() -> None:
    calm, busy, loud = notes(2, 60, 60), notes(9, 60, 60), notes(9, 100, 60)
    assert intensity(calm) < intensity(busy) < intensity(loud)


def test_presets_are_means_of_the_corpus_by_intensity() -> None:
    covers = [notes(rate, 40 + 8 * rate, 60) for rate in (7, 1, 4, 10, 2, 5, 9, 3, 8, 6)]
    found = presets(covers)
    assert set(found) == set(PRESET_QUANTILES)
    calm = np.mean([style_vector(notes(r, 40 + 8 * r, 60)) for r in (1, 2)], axis=0)
    assert found["calm"] == pytest.approx(calm, abs=1e-5)
    assert all(sum(style) == pytest.approx(3, abs=1e-3) for style in found.values())


def test_one_cover_gives_every_preset() -> None:
    found = presets([notes(4, 80, 60)])
    assert found["calm"] == found["balanced"] == found["intense"]
