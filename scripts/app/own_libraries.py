"""Before the app's first module: the system's libraries, or the app's own where one is missing.

The system's go first: what talks to its sound servers must fit them, and ALSA its plugins. A
library that is loaded is found by its name from then on, whoever needs it.
"""

import ctypes
import ctypes.util
import json
import os
import sys
from pathlib import Path

FOLDER = Path(sys._MEIPASS, "carried")  # type: ignore[attr-defined]
NEEDS: dict[str, list[str]] = json.loads((FOLDER / "needs.json").read_text(encoding="utf-8"))
AT_ONCE = ("libgcc_s.so.1", "libstdc++.so.6", "libasound.so.2")  # what Python's packages link to
ALSA_SETTINGS = Path("/usr/share/alsa/alsa.conf")  # PortAudio ends the process without them
PATHS = "LD_LIBRARY_PATH"

_brought: set[str] = set()


def bring(name: str) -> None:
    """Load a library and, where it is the app's own, first what that needs."""
    if name in _brought:
        return
    _brought.add(name)
    try:
        ctypes.CDLL(name)
    except OSError:
        for other in NEEDS[name]:
            if other in NEEDS:
                bring(other)
        try:
            ctypes.CDLL(str(FOLDER / name))
        except OSError:  # whoever asks for it gets the system's answer
            return


def find_library(name: str) -> str | None:
    """As ``ctypes.util.find_library``, which knows only what is installed."""
    for library in NEEDS:
        if library.startswith(f"lib{name}.so."):
            bring(library)
            return library
    return _find_library(name)


_find_library = ctypes.util.find_library
ctypes.util.find_library = find_library
if not ALSA_SETTINGS.is_file():
    os.environ.setdefault("ALSA_CONFIG_DIR", str(FOLDER / "alsa"))
for library in AT_ONCE:
    if library in NEEDS:
        bring(library)
# For this program alone, not for the browser and others that it starts.
before = os.environ.pop(f"{PATHS}_ORIG", None)
os.environ.pop(PATHS, None)
if before is not None:
    os.environ[PATHS] = before
