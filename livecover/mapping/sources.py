"""Controllers, keys and program numbers, as ``config.toml`` names them: ``cc 1``, ``note 36``.

Not here: what they control (``livecover.mapping.targets``).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.core.errors import ConfigError

Kind = Literal["cc", "note", "program"]

_FORM = re.compile(r"(?:ch (\d+) )?(?:(cc|note|program) (\d+)|(program))")
_STATUS: dict[Kind, int] = {"cc": 0xB0, "note": 0x90, "program": 0xC0}
_PEDALS = range(64, 70)
"""Pedals, which send both press and release (MIDI 1.0)."""


@dataclass(frozen=True, slots=True)
class Source:
    """A controller, a key or a program number; ``number`` None is any program number."""

    kind: Kind
    number: int | None
    channel: int | None = None
    """1 to 16; None is any."""

    def __str__(self) -> str:
        words = [] if self.channel is None else [f"ch {self.channel}"]
        words += [self.kind] if self.number is None else [f"{self.kind} {self.number}"]
        return " ".join(words)

    @property
    def is_button(self) -> bool:
        """Whether it is pressed rather than moved."""
        return self.kind != "cc"

    @property
    def is_pedal(self) -> bool:
        """Whether it is a pedal, which sends both press and release."""
        return self.kind == "cc" and self.number in _PEDALS

    def names(self) -> tuple["Source", ...]:
        """Return all names that this source has in a mapping, the most specific first.

        >>> [str(source) for source in Source("program", 3, 1).names()]
        ['ch 1 program 3', 'program 3', 'ch 1 program', 'program']
        """
        found = [self, replace(self, channel=None)]
        if self.kind == "program":
            found += [replace(source, number=None) for source in tuple(found)]
        return tuple(found)

    def message(self, value: int, channel: int) -> tuple[int, int, int] | None:
        """Return the message that shows ``value`` on the controller; None for a program number.

        >>> Source("note", 36).message(127, 2)
        (145, 36, 127)
        """
        if self.kind == "program" or self.number is None:
            return None
        return _STATUS[self.kind] | ((self.channel or channel) - 1), self.number, value


def parse_source(text: str) -> Source:
    """Return the source that ``text`` names. Raises ConfigError.

    >>> str(parse_source(" ch 2  CC 7"))
    'ch 2 cc 7'
    """
    found = _FORM.fullmatch(" ".join(text.lower().split()))
    if found is not None:
        channel = None if found[1] is None else int(found[1])
        number = None if found[3] is None else int(found[3])
        if (channel is None or 1 <= channel <= 16) and (number is None or number <= 127):
            kind: Kind = "cc" if found[2] == "cc" else "note" if found[2] == "note" else "program"
            return Source(kind, number, channel)
    raise ConfigError(
        f"control.map: expected cc 0 to cc 127, note 0 to note 127, program 0 to program 127, or"
        f" program, with ch 1 to ch 16 before it for one channel alone, got {text!r}"
    )


def parse_message(message: Sequence[int]) -> tuple[Source, int] | None:
    """Return the source of a MIDI message, with its channel, and its value 0 to 127; else None.

    A released key has the value 0; a program change has its number.

    >>> source, value = parse_message((0x81, 36, 64))
    >>> str(source), value
    ('ch 2 note 36', 0)
    """
    if len(message) < 2:
        return None
    kind, channel, number = message[0] & 0xF0, (message[0] & 0x0F) + 1, message[1]
    match kind:
        case 0xC0:
            return Source("program", number, channel), number
        case 0xB0 if len(message) > 2 and number < 120:  # above: channel mode messages
            return Source("cc", number, channel), message[2]
        case 0x90 if len(message) > 2:
            return Source("note", number, channel), message[2]
        case 0x80:
            return Source("note", number, channel), 0
    return None


def is_learnable(source: Source, value: int) -> bool:
    """Return whether MIDI learn takes this message; it ignores the release of a key."""
    return source.kind != "note" or value > 0


def without_known_channel(source: Source, channel: int | None) -> Source:
    """Return a source without its channel where livecover listens on one channel only."""
    return source if channel is None else replace(source, channel=None)
