"""Adding options, and the converters of their values; argparse shows what those say."""

import argparse
from collections.abc import Callable
from typing import Any, TypeVar

from engine.core.typed_values import AUTO

T = TypeVar("T")


def _expecting(expected: str, convert: Callable[[str], T]) -> Callable[[str], T]:
    """Return a converter that says what is ``expected`` where ``convert`` raises ValueError."""

    def value(text: str) -> T:
        try:
            return convert(text)
        except ValueError:
            message = f"expected {expected}; got {text!r}"
            raise argparse.ArgumentTypeError(message) from None

    return value


def _or_auto(expected: str, convert: Callable[[str], T]) -> Callable[[str], T | None]:
    """Return a converter of ``auto`` to None, and of other text by ``convert``."""
    return _expecting(
        f"{expected}, or {AUTO}", lambda text: None if text == AUTO else convert(text)
    )


def _seconds(text: str) -> float:
    """Return seconds from ``0.25``, ``0.25s`` or ``250ms``.

    >>> _seconds("0.25"), _seconds("0.25 s"), _seconds("250 ms")
    (0.25, 0.25, 0.25)
    """
    is_ms = text.endswith("ms")
    number = float(text.removesuffix("ms").removesuffix("s"))
    return number / 1000 if is_ms else number


def number_or_text(text: str) -> str | float:
    """Return the number in ``text``, else the text: the name of a style or a curve."""
    try:
        return float(text)
    except ValueError:
        return text


seconds = _or_auto("a time, such as 250ms or 0.25s", _seconds)
channel = _or_auto("a channel's number", int)
channels = _or_auto(
    "channels' numbers, such as 3,4", lambda text: tuple(int(part) for part in text.split(","))
)
program = _or_auto("a number", int)
octaves = _or_auto("a number of octaves", int)
hertz = _or_auto("hertz, such as 442", float)
bpm = _or_auto("beats a minute, such as 92", float)
_PLAIN: dict[Any, Callable[[str], Any]] = {
    int: _expecting("a whole number", int),
    float: _expecting("a number", float),
}


def add_switch(group: argparse._ArgumentGroup, option: str, dest: str, text: str) -> None:
    """Add an option that turns a setting on, and its ``--no-`` that turns it off."""
    group.add_argument(option, dest=dest, action=argparse.BooleanOptionalAction, help=text)


def add_value(
    group: argparse._ArgumentGroup,
    option: str,
    dest: str,
    metavar: str,
    text: str,
    convert: Callable[[str], Any] = str,
) -> None:
    """Add an option with a value."""
    group.add_argument(
        option, dest=dest, metavar=metavar, type=_PLAIN.get(convert, convert), help=text
    )
