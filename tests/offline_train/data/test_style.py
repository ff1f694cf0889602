"""Presets are means of covers near a target, each histogram by its own feature."""

import numpy as np
import pytest
from numpy.typing import NDArray

from offline_train.data.style import PRESET_QUANTILES, features, presets, style_vector


def notes(rate: float, velocity: float, pitch: float, seconds: float = 8.0) -> NDArray[np.float32]:
    """A cover with one note every 1 / rate seconds, alternating an octave up."""
    onsets = np.arange(0, seconds, 1 / rate)
    rows = [(t, t + 0.1, pitch + 12 * (k % 2), velocity, 0) for k, t in enumerate(onsets)]
    return np.array(rows, np.float32)


def test_features_are_velocity_spread_and_rate() -> None:
    velocity, spread, rate = features(notes(4, 70, 60))
    assert (velocity, spread) == (70.0, 6.0)
    assert rate == pytest.approx(4.0)


def test_each_histogram_is_of_the_covers_near_in_its_feature() -> None:
    # The sparse covers are the loud ones: no cover is soft and sparse, yet calm is.
    rates, velocities = range(1, 11), range(110, 60, -5)
    covers = [notes(r, v, 60) for r, v in zip(rates, velocities, strict=True)]
    found = presets(covers)
    assert set(found) == set(PRESET_QUANTILES)
    styles = np.stack([style_vector(cover) for cover in covers])
    calm = np.array(found["calm"])
    assert calm[:8] == pytest.approx(styles[-2:, :8].mean(0), abs=1e-5)
    assert calm[16:] == pytest.approx(styles[:2, 16:].mean(0), abs=1e-5)
    intense = np.array(found["intense"])
    assert intense[:8] == pytest.approx(styles[:2, :8].mean(0), abs=1e-5)
    assert intense[16:] == pytest.approx(styles[-2:, 16:].mean(0), abs=1e-5)
    for style in found.values():
        assert np.reshape(style, (3, 8)).sum(1) == pytest.approx([1, 1, 1], abs=1e-3)


def test_one_cover_gives_every_preset() -> None:
    found = presets([notes(4, 80, 60)])
    assert found["calm"] == found["balanced"] == found["intense"]
