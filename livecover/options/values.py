"""Adding options, and the converters of their values (argparse shows their names in errors)."""

import argparse
from collections.abc import Callable
from typing import Any

from engine.core.typed_values import AUTO


def seconds(text: str) -> float | None:
    """Return seconds from ``0.25``, ``250ms`` or ``auto``.

    >>> seconds("0.25"), seconds("250 ms"), seconds("auto")
    (0.25, 0.25, None)
    """
    if text == AUTO:
        return None
    is_ms = text.endswith("ms")
    number = float(text.removesuffix("ms"))
    return number / 1000 if is_ms else number


def number_or_text(text: str) -> str | float:
    """Return the number in ``text``, else the text: the name of a style or a curve."""
    try:
        return float(text)
    except ValueError:
        return text


def channel(text: str) -> int | None:
    """Return the channel in ``text``, None for ``auto``."""
    return None if text == AUTO else int(text)


def program(text: str) -> int | None:
    """Return the program or bank number in ``text``, None for ``auto``."""
    return None if text == AUTO else int(text)


def channels(text: str) -> tuple[int, ...] | None:
    """Return the channels in ``3,4``, None for ``auto``."""
    return None if text == AUTO else tuple(int(part) for part in text.split(","))


def hertz(text: str) -> float | None:
    """Return hertz, None for ``auto``."""
    return None if text == AUTO else float(text)


def bpm(text: str) -> float | None:
    """Return beats a minute, None for ``auto``."""
    return None if text == AUTO else float(text)


# argparse shows these names: invalid time value: 'soon'.
seconds.__name__, channel.__name__, hertz.__name__ = "time", "channel", "tuning"
program.__name__ = "number"
bpm.__name__, channels.__name__ = "tempo", "channels"


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
    group.add_argument(option, dest=dest, metavar=metavar, type=convert, help=text)
