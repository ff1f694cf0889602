"""Opens the panel in the browser, without its token in the arguments of a process.

Every user of a machine can read those (``ps``). So the browser opens a file that only this user can
read, which redirects to the panel, as Jupyter does. The file is removed when livecover ends.
Not here: the panel (``livecover.panel.web.server``).
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
"""Seconds to wait for the name of the default browser."""

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def opened(url: str) -> Iterator[None]:
    """Open ``url`` in the user's browser, if there is a display; never raises.

    The file that redirects to it exists within the block.
    """
    with contextlib.ExitStack() as stack:
        if has_window():
            try:
                path = stack.enter_context(_redirect_file(url))
                webbrowser.open(path.as_uri())
            except (OSError, ValueError, LiveCoverError, webbrowser.Error) as error:
                _log.warning("no browser was opened (%s); open the panel's address in one", error)
        yield


def has_window() -> bool:
    """Return whether there is a display, and its browser can read our file.

    Windows' browser, called from WSL, cannot.
    """
    if sys.platform in ("win32", "darwin"):
        return True
    has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return has_display and "microsoft" not in platform.release().lower()


def redirect_path(port: int) -> Path:
    """Return the file that redirects to the panel at this port, while there is one."""
    return page_folder() / f"panel-{port}.html"


def write_page(path: Path, text: str) -> None:
    """Write a file for the browser, readable by this user alone. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # left by a livecover that was killed
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        file.write(text)


@contextlib.contextmanager
def _redirect_file(url: str) -> Iterator[Path]:
    """Yield a file, readable by this user alone, that redirects to ``url``. Raises OSError."""
    path = redirect_path(urlsplit(url).port or 0)
    is_new = not path.parent.exists()
    try:
        write_page(path, PAGE.format(url=html.escape(url)))
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            if is_new:
                path.parent.rmdir()


def page_folder() -> Path:
    """Return a folder of livecover's that the browser can read.

    A browser installed as a snap reads neither hidden folders nor the temporary folder.
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
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_TIMEOUT)
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
