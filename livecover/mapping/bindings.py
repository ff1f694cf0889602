"""The mapping ``[control.map]``: lines such as ``"cc 1" = "model.style"``, parsed and checked.

Settings hold the lines as text.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.core.errors import ConfigError
from livecover.mapping.sources import Source, parse_source
from livecover.mapping.targets import (
    COMMANDS,
    PROGRAMS,
    SETTINGS,
    STATES,
    SWITCH,
    Choice,
    Range,
    Target,
    check_target,
)

NONE = "none"
"""The target of a controller that controls nothing."""
TOGGLE = "toggle"
_FLAGS = {"on": True, "off": False, "true": True, "false": False}

FORMS = (
    "KEY (the controller covers its range; a button toggles it or takes the next), KEY LOW to HIGH,"
    " KEY VALUE (a button sets it), KEY toggle (for a controller that is a button)"
)


@dataclass(frozen=True, slots=True)
class Binding:
    """One line of the mapping: a controller and what it controls."""

    source: Source
    target: Target

    @property
    def is_pressed(self) -> bool:
        """Whether it acts as a button: only the press counts, not the value."""
        target = self.target
        return self.source.is_button or target.is_toggle or target.value is not None


Bindings = dict[Source, Binding]


def parse_map(texts: Mapping[str, str]) -> Bindings:
    """Return the bindings of a mapping, without lines of ``none``. Raises ConfigError."""
    found: Bindings = {}
    for source_text, target_text in texts.items():
        source = parse_source(source_text)
        if target_text.strip() != NONE:
            found[source] = _bind(source, target_text)
    return found


def merge_maps(before: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return ``before`` with the lines of ``given``; a line of ``none`` removes one.

    >>> merge_maps({"cc 1": "model.style", "cc 2": "play.hold"}, {"CC 1": "panic", "cc 2": "none"})
    {'cc 1': 'panic'}
    """
    lines = {str(parse_source(source)): target for source, target in before.items()}
    lines |= {
        str(parse_source(source)): " ".join(target.split()) for source, target in given.items()
    }
    return {source: target for source, target in lines.items() if target != NONE}


def find_binding(bindings: Bindings, source: Source) -> Binding | None:
    """Return the binding of a source; one of its own channel and number comes first."""
    return next((bindings[name] for name in source.names() if name in bindings), None)


def lines_to_learn(texts: Mapping[str, str], name: str, source: Source) -> dict[str, str]:
    """Return the lines that map ``name`` to ``source`` alone: its own, and ``none`` for others.

    Raises ConfigError where this source cannot control it.
    """
    target = name
    is_switch = name in STATES or SETTINGS.get(name) is SWITCH
    if source.kind == "cc" and is_switch and not source.is_pedal:
        target = f"{name} {TOGGLE}"  # most buttons send 127 when pressed and 0 when released
    if name in PROGRAMS:
        source = replace(source, number=None)
    _bind(source, target)
    others = {key: NONE for key, text in texts.items() if text.split()[0] == name}
    return {**others, str(source): target}


def _bind(source: Source, text: str) -> Binding:
    """Return one line. Raises ConfigError."""
    try:
        return Binding(source, _target(source, text))
    except ConfigError as error:
        raise ConfigError(f'control.map: "{source}" = "{text}": {error}') from error


def _target(source: Source, text: str) -> Target:
    name, *words = text.split() or [""]
    check_target(name)
    if (name in PROGRAMS) != (source.kind == "program" and source.number is None):
        known = " or ".join(PROGRAMS)
        raise ConfigError(f"{known} goes with program, and program with {known}")
    if name in (*COMMANDS, *PROGRAMS):
        if words:
            raise ConfigError(f"expected nothing after {name}, got {' '.join(words)}")
        return Target(name)
    scale = SWITCH if name in STATES else SETTINGS[name]
    match words:
        case []:
            if source.is_button and isinstance(scale, Range):
                raise ConfigError(f"a button needs a value to set, such as {name} {scale.high:g}")
            return Target(name, scale)
        case [str(word)] if word == TOGGLE and isinstance(scale, Choice):
            return Target(name, scale, is_toggle=True)
        case [str(word)]:
            return Target(name, scale, _value(scale, word))
        case [str(low), "to", str(high)] if isinstance(scale, Range) and not source.is_button:
            return Target(name, _between(scale, _number(scale, low), _number(scale, high)))
    raise ConfigError(f"expected one of: {FORMS}")


def _between(scale: Range, low: float, high: float) -> Range:
    if low == high:
        raise ConfigError(f"expected two different ends of a range, got {low:g} twice")
    return replace(scale, low=low, middle=(low + high) / 2, high=high)


def _number(scale: Range, word: str) -> float:
    """Return the number in ``word``. Raises ConfigError outside the setting's limits."""
    low, high = scale.limits
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    is_right = low <= number <= high and (not scale.is_whole or number == round(number))
    if not is_right:
        kind = "whole number" if scale.is_whole else "number"
        raise ConfigError(f"expected a {kind} from {low:g} to {high:g}, not {word}")
    return number


def _value(scale: Range | Choice, word: str) -> object:
    """Return the value in ``word``. Raises ConfigError."""
    if scale is SWITCH:
        if word.lower() not in _FLAGS:
            raise ConfigError(f"expected on or off, not {word}")
        return _FLAGS[word.lower()]
    if isinstance(scale, Choice):
        if word not in scale.texts:
            raise ConfigError(f"expected one of {', '.join(scale.texts)}, not {word}")
        return word
    if word in (scale.names or {}):
        return word
    number = _number(scale, word)
    return round(number) if scale.is_whole else number
