"""Section ``tui``: the terminal view. Not here: the view."""

from dataclasses import dataclass

from engine.core import checks


@dataclass(frozen=True, slots=True)
class TuiSettings:
    """Section ``tui``: the view in the terminal."""

    enabled: bool = False
    """True: the terminal shows notes, meters and keys while livecover plays."""
    seconds: float = 6.0
    """How much of the past the roll shows."""

    def __post_init__(self) -> None:
        checks.flag("tui.enabled", self.enabled)
        checks.number("tui.seconds", self.seconds, 1.0, 60.0, " s")
