"""Section ``tui``: the terminal view. Not here: the view."""

import math
from dataclasses import dataclass

from engine.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TuiSettings:
    """Section ``tui``: the view in the terminal."""

    enabled: bool = False
    """True: the terminal shows notes, meters and keys while livecover plays."""
    seconds: float = 6.0
    """How much of the past the roll shows."""

    def __post_init__(self) -> None:
        if not isinstance(self.enabled, bool):
            raise ConfigError(f"tui.enabled must be true or false, not {self.enabled!r}")
        given: object = self.seconds
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if not is_number or not math.isfinite(self.seconds) or not 1.0 <= self.seconds <= 60.0:
            raise ConfigError(f"tui.seconds must be a number from 1 to 60 s, not {given!r}")
