"""The panel as a program of the desktop: started by its icon, where nobody sees a terminal.

A second start shows the panel of the first, and what goes wrong is shown in the browser, too.
Not here: the command (``livecover.cli``), opening the panel (``livecover.panel.web.browser``).
"""

import contextlib
import html
import logging
import socket
import sys
import webbrowser
from collections.abc import Iterator

from engine.core.errors import LiveCoverError
from engine.system.command import verdict
from livecover.panel.web.browser import has_window, page_folder, redirect_path, write_page
from livecover.panel.web.security import WILDCARDS
from livecover.settings.panel import PanelSettings

PAGE = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="color-scheme" content="dark light">
  <title>livecover could not start</title>
</head>
<body><h1>livecover could not start</h1><p>{line}</p></body>
</html>
"""
ANSWER_S = 1.0
"""Seconds that a panel which runs has to answer."""

_log = logging.getLogger(__name__)


def show_running(settings: PanelSettings) -> bool:
    """Open this user's panel in the browser, if it runs already; return whether it does."""
    try:
        path = redirect_path(settings.port)
    except LiveCoverError:  # no folder to write into: nobody has
        return False
    host = WILDCARDS.get(settings.host, settings.host)
    if not (path.is_file() and _answers(host, settings.port)):
        return False
    webbrowser.open(path.as_uri())
    return True


@contextlib.contextmanager
def errors_shown() -> Iterator[None]:
    """Show in the browser what ends the block, where no terminal does; it is raised all the same.

    Within ``engine.system.command.run_command``.
    """
    try:
        yield
    except Exception as error:
        line = verdict(error)[0]
        if line and not sys.stderr.isatty() and has_window():
            _show(line)
        raise


def _show(line: str) -> None:
    try:
        path = page_folder() / "error.html"
        write_page(path, PAGE.format(line=html.escape(line)))
        webbrowser.open(path.as_uri())
    except (OSError, ValueError, LiveCoverError, webbrowser.Error) as error:
        _log.warning("what went wrong could not be shown in a browser: %s", error)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), ANSWER_S).close()
    except OSError:
        return False
    return True
