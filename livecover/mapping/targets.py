"""What a controller can drive: settings with their ranges, and deeds such as panic.

Values of MIDI go from 0 to 127. Not here: which controller (``livecover.mapping.sources``).
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.core.errors import ConfigError
from engine.core.settings import PARTS_PLAYED, PEDALS
from engine.core.velocity import GAMMAS
from engine.cover.style import INTENSITIES

CENTRE, TOP = 64, 127
EQUAL = 1e-6


@dataclass(frozen=True, slots=True)
class Range:
    """A number: ``low`` at 0, ``middle`` at 64, ``high`` at 127, in straight lines between.

    As MIDI 2.0 scales values, the middle of a fader is the middle of what it drives (M2-115-U,
    Min-Center-Max). ``limits`` is what the setting may be at all.
    """

    low: float
    middle: float
    high: float
    limits: tuple[float, float]
    is_whole: bool = False
    names: Mapping[str, float] | None = None
    """What texts mean the same as numbers."""

    def scale(self, value: int) -> float | int:
        """Return the number at ``value``."""
        if value <= CENTRE:
            number = self.low + (self.middle - self.low) * value / CENTRE
        else:
            number = self.middle + (self.high - self.middle) * (value - CENTRE) / (TOP - CENTRE)
        return round(number) if self.is_whole else round(number, 4)

    def unscale(self, setting: object) -> int | None:
        """Return the value nearest to a number; None where it is none."""
        number = self.number(setting)
        if number is None:
            return None
        return min(range(TOP + 1), key=lambda value: abs(self.scale(value) - number))

    def number(self, setting: object) -> float | None:
        """Return the number that a setting is, None where it is none, such as a style's 24."""
        if isinstance(setting, str):
            return (self.names or {}).get(setting)
        if isinstance(setting, int | float) and not isinstance(setting, bool):
            return float(setting)
        return None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several texts, each an equal part of the way."""

    texts: tuple[str, ...]

    def scale(self, value: int) -> str:
        """Return the text at ``value``."""
        return self.texts[value * len(self.texts) // (TOP + 1)]

    def unscale(self, setting: object) -> int | None:
        """Return a value of a text; None where it is none of them."""
        if setting not in self.texts:
            return None
        return round(self.texts.index(str(setting)) * TOP / (len(self.texts) - 1))


SWITCH = Choice(("off", "on"))
"""True from 64 on; ``Target`` makes bools of it."""

_INTENSITY = {name: k / (len(INTENSITIES) - 1) for k, name in enumerate(INTENSITIES)}

SETTINGS: dict[str, Range | Choice] = {
    "model.style": Range(0.0, 0.5, 1.0, (0.0, 1.0), names=_INTENSITY),
    "decoder.density": Range(0.1, 1.0, 4.0, (0.1, 4.0)),
    "decoder.polyphony": Range(1, 16, 88, (1, 88), True),
    "play.parts": Choice(PARTS_PLAYED),
    "play.hands": SWITCH,
    "play.hand_span": Range(7, 14, 24, (7, 24), True),
    "play.pedal": Choice(PEDALS),
    "play.mute": SWITCH,
    "play.hold": SWITCH,
    "midi.transpose": Range(-12, 0, 12, (-48, 48), True),
    "midi.octave": Range(-2, 0, 2, (-4, 4), True),
    "midi.velocity_curve": Range(0.4, 1.0, 2.5, (0.1, 10.0), names=GAMMAS),
}
"""Settings that are heard at once and open nothing; the middle is the default."""

STATES = ("record", "play")
"""What is on or off, and no setting: a take is recorded; something plays."""
PANIC, PRESETS = "panic", "presets"
TARGETS = (*SETTINGS, *STATES, PANIC, PRESETS)


@dataclass(frozen=True, slots=True)
class Target:
    """What is driven, and how."""

    name: str
    """A setting's ``section.key``, one of STATES, PANIC or PRESETS."""
    scale: Range | Choice | None = None
    """None where there is nothing between pressed and not."""
    value: Any = None
    """What a press sets; None where it toggles, or goes on to the next text."""
    is_toggle: bool = False
    """Whether a controller counts as a button."""

    def from_value(self, value: int) -> Any:
        """Return the setting, or the state, at ``value``."""
        assert self.scale is not None
        setting = self.scale.scale(value)
        return setting == "on" if self.scale is SWITCH else setting

    def to_value(self, setting: object) -> int | None:
        """Return the value that shows a setting, or a state; None where none does."""
        if self.value is not None:
            return TOP if is_same(self.scale, setting, self.value) else 0
        if self.scale is SWITCH:
            return TOP if setting else 0
        return None if self.scale is None else self.scale.unscale(setting)

    def pressed(self, setting: object) -> Any:
        """Return what a press makes of the setting."""
        if self.value is not None:
            return self.value
        if self.scale is SWITCH:
            return not setting
        assert isinstance(self.scale, Choice)
        texts = self.scale.texts
        at = texts.index(str(setting)) if setting in texts else -1
        return texts[(at + 1) % len(texts)]


def is_same(scale: Range | Choice | None, one: object, other: object) -> bool:
    """Return whether two settings are the same: a style by name or by number is."""
    if isinstance(scale, Range):
        a, b = scale.number(one), scale.number(other)
        if a is not None and b is not None:
            return abs(a - b) < EQUAL
    return one == other


def check_target(name: str) -> None:
    """Raise ConfigError unless a controller can drive ``name``, and say what it can."""
    if name not in TARGETS:
        near = difflib.get_close_matches(name, TARGETS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(TARGETS)}"
        raise ConfigError(f"no controller can drive {name!r}; {hint}")
