"""The factor on thresholds: where it settles, its bounds, and what must not move it."""

import numpy as np
import pytest

from engine.perform.density import HIGHEST, LOWEST, MOST_PULL, STRENGTH, DensityControl

FRAME = 0.016


def listen(
    control: DensityControl, seconds: float, rate: float, level: float = 1.0, seed: int = 0
) -> tuple[float, float]:
    """Let ``control`` hear peaks that pass the fixed thresholds ``rate`` times a second at level 1.

    Returns the notes a second, at its factor and at factor 1, over the second half.
    """
    rng = np.random.default_rng(seed)
    n_frames = round(seconds / FRAME)
    n_played = n_natural = 0
    for frame in range(n_frames):
        # Pareto: the rate above a threshold falls with its square.
        peaks = level * 0.1 * (rng.pareto(2.0, rng.poisson(100 * rate * FRAME)) + 1)
        control.observe(peaks.astype(np.float32))
        if frame >= n_frames // 2:
            n_played += int((peaks >= control.factor).sum())
            n_natural += int((peaks >= 1.0).sum())
    return n_played / (seconds / 2), n_natural / (seconds / 2)


@pytest.mark.parametrize("level", [0.6, 0.8, 1.0, 1.2])
def test_the_rate_is_pulled_to_the_target(level: float) -> None:
    played, natural = listen(DensityControl(FRAME, 6.0), 80, 6.0, level)
    wanted = natural ** (1 - STRENGTH) * 6.0**STRENGTH
    assert played == pytest.approx(wanted, rel=0.1)  # 40 s hold 240 notes, give or take 15


@pytest.mark.parametrize("density", [0.5, 1.5])
def test_density_multiplies_the_notes_with_or_without_a_target(density: float) -> None:
    for target in (0.0, 6.0):
        plain, _ = listen(DensityControl(FRAME, target), 80, 6.0)
        asked, _ = listen(DensityControl(FRAME, target, density), 80, 6.0)
        assert asked / plain == pytest.approx(density, rel=0.15)


def test_pace_multiplies_as_density_does() -> None:
    fast, dense = DensityControl(FRAME, 4.0), DensityControl(FRAME, 4.0, 2.0)
    fast.pace = 2.0
    assert listen(fast, 20, 6.0) == listen(dense, 20, 6.0)
    fast.reset()
    assert (fast.pace, fast.factor) == (2.0, 1.0)


def test_without_a_wish_it_is_not_needed() -> None:
    assert not DensityControl(FRAME, 0.0).is_needed
    assert DensityControl(FRAME, 5.0).is_needed
    assert DensityControl(FRAME, 0.0, 0.5).is_needed


def test_the_factor_is_bounded() -> None:
    faint, loud = DensityControl(FRAME, 8.0), DensityControl(FRAME, 1.0)
    listen(faint, 40, 6.0, level=0.05)
    listen(loud, 40, 60.0, level=5.0)
    assert LOWEST <= faint.factor < 1.0 < loud.factor <= HIGHEST


def test_the_pull_is_bounded() -> None:
    control = DensityControl(FRAME, 50.0)
    played, natural = listen(control, 80, 0.5)
    assert played == pytest.approx(MOST_PULL * natural, rel=0.35)  # natural: 20 notes in all


def test_a_drone_leaves_the_thresholds_alone() -> None:
    control = DensityControl(FRAME, 6.0)
    for _ in range(1000):
        control.observe(np.zeros(0, np.float32))
        assert control.factor == 1.0


def test_the_first_moments_move_little() -> None:
    control = DensityControl(FRAME, 6.0)
    listen(control, 0.5, 6.0, level=0.7)
    assert 0.9 < control.factor <= 1.0


def test_it_forgets() -> None:
    control = DensityControl(FRAME, 6.0)
    listen(control, 60, 6.0, level=0.6)
    faint = control.factor
    listen(control, 60, 6.0, level=1.0, seed=1)
    fresh = DensityControl(FRAME, 6.0)
    listen(fresh, 60, 6.0, level=1.0, seed=1)
    assert control.factor == pytest.approx(fresh.factor, rel=0.05) and faint < control.factor
