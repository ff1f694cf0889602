"""Playing in real time, with or without the panel, until the song is over or a signal comes.

Not here: which command it is (``livecover.cli``), the instrument (``livecover.instrument``).
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from pathlib import Path

from rich.console import Console

from engine.core.errors import DataError, LiveCoverError
from engine.live.engine import Engine
from engine.system.bounded import begin_shutdown, call_in_thread
from engine.system.command import say
from livecover.commands.console import live_line, log_lines
from livecover.commands.job_control import job_control
from livecover.commands.status import start_lines, summary
from livecover.control.listener import midi_control
from livecover.instrument.instrument import Instrument
from livecover.instrument.rig import Rig
from livecover.panel.json_lines import json_lines, text_lines
from livecover.settings.sections import Settings
from livecover.tui import screen as tui

REFRESH = 0.25  # seconds between two updates of the status line

_log = logging.getLogger(__name__)


def play(settings: Settings, console: Console, stop: threading.Event) -> None:
    """Play in real time, until the end of a file or ``stop``."""
    with _instrument(settings, None) as instrument:
        _start(instrument, settings, stop)

        def look(refresh: float) -> bool:
            if instrument.wait(refresh, ends_program=True) and not instrument.has_ended:
                stop.wait(refresh)  # stopped by a controller, which may start it again
            return instrument.has_ended

        attend(instrument, console, stop, look)
    _say(settings, *summary(instrument.last_status))
    _check_takes(instrument)


def serve_panel(
    settings: Settings,
    config: Path | None,
    console: Console,
    stop: threading.Event,
    command: str,
    renew_address: bool = False,
) -> None:
    """Serve the panel until ``stop``; play at once unless the command asks for the panel."""
    from livecover.panel.web import browser, desktop  # imported only here, for a quick start
    from livecover.panel.web.address import TokenFile, token_path
    from livecover.panel.web.server import PanelServer

    is_app = command == "app"
    if is_app and desktop.show_running(settings.panel):
        return
    kept = token_path() if settings.panel.keep_address else None
    if renew_address:
        TokenFile(kept).renew()
    on_quit = stop.set if is_app else None
    with (
        _instrument(settings, config) as instrument,
        PanelServer(instrument, settings.panel, tokens=TokenFile(kept), on_quit=on_quit) as panel,
    ):
        _say(settings, f"panel at {panel.url}")
        if panel.network_url:
            _say(settings, f"on other devices: {panel.network_url}")
        if command not in ("panel", "app"):
            _start(instrument, settings, stop)

        def look(refresh: float) -> bool:
            try:
                if instrument.wait(refresh):
                    stop.wait(refresh)  # nothing plays; a page may start it again
            except LiveCoverError as error:
                _log.error("%s", error)
            return False

        is_opened = settings.panel.open_browser and (is_app or console.is_terminal)
        with browser.opened(panel.url) if is_opened else contextlib.nullcontext():
            attend(instrument, console, stop, look)
        panel.stop(is_waited_for=False)  # both take time
        instrument.stop()
    _say(settings, *summary(instrument.last_status))
    _check_takes(instrument)


def _start(instrument: Instrument, settings: Settings, stop: threading.Event) -> None:
    """Start playing and print the start lines; ``stop`` ends the wait. Raises LiveCoverError."""
    starting = call_in_thread(instrument.start, "start")
    while not (starting.done() or stop.is_set()):
        wait([starting], REFRESH)
    if not starting.done():
        instrument.stop()
        wait([starting], REFRESH)
        return
    starting.result()
    if instrument.engine is not None:
        _say(settings, *start_lines(instrument.engine, settings))


@contextlib.contextmanager
def _instrument(settings: Settings, config: Path | None) -> Iterator[Instrument]:
    """Yield the instrument with recorder, monitor and piano; print which takes were recovered."""
    with Rig(settings, lambda *opened: Engine(*opened)) as rig:
        _say(settings, *rig.recovered)
        instrument = Instrument(settings, config, rig.recorder, rig.open_engine, rig)
        with instrument:
            if settings.record.at_start:
                instrument.record(True)
            try:
                yield instrument
            finally:
                begin_shutdown()


def attend(
    instrument: Instrument,
    console: Console,
    stop: threading.Event,
    look: Callable[[float], bool],
) -> None:
    """Show the state until ``stop``, or until ``look`` returns True; Ctrl-Z suspends.

    ``look`` waits for the instrument, at most the seconds that it is given.
    """
    if stop.is_set():
        return  # before it was ready: no port is opened any more
    has_view, is_over = instrument.settings.tui.enabled, False
    refresh = tui.REFRESH if has_view else REFRESH
    with midi_control(instrument), job_control() as jobs:
        while not (is_over or stop.is_set()):
            if jobs.is_asked:
                jobs.stop(instrument)
            if has_view:
                jobs.wait_for_terminal(instrument, stop)
            with _display(instrument, console, stop) as show:
                while not (is_over or stop.is_set() or jobs.is_asked):
                    is_over = look(refresh)
                    show(instrument)


def _display(
    instrument: Instrument, console: Console, stop: threading.Event
) -> contextlib.AbstractContextManager[Callable[[Instrument], None]]:
    """Return the display: lines of JSON, the terminal view, the status line, or the log."""
    if instrument.settings.log.status == "json":
        return json_lines()
    if instrument.settings.tui.enabled:
        return tui.terminal_view(instrument, console, stop)
    return live_line(console) if console.is_terminal else log_lines()


def _say(settings: Settings, *lines: str) -> None:
    """Print lines; as JSON, where other programs read them."""
    say(*(text_lines(*lines) if settings.log.status == "json" else lines))


def _check_takes(instrument: Instrument) -> None:
    """Raise DataError if a take is not whole, after playing has ended."""
    if instrument.recorder.faults:
        raise DataError("; ".join(instrument.recorder.faults))
