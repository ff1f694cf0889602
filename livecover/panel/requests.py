"""The messages that a page sends to the panel's server.

Each frame is one JSON object, at most ``MAX_MESSAGE`` characters (a style file:
``MAX_STYLE_MESSAGE``), at most ``RATE`` a second after a burst of ``BURST``. More closes the
connection (code 1008), as does a larger frame (1009). A message that is not valid is answered by
``error``.

``change``
    ``values`` {"section.key": value}, all or none; keys of ``SETTABLE``.
``do``
    ``action``, one of ``ACTIONS``. With ``learn`` and ``forget`` also ``key``, the setting or
    command to map or to unmap; with ``snapshot`` also ``key``, the one to recall.
    ``copy_snapshot`` copies the active snapshot to the other. ``keep_scene``, ``recall_scene``,
    ``delete_scene`` and ``delete_take`` have the name as ``key``; ``scene_programs`` has what
    program changes recall, one of ``PROGRAMS``. ``scenes`` and ``takes`` are answered by messages
    of that name, ``renew_address`` by ``address``, ``calibrate`` by ``calibrated``, unless
    ``cancel_calibration``, ``stop``, ``panic`` or a start ends it. ``together`` plays song and
    piano together, or goes back to what was before.
``beat``
    ``correction`` of the song's beat, one of ``CORRECTIONS``; ``at`` the server's time of it, or
    null for now.
``song``
    ``action``, one of ``SONG_ACTIONS``; ``start`` and ``end``, seconds of the song, as
    ``engine.core.song_place.SongCommand`` has them.
``save``
    Write what was changed by hand. ``id`` of the ``unsaved`` that was shown: if other lines would
    be written by now, nothing is.
``style_file``
    ``name`` of the file, ``data`` base64 of a MIDI file of at most ``MAX_STYLE_FILE`` bytes: its
    style becomes ``model.style``.
``ping``
    ``id`` a whole number.
``drawn``
    Only where ``hello`` has ``measure``: ``notes`` [[due, pitch, at], ...], ``at`` the server's
    time of the first frame that showed the note at the keyboard.

Not here: who may connect (``livecover.panel.web.security``), parsing and checking
(``livecover.panel.request_parser``), running the commands (``livecover.panel.command_runner``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.song_place import SongCommand
from livecover.instrument.scenes import SOUND_KEYS

MAX_MESSAGE = 8192
MAX_STYLE_FILE = 256 * 1024
MAX_STYLE_MESSAGE = MAX_STYLE_FILE * 4 // 3 + 1024
RATE, BURST = 40.0, 80
MAX_DRAWN = 64
MAX_NAME = 200

SETTABLE = SOUND_KEYS | {
    "model.tuning",
    "play.mute",
    "play.hold",
    "audio.player",
    "calibration.nudge",
    "monitor.device",
    "monitor.gain_db",
    "monitor.mute",
    "piano.enabled",
    "piano.device",
    "piano.gain_db",
    "piano.mute",
    "sync.midi_out",
    "sync.offset",
    "sync.link",
    "sync.link_offset",
}
"""Settings that a page may change: none names a file to read or write."""

SNAPSHOTS = ("A", "B")
NAMED = ("keep_scene", "recall_scene", "delete_scene", "delete_take")
"""Actions whose key is a name of the user's."""
KEYED = ("learn", "forget", "snapshot", "scene_programs", *NAMED)
"""Actions with a key."""
ACTIONS = (
    *("start", "stop", "panic", "record", "end_record", "together", "quit"),
    *(
        "calibrate",
        "cancel_calibration",
        "unsaved",
        "copy_snapshot",
        "refresh",
        "scenes",
        "takes",
        "reveal_takes",
        "renew_address",
    ),
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
class CorrectBeat:
    """One of ``CORRECTIONS``, and the server's time of it; None for now."""

    correction: str
    at: float | None


@dataclass(frozen=True, slots=True)
class Save:
    """The id of the lines that were shown."""

    id: str


@dataclass(frozen=True, slots=True)
class StyleFile:
    """A MIDI file's bytes, and its name to show."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """A request for the server's time."""

    id: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """(due, pitch, at) of notes that a page has drawn."""

    notes: tuple[tuple[float, int, float], ...]


Request = Change | Do | CorrectBeat | Save | StyleFile | Ping | Drawn | SongCommand
