"""The icons of programs, from the icon themes and menu entries of a Linux desktop.

Themes, names and entries as freedesktop.org's Icon Theme and Desktop Entry Specifications have
them, by the folders' names alone. A name comes from the program that plays, so it is never taken
for a path. Not here: which names a program gives (``engine.audio.loopback.players``).
"""

import configparser
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

SIZE = 48
"""Pixels; of several sizes the nearest is taken."""
MAX_ICON = 256 * 1024
"""Bytes of a file that is shown."""
TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
DEFAULT_THEME = "hicolor"
"""Where every program's own icon is."""

_NAME = re.compile(r"[\w+@-][\w.+@ -]{0,199}")
_SIZE = re.compile(r"(\d+)")
_PNG = b"\x89PNG\r\n\x1a\n"


def find_icon(names: Sequence[str]) -> Path | None:
    """Return the icon of the first name that has one; None if none has.

    A name is the icon's, or that of a menu entry or of the program that this one starts.
    """
    plain = [name for name in names if _NAME.fullmatch(name)]
    wanted = [icon for name in plain for icon in (name, name.lower())]
    found = next((path for name in wanted if (path := _themed(name)) is not None), None)
    return found or _of_entry({name.casefold() for name in plain})


def read_icon(path: Path) -> tuple[bytes, str] | None:
    """Return an icon's content and type; None if it is no PNG or SVG file of a fair size."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_ICON + 1)
    except OSError:
        return None
    is_right = content.startswith(_PNG) if path.suffix == ".png" else b"<svg" in content[:8192]
    return (content, TYPES[path.suffix]) if is_right and len(content) <= MAX_ICON else None


def _data_folders() -> list[Path]:
    """Return where programs keep shared data, the user's first (XDG Base Directory)."""
    own = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    found = [Path(folder).expanduser() for folder in (own, *shared.split(":")) if folder]
    return [folder for folder in found if folder.is_absolute()]


def _themes() -> list[str]:
    """Return the user's icon theme, where GTK's or KDE's settings name it, and the default one."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    named = [
        _entry(config / "gtk-4.0" / "settings.ini", "Settings").get("gtk-icon-theme-name", ""),
        _entry(config / "gtk-3.0" / "settings.ini", "Settings").get("gtk-icon-theme-name", ""),
        _entry(config / "kdeglobals", "Icons").get("Theme", ""),
    ]
    return list(dict.fromkeys([*filter(_NAME.fullmatch, named), DEFAULT_THEME]))


def _themed(name: str) -> Path | None:
    """Return the file of an icon's name."""
    folders = _data_folders()
    for theme in _themes():
        found = [
            path
            for folder in folders
            for suffix in TYPES
            for path in (folder / "icons" / theme).glob(f"*/*/{name}{suffix}")
            if "symbolic" not in str(path.parent)
        ]
        if found:
            return min(found, key=_distance)
    plain = (folder / "pixmaps" / f"{name}{suffix}" for folder in folders for suffix in TYPES)
    return next((path for path in plain if path.is_file()), None)


def _distance(path: Path) -> int:
    """Return how far an icon's size is from the wanted one, as its folders name it."""
    if path.suffix == ".svg":
        return 0
    sizes = [int(match[1]) for part in path.parts[-3:-1] if (match := _SIZE.match(part))]
    return min((abs(size - SIZE) for size in sizes), default=SIZE)


def _of_entry(names: set[str]) -> Path | None:
    """Return the icon of the menu entry that has one of these names, or starts such a program."""
    for path in _entries():
        entry = _entry(path, "Desktop Entry")
        called = (path.stem, entry.get("Name", ""), entry.get("StartupWMClass", ""))
        if names.isdisjoint(map(str.casefold, (*called, _program(entry.get("Exec", ""))))):
            continue
        icon = Path(entry.get("Icon", ""))
        if icon.is_absolute():  # an entry is the system's or the user's own
            return icon if icon.suffix in TYPES and icon.is_file() else None
        return _themed(str(icon)) if _NAME.fullmatch(str(icon)) else None
    return None


def _entries() -> Iterator[Path]:
    for folder in _data_folders():
        yield from sorted((folder / "applications").glob("*.desktop"))


def _entry(path: Path, section: str) -> dict[str, str]:
    """Return a section of a file of keys and values; nothing where there is none."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read(path, "utf-8")
        return {key: value or "" for key, value in parser.items(section)}
    except (OSError, ValueError, configparser.Error):
        return {}


def _program(command: str) -> str:
    """Return the file's name of the program that a command starts.

    >>> _program("/usr/bin/env FOO=1 firefox %u"), _program('"/opt/My Player/player" --x')
    ('firefox', 'player')
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    programs = (Path(word).name for word in words if "=" not in word)
    return next((program for program in programs if program != "env"), "")
