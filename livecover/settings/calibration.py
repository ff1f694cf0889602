"""Section ``calibration``: how late each output and port is heard."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.core import checks

LIMITS = (-0.2, 2.0)
"""Seconds, of a way out."""


@dataclass(frozen=True, slots=True)
class CalibrationSettings:
    """Section ``calibration``: what ``livecover calibrate`` has measured, and a nudge beside it."""

    nudge: float = 0.0
    """Seconds by which everything is heard later than was measured; less than 0: earlier."""
    outputs: Mapping[str, float] = field(default_factory=dict)
    """Of each output and MIDI port: seconds from when it says, or has a note, until it is heard."""

    def __post_init__(self) -> None:
        checks.number("calibration.nudge", self.nudge, -0.5, 0.5, " s")
        for name, seconds in self.outputs.items():
            checks.number(f'calibration.outputs."{name}"', seconds, *LIMITS, " s")

    def way_out(self, output: str) -> float:
        """Return the seconds of an output or a port by its name."""
        return self.outputs.get(output, 0.0) + self.nudge
