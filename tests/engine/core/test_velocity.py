"""Velocity curves: from what a model says to what a note becomes."""

import pytest

from engine.core.errors import ConfigError
from engine.core.velocity import FIXED_VELOCITY, parse_curve, velocity_table
from tests.messages import refused


@pytest.mark.parametrize("curve", ["linear", "soft", "hard", "fixed", 0.3, "2.5"])
def test_every_curve_rises_within_midi_and_keeps_note_offs(curve: str | float) -> None:
    velocities = velocity_table(curve)
    assert len(velocities) == 128
    assert velocities[0] == 0
    assert list(velocities[1:]) == sorted(velocities[1:])
    assert min(velocities[1:]) >= 1
    assert max(velocities) == (FIXED_VELOCITY if curve == "fixed" else 127)


def test_soft_is_below_linear_and_hard_above() -> None:
    middles = [velocity_table(curve)[64] for curve in ("soft", "linear", "hard")]
    assert middles[1] == 64
    assert middles == sorted(set(middles))


@pytest.mark.parametrize("curve", ["louder", "", "nan", 0.0, 11, -1.0, True])
def test_unknown_curve(curve: str | float) -> None:
    with refused(ConfigError, "linear, soft, hard, fixed", "0.1"):
        parse_curve(curve)
