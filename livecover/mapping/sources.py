"""What a controller can move, as ``config.toml`` writes it: ``cc 1``, ``note 36``, ``program``.

Not here: what it does then (``livecover.mapping.targets``).
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
"""Controllers that feet work, which say down and up (MIDI 1.0)."""


@dataclass(frozen=True, slots=True)
class Source:
    """A controller, key or program number; ``number`` None is every program number."""

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
        """Whether it says down and up, by the standard's own list."""
        return self.kind == "cc" and self.number in _PEDALS

    def names(self) -> tuple["Source", ...]:
        """Return all that this one answers to, the closest first.

        >>> [str(source) for source in Source("program", 3, 1).names()]
        ['ch 1 program 3', 'program 3', 'ch 1 program', 'program']
        """
        found = [self, replace(self, channel=None)]
        if self.kind == "program":
            found += [replace(source, number=None) for source in tuple(found)]
        return tuple(found)

    def message(self, value: int, channel: int) -> tuple[int, int, int] | None:
        """Return the message that shows ``value`` at it; None where it shows nothing.

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
        f"control.map has a controller {text!r}; expected cc 0 to cc 127, note 0 to note 127,"
        " program 0 to program 127, or program, and before it ch 1 to ch 16 where only that"
        " channel is meant"
    )


def heard(message: Sequence[int]) -> tuple[Source, int] | None:
    """Return what moved, with its channel, and its value from 0 to 127; None for all else.

    A key that is let go, or a controller at 0, has the value 0; a program's is its number.

    >>> source, value = heard((0x81, 36, 64))
    >>> str(source), value
    ('ch 2 note 36', 0)
    """
    if len(message) < 2:
        return None
    kind, channel, number = message[0] & 0xF0, (message[0] & 0x0F) + 1, message[1]
    match kind:
        case 0xC0:
            return Source("program", number, channel), number
        case 0xB0 if len(message) > 2 and number < 120:  # above: All Notes Off and its like
            return Source("cc", number, channel), message[2]
        case 0x90 if len(message) > 2:
            return Source("note", number, channel), message[2]
        case 0x80:
            return Source("note", number, channel), 0
    return None


def is_move(source: Source, value: int) -> bool:
    """Return whether what was heard may be learned: a key that is let go is none."""
    return source.kind != "note" or value > 0


def named(source: Source, channel: int | None) -> Source:
    """Return a source as a map names it: without its channel where only that one is heard."""
    return source if channel is None else replace(source, channel=None)
