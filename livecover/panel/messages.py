"""The words between the panel's server and its page, and the checks on what a page says.

The page lies at ``http://HOST:PORT/TOKEN/``; whatever it asks for is relative to that, the
WebSocket ``socket`` too. Times are seconds of the server's ``time.perf_counter``, so a page shifts
them by what ``ping`` tells it. Numbers are finite; a setting that is "auto" is null.

**Server to page.** Each frame is a JSON array of one or more messages, in order, at most
``TICKS`` frames a second (an answer to ``ping`` comes at once, in a frame of its own). Each message
is an object with ``type``:

``hello``
    First of all. ``version`` text; ``settings`` {section: {key: value}}, every setting;
    ``snapshot`` as in ``settings``;
    ``choices`` as in the message of that name; ``limits`` {"style_file": bytes,
    "messages_per_second": number}; ``learn`` true where controllers are heard; ``measure`` true
    where ``drawn`` is asked for.
``choices``
    After ``do refresh``. ``choices``: ``inputs`` [{"text": to show, "name": value of audio.input,
    "loopback": bool}, ...], ``ports`` [names for midi.midi_out], ``models`` [names for
    model.model], of which only these and what has been in use since the start may be chosen;
    ``styles`` [presets from calm to intense], ``curves`` [names for midi.velocity_curve];
    ``problems`` [lines: why something is missing, and what to do].
``settings``
    ``settings`` as in ``hello``, and ``snapshot``, the name of that which is played, after any
    change by anyone.
``status``
    About ``TICKS / STATUS_EVERY`` a second: ``now``; ``playing``, ``recording``, ``asleep``,
    ``connected`` bools (all false when idle); ``midi_connected`` false while a MIDI port is gone;
    ``recording_fault`` why recording has failed or what it waits for, empty where all is well;
    ``seconds`` since the start; ``peak_dbfs`` of the loudest channel (-120 to 60); ``levels``
    [[peak, held peak], ...] of each channel of the input, before they are mixed; ``n_clipped``
    samples at full scale since the start; ``load``, ``max_load`` (computing time for each second of
    audio; 1 is too much); ``a4_hz`` that the song's A is taken to have; ``n_notes``, ``n_late``,
    ``n_dropped``, ``n_overruns``, ``n_skipped_frames``, ``n_losses`` (of the input),
    ``n_midi_losses`` (of MIDI ports) since the start; ``latency`` seconds; ``budget`` [[name,
    seconds], ...], which sum to ``latency``;
    ``source``, ``sink``, ``model`` names, empty when idle; ``tempo`` beats a minute
    or null, and ``bar`` null or {"at": moment of a bar line, "seconds": from one to the next,
    "beats": in each}, as MIDI clock tells them; ``fault`` why playing ended of itself, empty if
    it did not.
``notes``
    As they are found, before they sound. ``notes`` [[due, pitch, velocity, part, hand], ...]: the
    moment at which it leaves, MIDI pitch 0 to 127, velocity 1 to 127 or 0 for the note's end,
    part 0 accompaniment or 1 melody, hand 0 left, 1 right or -1 unknown. ``pedal``
    [[due, 0 or 1], ...], the sustain pedal. ``n_lost``: notes that this page did not get, since
    it reads too slowly.
``chroma``
    ``at`` moment at the ear (due - latency of a note that is heard then); ``values`` 12 whole
    numbers 0 to 255 from C to B, the strongest 255; all 0 in silence.
``silence``
    ``at``: every note that sounds ends then, and of those told before, none that is due later is
    played (stop, panic, mute, end of song).
``lost``
    ``at``: the input is gone; ``status`` tells when it is back (``connected``).
``learn``
    ``key`` of a setting or deed, ``waiting`` true while the next controller that moves is to drive
    it, ``control`` that does now, as config.toml writes it, or null. After ``hello`` those that
    have one; then what has changed.
``unsaved``
    After ``do unsaved``: what ``save`` would write. ``path`` of the file of settings; ``lines``
    [[name, before, after], ...] as TOML has them; ``id`` text that stands for all of this.
``saved``
    ``path`` of the file of settings, after ``save``.
``error``
    ``text``, one line: something asked for was not done, and all is as it was.
``pong``
    ``id`` as in ``ping``; ``now``.

**Page to server.** Each frame is one JSON object, at most ``MAX_MESSAGE`` characters (a style file:
``MAX_STYLE_MESSAGE``), at most ``RATE`` a second after a burst of ``BURST``; more closes the
connection (code 1008), as does a larger frame (1009). What is not understood is answered by
``error``.

``change``
    ``values`` {"section.key": value}, all or none; the keys of ``SETTABLE``.
``do``
    ``action``, one of ``ACTIONS``; with ``learn`` and ``forget`` the ``key`` of what a controller
    is to drive, or no more; with ``snapshot`` the name of that which is to be played as ``key``.
    ``copy_snapshot`` lets the other one be as the one that is played.
``save``
    Write what was changed by hand. ``id`` of the ``unsaved`` that was shown: where something else
    would be written by now, nothing is.
``style_file``
    ``name`` of the file, ``data`` base64 of a MIDI file of at most ``MAX_STYLE_FILE`` bytes: its
    style becomes ``model.style``.
``ping``
    ``id`` a whole number.
``drawn``
    Only if ``hello`` asked: ``notes`` [[due, pitch, at], ...], ``at`` the moment (server's time) of
    the frame that first showed the note at the now line.

Not here: who may speak at all (``livecover.panel.security``), what is done then
(``livecover.panel.desk``).
"""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from engine.core.errors import ConfigError
from livecover.mapping.targets import TARGETS

