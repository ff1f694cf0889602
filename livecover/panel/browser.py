"""Opens the panel in the browser, without its token in the arguments of a process.

Every user of a machine may read those (``ps``). So the browser is given a file that only this user
may read, which leads on to the panel, as Jupyter does; it is gone when livecover ends.
Not here: the panel (``livecover.panel.server``).
"""

import contextlib
import html
import logging
import os
import platform
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from engine.core.errors import LiveCoverError
from engine.system.paths import cache_folder
from livecover.settings.output import RecordSettings

PAGE = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="referrer" content="no-referrer">
  <meta http-equiv="refresh" content="0; url={url}">
  <title>livecover</title>
</head>
<body><p><a href="{url}">The panel of livecover</a></p></body>
</html>
"""
SNAPS = Path("/var/lib/snapd/desktop/applications")
ASK_TIMEOUT = 2.0
"""Seconds that the system may take to tell which browser is the user's."""

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def opened(url: str) -> Iterator[None]:
    """Open ``url`` in the user's browser, where there is one with a window; never raises.

    Within the block there is the file that leads to it.
    """
    with contextlib.ExitStack() as stack:
        if has_window():
            try:
                path = stack.enter_context(_leading_to(url, _folder()))
                webbrowser.open(path.as_uri())
            except (OSError, ValueError, LiveCoverError, webbrowser.Error) as error:
                _log.warning("no browser was opened (%s); open the panel's address there", error)
        yield


def has_window() -> bool:
    """Return whether a browser would open a window here, and can read a file of ours.

    Windows' browser, called from within its Linux (WSL), cannot.
    """
    if sys.platform in ("win32", "darwin"):
        return True
    has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return has_display and "microsoft" not in platform.release().lower()


@contextlib.contextmanager
def _leading_to(url: str, folder: Path) -> Iterator[Path]:
    """Yield a file of this user's alone that leads to ``url``. Raises OSError."""
    is_new = not folder.exists()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"panel-{urlsplit(url).port}.html"
    path.unlink(missing_ok=True)  # of one that was killed; nobody's file is written over
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(PAGE.format(url=html.escape(url)))
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            if is_new:
                folder.rmdir()


def _folder() -> Path:
    """Return a folder of livecover's that the user's browser may read.

    A browser that is a snap reads no hidden folder, nor the system's for temporary files.
    """
    return RecordSettings().path if _is_snap(_default_browser()) else cache_folder()


def _is_snap(desktop_file: str) -> bool:
    return bool(desktop_file) and (SNAPS / desktop_file).exists()


def _default_browser() -> str:
    """Return the name of the browser's desktop file, such as firefox_firefox.desktop, or ''."""
    if not SNAPS.exists():
        return ""
    command = ["xdg-settings", "get", "default-web-browser"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=ASK_TIMEOUT)
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()
