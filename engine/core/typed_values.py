"""Values as TOML gives them, checked against the types of a dataclass's fields.

TOML has no null, so a value that may be None is written ``"auto"``. Not here: which settings there
are (``engine.core.settings``, ``livecover.settings``, ``offline_train.training.settings``).
"""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from engine.core.errors import ConfigError

AUTO = "auto"
MAX_BYTES = 1024 * 1024
"""Of a settings file."""
MAX_WHOLE = 2**63
"""TOML's whole numbers lie below it; Python reads larger ones, which nothing else can hold."""
MAX_SAID = 80
"""Characters of a wrong value that a message shows."""

_TYPE_NAMES: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    NoneType: f'"{AUTO}"',
    tuple[str, ...]: "a list of texts",
    tuple[int, ...]: "a list of whole numbers",
    tuple[float, ...]: "a list of numbers",
    tuple[Path, ...]: "a list of paths",
    Mapping[str, str]: "a table of texts",
    Mapping[str, float]: "a table of numbers",
}


def parse_toml(content: bytes) -> dict[str, Any]:
    """Return the tables of a file's content. Raises ConfigError if it is not TOML."""
    if len(content) > MAX_BYTES:
        raise ConfigError(f"a settings file has at most {MAX_BYTES // 1024} kB")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))  # Notepad puts a mark before it
    except UnicodeDecodeError as error:
        raise ConfigError(
            "expected TOML in UTF-8, and this is in another encoding; save it anew as UTF-8"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"expected TOML, section by section, got: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            "expected TOML, section by section, got thousands of digits, or of brackets in brackets"
        ) from error


def nearest(name: str, names: Sequence[str], form: str = "{}") -> str:
    """Return ``; did you mean ...?``, or what there is where nothing is near."""
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"; did you mean {form.format(near[0])}?"
    return f"; known: {', '.join(form.format(n) for n in names)}"


def convert(name: str, value: object, hint: Any) -> Any:
    """Return ``value`` as the type ``hint`` has it. Raises ConfigError that names both."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if NoneType in options and (value is None or value == AUTO):
        return None
    for option in options:
        if get_origin(option) is Mapping:
            kind = get_args(option)[1]
            if isinstance(value, Mapping) and all(is_a(v, kind) for v in value.values()):
                return {key: kind(v) for key, v in value.items()}
        elif get_origin(option) is Literal:
            if value in get_args(option):
                return value
        elif get_origin(option) is tuple:
            item = get_args(option)[0]
            items = value if isinstance(value, list | tuple) else [value]
            if all(is_a(v, item) for v in items):
                return tuple(map(item, items))
        elif is_a(value, option):
            return option(value)
    expected = " or ".join(map(_type_name, options))
    raise ConfigError(f"{name} must be {expected}, not {shown(value)}")


def _type_name(option: Any) -> str:
    if get_origin(option) is Literal:
        return f"one of {', '.join(get_args(option))}"
    return _TYPE_NAMES[option]


def is_a(value: object, kind: Any) -> bool:
    """True if ``value`` is of ``kind``: a whole number is a number too, a truth value is not."""
    if isinstance(value, bool):
        return kind is bool
    if isinstance(value, int) and abs(value) >= MAX_WHOLE:
        return False
    if kind is Path:
        return isinstance(value, str | Path)
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


def shown(value: object) -> str:
    """Return ``value`` as a message shows it: not long, whatever it is."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        text = "a number of thousands of digits"
    return word(text)


def word(text: str) -> str:
    """Return ``text`` as a message shows it: short, and without what moves a terminal's cursor."""
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: MAX_SAID + 1])
    return plain if len(text) <= MAX_SAID else f"{plain[:MAX_SAID]}..."
