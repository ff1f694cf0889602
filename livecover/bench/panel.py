"""Measures the panel's cost for the engine: the timing of notes with and without an open page.

The page is a process of its own (``panel_reader``): a client that reads everything, or Chromium
with the real page (for which a checkout is needed). Times are seconds, tables in milliseconds.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.devices.portaudio import portaudio
from engine.core.errors import DeviceError
from engine.core.notes import Event, NoteEvent
from engine.core.settings import AudioSettings, MidiSettings, ModelSettings
from engine.core.taps import Tap
from engine.live.engine import Engine
from livecover.bench import markdown
from livecover.bench.live import NO_PORT, PORT, jack_port
from livecover.cli import SWITCH_INTERVAL
from livecover.instrument.instrument import Instrument
from livecover.panel.web.server import PanelServer
from livecover.settings.panel import PanelSettings
from livecover.settings.sections import Settings

REFRESH = 0.25


class SentLog(Tap):
    """Keeps when each note-on was sent, by its due time and pitch."""

    def __init__(self) -> None:
        self.errors: list[float] = []
        self.sent_at: dict[tuple[float, int], float] = {}

    def sent(self, event: Event, due: float, at: float) -> None:
        """Keep it if it is a note-on."""
        if isinstance(event, NoteEvent) and event.is_on:
            self.errors.append(at - due)
            self.sent_at[round(due, 4), event.pitch] = at


def timing(model: str, song: Path, rounds: int, seconds: float, with_browser: bool) -> str:
    """Return how far from its due time each note-on was sent, and how long until it was drawn.

    Each round plays the song's beginning four times: without, with, with, without the panel, so
    that what else the machine does falls on both alike.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    settings = Settings(
        audio=AudioSettings(input=str(song)),
        model=ModelSettings(model=model),
        midi=MidiSettings(midi_out=(PORT,)),
    )
    errors: dict[bool, list[float]] = {False: [], True: []}
    drawn: list[float] = []
    with jack_port() as to:
        for has_panel in (False, True, True, False) * rounds:
            log = SentLog()
            instrument = Instrument(
                settings,
                open_engine=lambda *opened: (
                    Engine(*opened)
                    if to is not None
                    else Engine(*opened, open_sink=lambda names, already: NO_PORT)
                ),
            )
            instrument.add_tap(log)
            opened = page_open(instrument, with_browser, log, drawn)
            with instrument, opened if has_panel else contextlib.nullcontext():
                _play(instrument, seconds)
            errors[has_panel] += log.errors
        with contextlib.suppress(DeviceError):
            # The page's list of inputs opened PortAudio, which does not outlive its JACK server.
            portaudio()._terminate()
    p95 = {has_panel: _p95(found) for has_panel, found in errors.items()}
    rows: list[list[object]] = [
        [name, *figures(errors[has_panel])]
        for name, has_panel in (("without panel", False), ("panel open", True))
    ]
    ratio = p95[True] / p95[False] if p95[False] else np.nan
    rows.append(["panel open / without", "", f"{ratio:.2f}", "", ""])
    if drawn:
        rows.append(["drawn after sent", *figures(drawn)])
    page = "Chromium" if with_browser else "a client"
    title = f"sent against due, on the beat, to {to or NO_PORT.name}; page: {page}"
    return markdown([title, "p50, ms", "p95, ms", "max, ms", "notes"], rows)


def _play(instrument: Instrument, seconds: float) -> None:
    """Play the song's first seconds."""
    instrument.start()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end and not instrument.wait(REFRESH):
        pass
    instrument.stop()


@contextlib.contextmanager
def page_open(
    instrument: Instrument, with_browser: bool, log: SentLog, drawn: list[float]
) -> Iterator[None]:
    """Serve the panel with an open page; add the page's times to ``drawn`` at the end."""
    with PanelServer(instrument, PanelSettings(port=0), measure=with_browser) as panel:
        command = [sys.executable, "-m", "livecover.bench.panel_reader", panel.url]
        page = subprocess.Popen(
            [*command, *(["--browser"] if with_browser else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with page:
            assert page.stdin is not None and page.stdout is not None
            if page.stdout.readline().strip() != "open":
                raise RuntimeError("the page did not open")
            yield
            time.sleep(2 * REFRESH)  # for its last words
            page.stdin.close()
        drawn += [
            at - log.sent_at[due, pitch]
            for due, pitch, at in panel.drawn
            if (due, pitch) in log.sent_at
        ]


def _p95(values: list[float]) -> float:
    return float(np.quantile(np.abs(values), 0.95)) if values else float("nan")


def figures(values: list[float]) -> list[str]:
    """Return median, 95th percentile and greatest in milliseconds, and how many."""
    off: NDArray[np.float64] = 1000 * np.abs(values or [np.nan])
    p50, p95 = np.quantile(off, [0.5, 0.95])
    return [f"{p50:.2f}", f"{p95:.2f}", f"{off.max():.2f}", str(len(values))]
