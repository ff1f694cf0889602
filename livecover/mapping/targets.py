"""What a controller can control: settings with their ranges, and commands such as panic.

MIDI values are 0 to 127. Not here: the controllers (``livecover.mapping.sources``).
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.core.errors import ConfigError
from engine.core.settings import MODES, PARTS_PLAYED, PEDALS, RHYTHMS
from engine.core.tempo import CORRECTIONS
from engine.core.velocity import GAMMAS
from engine.cover.style import INTENSITIES

CENTRE, TOP = 64, 127
EQUAL = 1e-6


@dataclass(frozen=True, slots=True)
class Range:
    """A number: ``low`` at 0, ``middle`` at 64, ``high`` at 127, linear between.

    As MIDI 2.0 scales values (M2-115-U, Min-Center-Max), so that the middle of a fader is the
    middle of the range. ``limits`` are the setting's own.
    """

    low: float
    middle: float
    high: float
    limits: tuple[float, float]
    is_whole: bool = False
    names: Mapping[str, float] | None = None
    """Names for some numbers."""

    def scale(self, value: int) -> float | int:
        """Return the number at ``value``."""
        if value <= CENTRE:
            number = self.low + (self.middle - self.low) * value / CENTRE
        else:
            number = self.middle + (self.high - self.middle) * (value - CENTRE) / (TOP - CENTRE)
        return round(number) if self.is_whole else round(number, 4)

    def unscale(self, setting: object) -> int | None:
        """Return the MIDI value nearest to a setting; None if it is not a number."""
        number = self.number(setting)
        if number is None:
            return None
        return min(range(TOP + 1), key=lambda value: abs(self.scale(value) - number))

    def number(self, setting: object) -> float | None:
        """Return the number of a setting; None for one without, such as a style of 24 numbers."""
        if isinstance(setting, str):
            return (self.names or {}).get(setting)
        if isinstance(setting, int | float) and not isinstance(setting, bool):
            return float(setting)
        return None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several texts, each an equal part of the range."""

    texts: tuple[str, ...]

    def scale(self, value: int) -> str:
        """Return the text at ``value``."""
        return self.texts[value * len(self.texts) // (TOP + 1)]

    def unscale(self, setting: object) -> int | None:
        """Return a MIDI value for a text; None if it is none of them."""
        if setting not in self.texts:
            return None
        return round(self.texts.index(str(setting)) * TOP / (len(self.texts) - 1))


SWITCH = Choice(("off", "on"))
"""On from 64; ``Target`` converts it to a bool."""

_INTENSITY = {name: k / (len(INTENSITIES) - 1) for k, name in enumerate(INTENSITIES)}

SETTINGS: dict[str, Range | Choice] = {
    "model.style": Range(0.0, 0.5, 1.0, (0.0, 1.0), names=_INTENSITY),
    "model.centre": Range(0.0, 0.7, 1.0, (0.0, 1.0)),
    "decoder.density": Range(0.1, 1.0, 4.0, (0.1, 4.0)),
    "decoder.polyphony": Range(1, 16, 88, (1, 88), True),
    "play.mode": Choice(MODES),
    "play.rhythm": Choice(RHYTHMS),
    "play.parts": Choice(PARTS_PLAYED),
    "play.hands": SWITCH,
    "play.hand_span": Range(7, 14, 24, (7, 24), True),
    "play.pedal": Choice(PEDALS),
    "play.mute": SWITCH,
    "play.hold": SWITCH,
    "midi.transpose": Range(-12, 0, 12, (-48, 48), True),
    "midi.octave": Range(-2, 0, 2, (-4, 4), True),
    "midi.velocity_curve": Range(0.4, 1.0, 2.5, (0.1, 10.0), names=GAMMAS),
    "beat.offset": Range(-0.1, 0.0, 0.1, (-0.5, 0.5)),
}
"""Settings that change while it plays, without another input, model or port; the middle is the
default."""

STATES = ("record", "play")
"""States that are not settings: a take is being recorded; livecover plays."""
PANIC, PRESETS, SCENES = "panic", "presets", "scenes"
PROGRAMS = (PRESETS, SCENES)
"""What any program number recalls: a preset of the style, or a scene."""
COMMANDS = (PANIC, *CORRECTIONS)
"""What a press does, without a state: panic, and corrections of the beat."""
TARGETS = (*SETTINGS, *STATES, *COMMANDS, *PROGRAMS)


@dataclass(frozen=True, slots=True)
class Target:
    """What a controller controls, and how."""

    name: str
    """A setting's ``section.key``, one of STATES, COMMANDS or PROGRAMS."""
    scale: Range | Choice | None = None
    """None for a command, which has no value."""
    value: Any = None
    """What a press sets; None if it toggles or takes the next text."""
    is_toggle: bool = False
    """Whether a controller acts as a button."""

    def from_value(self, value: int) -> Any:
        """Return the setting or the state at a MIDI value."""
        assert self.scale is not None
        setting = self.scale.scale(value)
        return setting == "on" if self.scale is SWITCH else setting

    def to_value(self, setting: object) -> int | None:
        """Return the MIDI value of a setting or a state; None if there is none."""
        if self.value is not None:
            return TOP if is_same(self.scale, setting, self.value) else 0
        if self.scale is SWITCH:
            return TOP if setting else 0
        return None if self.scale is None else self.scale.unscale(setting)

    def pressed(self, setting: object) -> Any:
        """Return the setting after a press."""
        if self.value is not None:
            return self.value
        if self.scale is SWITCH:
            return not setting
        assert isinstance(self.scale, Choice)
        texts = self.scale.texts
        at = texts.index(str(setting)) if setting in texts else -1
        return texts[(at + 1) % len(texts)]


def is_same(scale: Range | Choice | None, one: object, other: object) -> bool:
    """Return whether two settings are equal; a style by name equals its number."""
    if isinstance(scale, Range):
        a, b = scale.number(one), scale.number(other)
        if a is not None and b is not None:
            return abs(a - b) < EQUAL
    return one == other


def check_target(name: str) -> None:
    """Raise ConfigError, with what is possible, unless a controller can control ``name``."""
    if name not in TARGETS:
        near = difflib.get_close_matches(name, TARGETS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(TARGETS)}"
        raise ConfigError(f"expected a setting that a controller can control, got {name!r}; {hint}")
