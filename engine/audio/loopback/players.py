"""Which programs' streams are the player's. Streams are pulsectl's sink inputs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

AUTO, ALL = "auto", "all"
ICON_KEYS = (
    *("media.icon_name", "window.icon_name", "application.icon_name"),
    *("application.icon-name", "pipewire.access.portal.app_id", "application.id"),
    *("application.process.binary", "application.name"),
)
"""Properties of streams, as PulseAudio and PipeWire name them."""


class PlayerChoice:
    """Chooses streams among those there are, again whenever there are others.

    Parameters
    ----------
    wanted
        ``auto``: the programs that play when first something does; ``all``; or a program's name
        or a part of it, as mixers show it, or its file's.
    """

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        self._found: set[str] = set()

    def choose(self, streams: Sequence[Any]) -> list[Any]:
        """Return the chosen ones. Sounds of events, and livecover's own, never are."""
        programs = [stream for stream in streams if _is_program(stream)]
        if self.wanted == ALL:
            return programs
        if self.wanted == AUTO:
            self._found = self._found or {_program(s) for s in programs if not s.corked}
            return [stream for stream in programs if _program(stream) in self._found]
        name = self.wanted.casefold()
        return [
            stream
            for stream in programs
            if name in _name(stream).casefold() or name == _program(stream).casefold()
        ]


def describe(stream: Any) -> str:
    """Return the program's name as mixers show it."""
    return _name(stream) or _program(stream)


@dataclass(frozen=True, slots=True)
class Player:
    """A program that plays: its name as mixers show it, and what its icon may be called.

    ``icons`` are the names that it gave, then those that its entry in the menu may have.
    """

    name: str
    icons: tuple[str, ...] = ()


def players_of(streams: Sequence[Any]) -> list[Player]:
    """Return the programs that have streams, each once."""
    players: dict[str, Player] = {}
    for stream in streams:
        if _is_program(stream):
            players.setdefault(describe(stream), Player(describe(stream), _icons(stream)))
    return list(players.values())


def _icons(stream: Any) -> tuple[str, ...]:
    """Return what may be the name of its icon, in the order in which mixers look."""
    values = (stream.proplist.get(key, "") for key in ICON_KEYS)
    return tuple(dict.fromkeys(str(value) for value in values if value))


def _name(stream: Any) -> str:
    return str(stream.proplist.get("application.name", ""))


def _program(stream: Any) -> str:
    """Return its file's name, else its own."""
    return str(stream.proplist.get("application.process.binary", "")) or _name(stream)


def _is_program(stream: Any) -> bool:
    """Return whether it is a program's: not a server's module, a notification or livecover."""
    own = stream.proplist.get("application.process.id") == str(os.getpid())
    is_event = stream.proplist.get("media.role") == "event"
    return bool(_program(stream)) and not own and not is_event and _name(stream) != "livecover"
