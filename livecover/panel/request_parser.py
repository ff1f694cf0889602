"""From the text of a page's message to a request, every value checked.

Not here: what messages there are, and their limits (``livecover.panel.requests``).
"""

import base64
import binascii
import json
import math
from typing import Any, NoReturn

from engine.core.errors import ConfigError
from engine.core.song_place import SONG_ACTIONS, SongCommand
from engine.core.tempo import CORRECTIONS
from livecover.mapping.targets import PROGRAMS, TARGETS
from livecover.panel.requests import (
    ACTIONS,
    KEYED,
    MAX_DRAWN,
    MAX_MESSAGE,
    MAX_NAME,
    MAX_STYLE_FILE,
    NAMED,
    SETTABLE,
    SNAPSHOTS,
    Change,
    CorrectBeat,
    Do,
    Drawn,
    Ping,
    Request,
    Save,
    StyleFile,
)


def parse(text: str) -> Request:
    """Return the request in a page's message.

    Raises
    ------
    ConfigError
        Not JSON, an unknown type, an extra or a missing key, a value of a wrong type or size.
    """
    message = _object(text)
    kind = message.pop("type", None)
    if kind != "style_file" and len(text) > MAX_MESSAGE:
        raise ConfigError(f"expected at most {MAX_MESSAGE} characters, got {len(text)}")
    match kind:
        case "change":
            return Change(_values(*_only(message, "values")))
        case "do":
            return _do(message)
        case "beat":
            return _correct_beat(*_only(message, "correction", "at"))
        case "song":
            return _song(*_only(message, "action", "start", "end"))
        case "save":
            (shown,) = _only(message, "id")
            return Save(_cut(shown))
        case "style_file":
            return _style_file(*_only(message, "name", "data"))
        case "ping":
            (number,) = _only(message, "id")
            if not isinstance(number, int) or isinstance(number, bool) or abs(number) > 2**53:
                raise ConfigError(f"id must be a whole number, not {_cut(number)}")
            return Ping(number)
        case "drawn":
            return Drawn(_drawn(*_only(message, "notes")))
    raise ConfigError(f"unknown type of message {_cut(kind)}")


def _object(text: str) -> dict[str, Any]:
    """Return the JSON object in ``text``, without NaN or infinity."""
    try:
        message = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ConfigError("a message must be a JSON object") from error
    if not isinstance(message, dict):
        raise ConfigError("a message must be a JSON object")
    return message


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _only(message: dict[str, Any], *keys: str) -> list[Any]:
    """Return the values of ``keys``; no other key may be there."""
    if set(message) != set(keys):
        raise ConfigError(
            f"this message must have {' and '.join(keys)}, not {_cut(', '.join(sorted(message)))}"
        )
    return [message[key] for key in keys]


def _do(message: dict[str, Any]) -> Do:
    action = message.get("action")
    if action not in ACTIONS:
        raise ConfigError(f"action must be one of {', '.join(ACTIONS)}, not {_cut(action)}")
    if action not in KEYED:
        _only(message, "action")
        return Do(str(action))
    _, key = _only(message, "action", "key")
    if action in NAMED:
        if not isinstance(key, str) or not 0 < len(key) <= MAX_NAME:
            raise ConfigError(f"a name has 1 to {MAX_NAME} letters, not {_cut(key)}")
        return Do(str(action), key)
    if action == "scene_programs":
        if key not in PROGRAMS:
            raise ConfigError(f"programs recall {' or '.join(PROGRAMS)}, not {_cut(key)}")
        return Do(str(action), str(key))
    if action == "snapshot" and key not in SNAPSHOTS:
        raise ConfigError(f"a snapshot is {' or '.join(SNAPSHOTS)}, not {_cut(key)}")
    if action != "snapshot" and key not in TARGETS:
        raise ConfigError(f"no controller can control {_cut(key)}")
    return Do(str(action), str(key))


def _correct_beat(correction: Any, at: Any) -> CorrectBeat:
    if correction not in CORRECTIONS:
        known = ", ".join(CORRECTIONS)
        raise ConfigError(f"correction must be one of {known}, not {_cut(correction)}")
    if at is not None and not _is_number(at):
        raise ConfigError(f"at must be a number or null, not {_cut(at)}")
    return CorrectBeat(correction, None if at is None else float(at))


def _song(action: Any, start: Any, end: Any) -> SongCommand:
    if action not in SONG_ACTIONS:
        raise ConfigError(f"action must be one of {', '.join(SONG_ACTIONS)}, not {_cut(action)}")
    if not _is_number(start) or not _is_number(end):
        raise ConfigError("start and end must be numbers, seconds of the song")
    return SongCommand(action, float(start), float(end))


def _values(values: Any) -> dict[str, object]:
    if not isinstance(values, dict) or not values:
        raise ConfigError('values must be an object as {"section.key": value}')
    for key, value in values.items():
        if key not in SETTABLE:
            raise ConfigError(f"the panel may not change {_cut(key)}")
        items = value if isinstance(value, list) else [value]
        if len(items) > 32 or not all(_is_plain(item) for item in items):
            raise ConfigError(f"{key} must be text, a number, true, false, null or a short list")
    return values


def _is_plain(value: object) -> bool:
    """True for null, a flag, a finite number, or a short text."""
    if isinstance(value, str):
        return len(value) <= 512
    return value is None or isinstance(value, bool) or _is_number(value)


def _is_number(value: object) -> bool:
    """True for a finite number that a float can hold."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < 1e15 and math.isfinite(value)


def _style_file(name: Any, data: Any) -> StyleFile:
    if not isinstance(name, str) or not isinstance(data, str):
        raise ConfigError("style_file must have name and data (base64), both text")
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigError("data must be a MIDI file in base64") from error
    if len(content) > MAX_STYLE_FILE:
        raise ConfigError(
            f"a file for a style may have {MAX_STYLE_FILE // 1024} kB,"
            f" not {math.ceil(len(content) / 1024)}"
        )
    return StyleFile(_cut(name), content)


def _drawn(notes: Any) -> tuple[tuple[float, int, float], ...]:
    is_list = isinstance(notes, list) and len(notes) <= MAX_DRAWN
    if not is_list or not all(
        isinstance(note, list) and len(note) == 3 and all(map(_is_number, note)) for note in notes
    ):
        raise ConfigError(f"notes must be at most {MAX_DRAWN} lists of due, pitch, at")
    return tuple((float(due), int(pitch), float(at)) for due, pitch, at in notes)


def _cut(value: object) -> str:
    """Return ``value`` as short text of one line."""
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