TICKS = 25
"""Frames a second to each page, at most."""
STATUS_EVERY = 3
"""Frames from one ``status`` to the next."""

MAX_MESSAGE = 8192
MAX_STYLE_FILE = 256 * 1024
MAX_STYLE_MESSAGE = MAX_STYLE_FILE * 4 // 3 + 1024
RATE, BURST = 40.0, 80
MAX_DRAWN = 64

SETTABLE = frozenset(
    {
        "audio.input",
        "model.model",
        "model.style",
        "decoder.density",
        "decoder.polyphony",
        "midi.midi_out",
        "midi.channel",
        "midi.melody_channel",
        "midi.left_channel",
        "midi.transpose",
        "midi.octave",
        "midi.velocity_curve",
        "time.latency",
        "play.parts",
        "play.hands",
        "play.hand_span",
        "play.pedal",
        "play.mute",
        "play.hold",
    }
)
"""Settings that a page may change: none that names a file to write or to read."""

SNAPSHOTS = ("A", "B")
KEYED = ("learn", "forget", "snapshot")
"""Actions that say of what."""
ACTIONS = (
    *("start", "stop", "panic", "record", "end_record"),
    *("unsaved", "copy_snapshot", "refresh"),
    *KEYED,
)


@dataclass(frozen=True, slots=True)
class Change:
    """New values by ``section.key``."""

    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Do:
    """One of ``ACTIONS``, and the key of those that have one."""

    action: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Save:
    """The id of what was shown to be written."""

    id: str


@dataclass(frozen=True, slots=True)
class StyleFile:
    """A MIDI file's bytes, and its name to show."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """A question for the time."""

    id: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """(due, pitch, at) of notes that a page has shown."""

    notes: tuple[tuple[float, int, float], ...]


Request = Change | Do | Save | StyleFile | Ping | Drawn


def parse(text: str) -> Request:
    """Return what a page asks for.

    Raises
    ------
    ConfigError
        Not JSON, an unknown type, a key too many or too few, a value of another type or size.
    """
    message = _object(text)
    kind = message.pop("type", None)
    if kind != "style_file" and len(text) > MAX_MESSAGE:
        raise ConfigError(f"a message may have {MAX_MESSAGE} characters, not {len(text)}")
    match kind:
        case "change":
            return Change(_values(*_only(message, "values")))
        case "do":
            return _do(message)
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


def encode_one(message: Mapping[str, object]) -> str:
    """Return one message, compact; a frame is an array of them.

    >>> encode_one({"type": "pong", "id": 1, "now": 0.5})
    '{"type":"pong","id":1,"now":0.5}'
    """
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


def _object(text: str) -> dict[str, Any]:
    """Return the JSON object that ``text`` is, without NaN or infinity."""
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
    """Return the values of ``keys``, which must be all there is."""
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
    if action == "snapshot" and key not in SNAPSHOTS:
        raise ConfigError(f"a snapshot is {' or '.join(SNAPSHOTS)}, not {_cut(key)}")
    if action != "snapshot" and key not in TARGETS:
        raise ConfigError(f"no controller can drive {_cut(key)}")
    return Do(str(action), str(key))


def _values(values: Any) -> dict[str, object]:
    if not isinstance(values, dict) or not values:
        raise ConfigError('values must be an object as {"section.key": value}')
    for key, value in values.items():
        if key not in SETTABLE:
            raise ConfigError(f"{_cut(key)} is no setting that the panel may change")
        items = value if isinstance(value, list) else [value]
        if len(items) > 32 or not all(_is_plain(item) for item in items):
            raise ConfigError(f"{key} must be text, a number, true, false, null or a short list")
    return values


def _is_plain(value: object) -> bool:
    """True for null, a flag, a finite number, or a text that is not long."""
    if isinstance(value, str):
        return len(value) <= 512
    return value is None or isinstance(value, bool) or _is_number(value)


def _is_number(value: object) -> bool:
    """True for a number that has a place among floats."""
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
    """Return ``value`` as text, in one line and not long."""
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
