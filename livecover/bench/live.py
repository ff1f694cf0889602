"""Measures timing and endurance, with a song in real time, on real servers.

The servers are those of the end-to-end tests (``tests/e2e``, so a checkout is needed), private to
the measurement. Times are seconds, tables in milliseconds.
"""

import contextlib
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.core.errors import DeviceError
from engine.core.notes import Event, NoteEvent
from engine.core.settings import AudioSettings, EngineSettings, MidiSettings, ModelSettings
from engine.core.taps import Tap
from engine.live.engine import Engine
from engine.midi.function_sink import FunctionSink
from engine.signal.meters import Status
from livecover.bench import markdown, require_servers
from livecover.cli import SWITCH_INTERVAL

_log = logging.getLogger(__name__)

PORT = "LiveCover"
N_BUSY = 2
WARM_UP_S = 60.0
"""Seconds of a soak test before memory is first measured."""


NO_PORT = FunctionSink(lambda event: None, "nothing")
"""A sink that ignores notes, for a machine without MIDI."""


def timing(model: str, song: Path) -> str:
    """Return how far from its due time each note-on was handed to the port.

    The song is played in time twice: on the machine as it is, and beside two busy processes.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    settings = EngineSettings(
        audio=AudioSettings(input=str(song)),
        model=ModelSettings(model=model),
        midi=MidiSettings(midi_out=(PORT,)),
    )
    rows: list[list[object]] = []
    with jack_port() as to:
        for beside, n_busy in (("as it is", 0), (f"beside {N_BUSY} busy processes", N_BUSY)):
            with _busy(n_busy):
                log, status = _play(settings, has_port=to is not None)
            off = 1000 * np.abs([sent - due for due, sent in log])
            p50, p95 = np.quantile(off, [0.5, 0.95]) if len(off) else (np.nan, np.nan)
            figures = [f"{p50:.2f}", f"{p95:.2f}", f"{off.max(initial=0.0):.2f}"]
            counts = [status.n_notes, status.n_late, status.n_dropped, status.n_skipped_frames]
            rows.append([beside, *figures, *counts])
    columns = ["p50, ms", "p95, ms", "max, ms", "notes", "late", "dropped", "frames skipped"]
    return markdown([f"sent against due, on the beat, to {to or NO_PORT.name}", *columns], rows)


def _play(settings: EngineSettings, has_port: bool) -> tuple[list[tuple[float, float]], Status]:
    """Play the song to its end; return (due, sent) of each note-on, and the last status."""
    log = NoteLog()
    engine = (
        Engine(settings, [log])
        if has_port
        else Engine(settings, [log], open_sink=lambda names, already: NO_PORT)
    )
    with engine:
        engine.wait()
        return log.notes, engine.status()


class NoteLog(Tap):
    """Keeps (due, sent) of each note-on."""

    def __init__(self) -> None:
        self.notes: list[tuple[float, float]] = []

    def sent(self, event: Event, due: float, at: float) -> None:
        """Keep it if it is a note-on."""
        if isinstance(event, NoteEvent) and event.is_on:
            self.notes.append((due, at))


@contextlib.contextmanager
def _busy(n: int) -> Iterator[None]:
    """Run ``n`` busy processes."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(n)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@contextlib.contextmanager
def jack_port() -> Iterator[str | None]:
    """Run a private JACK server for this process; yield its description, None if there is none."""
    try:
        require_servers()
    except DeviceError as error:
        _log.warning("%s", error)
        yield None
        return
    from tests.e2e.jack_server import jack_server

    with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
        with jack_server(Path(folder)) as jack:
            os.environ.update(jack.env)
            yield "a JACK port"


def soak(model: str, song: Path, minutes: float) -> str:
    """Return what was lost in ``minutes`` of live playing: song, PulseAudio, livecover, JACK.

    Memory is resident memory of the command's process.
    """
    require_servers()
    from tests.e2e import chain as real
    from tests.e2e import takes

    memory: list[tuple[float, float]] = []  # (seconds, megabytes)
    with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
        work = Path(folder)
        with real.chain(work) as chain:
            with chain.livecover("--model", model, "--midi-out", "take.mid") as livecover:
                started = time.monotonic()
                while (elapsed := time.monotonic() - started) < 60 * minutes:
                    with chain.pulse.playing(song) as player:
                        player.wait(timeout=3600)
                    memory.append((elapsed, _resident_mb(livecover.popen.pid)))
                code = livecover.stop(timeout=15)
                said = livecover.text()
            port = chain.recorder.messages()
            file = takes.read_midi_file(work / "take.mid")
    settled = [mb for at, mb in memory if at >= WARM_UP_S] or [mb for _, mb in memory]
    rows: list[list[object]] = [
        ["minutes", f"{elapsed / 60:.1f}"],
        ["note-ons at the port", len(takes.ons(port))],
        ["note-ons in the file", len(takes.ons(file))],
        ["notes stuck at the port", len(takes.unended(port))],
        ["memory after a minute, MB", f"{settled[0]:.1f}"],
        ["its growth by the end, MB", f"{settled[-1] - settled[0]:+.1f}"],
        ["largest growth between, MB", f"{max(settled) - settled[0]:+.1f}"],
        ["exit code", code],
    ]
    counted = re.findall(r"(\d+) (late|dropped|overruns|frames skipped)", said)[-4:]  # its summary
    rows += [[name, n] for n, name in counted]
    return markdown(["soak, on the beat", "found"], rows)


def _resident_mb(pid: int) -> float:
    """Return the resident memory of a process in megabytes (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024 / 1e6
