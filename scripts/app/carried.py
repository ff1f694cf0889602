"""The system's libraries that the app carries for systems without them, found while it is built.

Linux: on macOS and Windows they come inside Python's packages, or by PyInstaller. Not here: how
they are loaded (``own_libraries``).
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from PyInstaller.depend.bindepend import get_imports, resolve_library_path

ALSA = Path("/usr/share/alsa")
"""ALSA's own settings, without which its devices cannot be listed."""
NAMES = ("libasound.so.2", "libportaudio.so.2", "libfluidsynth.so.3")
GLIBC = re.compile(r"(ld-linux|lib(c|m|dl|rt|pthread|resolv|mvec|util|nsl|anl))\b[-.\w]*\.so")
"""What a program shares with its system, never brought along."""


class Library(NamedTuple):
    """A shared library."""

    path: str
    needs: tuple[str, ...]  # names of those that it loads


def closure(paths: Iterable[str]) -> dict[str, Library]:
    """Return all libraries at these paths and those that they load, by name, without glibc's."""
    found: dict[str, Library] = {}
    left = [(Path(path).name, path) for path in paths]
    while left:
        name, path = left.pop()
        if name in found:
            continue
        needs = {other: at for other, at in get_imports(path) if at and not GLIBC.match(other)}
        found[name] = Library(path, tuple(sorted(needs)))
        left += needs.items()
    return found


def alsa_settings() -> list[Path]:
    """Return the files of ALSA's settings that name what every system has: no cards' mixers."""
    folders = (ALSA / "cards", ALSA / "pcm")
    found = [path for folder in folders for path in folder.rglob("*.conf")]
    return [ALSA / "alsa.conf", *sorted(found)]


def carried(python: Iterable[str]) -> dict[str, Library]:
    """Return the libraries to carry: those of ``NAMES``, but what Python itself needs.

    Parameters
    ----------
    python
        The paths of libpython and of the modules of its standard library.
    """
    paths = {name: resolve_library_path(name) for name in NAMES}
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        raise SystemExit(f"{', '.join(missing)}: not found; run scripts/install-system app")
    own = closure(python)
    return {name: at for name, at in closure(paths.values()).items() if name not in own}
