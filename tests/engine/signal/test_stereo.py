"""What is in the middle stays, what is beside it is fainter, by how much it is beside."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.signal.stereo import toward_middle

Array = NDArray[np.float32]
FLOOR = 0.01


def logs(*magnitudes: float) -> Array:
    found: Array = np.log(np.array([magnitudes], np.float32) + np.float32(FLOOR))
    return found


def test_without_a_side_all_stays_bit_by_bit() -> None:
    features = np.random.default_rng(1).normal(-2, 2, (20, 291)).astype(np.float32)
    features = np.maximum(features, np.float32(np.log(FLOOR)))
    silent = np.full_like(features, np.log(np.float32(FLOOR)))
    np.testing.assert_array_equal(toward_middle(features, silent, FLOOR, 0.7), features)


def test_nothing_is_louder_and_nothing_by_more_than_asked_for() -> None:
    rng = np.random.default_rng(2)
    middle, side = (rng.gamma(0.5, 1.0, (50, 291)).astype(np.float32) for _ in range(2))
    found = np.exp(toward_middle(logs(*middle.ravel()), logs(*side.ravel()), FLOOR, 0.7)) - FLOOR
    assert (found <= middle.ravel() + 1e-5).all()
    assert (found >= 0.3 * middle.ravel() - 1e-5).all()


@pytest.mark.parametrize("centre", [0.0, 0.7, 1.0])
def test_what_stands_at_one_side_is_fainter_by_the_centre(centre: float) -> None:
    found = toward_middle(logs(2.0), logs(2.0), FLOOR, centre)
    np.testing.assert_allclose(np.exp(found) - FLOOR, 2.0 * (1 - centre), atol=1e-3)
