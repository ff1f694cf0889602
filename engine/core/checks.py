"""Checks on settings: each raises ConfigError that names the setting, as `section.key`."""

import math
from collections.abc import Sequence

from engine.core.errors import ConfigError


def number(name: str, value: object, low: float, high: float, unit: str = "") -> None:
    """Raise ConfigError unless ``value`` is a finite number in [low, high]."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:  # type: ignore[arg-type, operator]
        raise ConfigError(f"{name} must be a number from {low:g} to {high:g}{unit}, not {value!r}")


def integer(name: str, value: object, low: int, high: int, unit: str = "") -> None:
    """Raise ConfigError unless ``value`` is an int in [low, high]."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(
            f"{name} must be a whole number from {low} to {high}{unit}, not {value!r}"
        )


def text(name: str, value: object) -> None:
    """Raise ConfigError unless ``value`` is text with something in it, and no NUL."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{name} must be text that is not empty, not {value!r}")
    if "\0" in value:  # ends a name for the system, and not for Python
        raise ConfigError(f"{name} must be text without a NUL character, not {value!r}")


def choice(name: str, value: object, known: Sequence[str], or_auto: bool = False) -> None:
    """Raise ConfigError unless ``value`` is one of ``known``; ``auto`` may be None already."""
    if value not in known:
        named = ", ".join(["auto", *known] if or_auto else known)
        raise ConfigError(f"{name} must be one of {named}, not {value!r}")


def flag(name: str, value: object) -> None:
    """Raise ConfigError unless ``value`` is true or false."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be true or false, not {value!r}")
