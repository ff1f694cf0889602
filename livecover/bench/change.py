"""Measures how soon a change of style takes effect: until the next step, and until a note.

Times are seconds, the table in milliseconds.
"""

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.core.notes import Event, NoteEvent
from engine.core.settings import AudioSettings, EngineSettings, ModelSettings
from engine.core.taps import Tap
from engine.live.engine import Engine
from livecover.bench import markdown
from livecover.bench.live import NO_PORT
from livecover.cli import SWITCH_INTERVAL
from livecover.instrument.instrument import Instrument
from livecover.settings.sections import Settings

STYLES = (0.0, 1.0)
WAIT_S = 5.0  # for a note, at most


class FirstNote(Tap):
    """When a change was applied, and when the first note found after it was sent."""

    def __init__(self) -> None:
        self.taken = self.left = 0.0
        self.has_left = threading.Event()
        self._first: NoteEvent | None = None
        self._is_waiting = False

    def begin_waiting(self) -> None:
        """Forget what was, before a change."""
        self.taken = self.left = 0.0
        self._first = None
        self._is_waiting = False
        self.has_left.clear()

    def changed(self, settings: EngineSettings, latency: float) -> None:
        """Keep the time."""
        self.taken, self._is_waiting = time.perf_counter(), True

    def found(self, events: Sequence[Event], dues: Sequence[float]) -> None:
        """Keep the first note-on found since."""
        ons = [event for event in events if isinstance(event, NoteEvent) and event.is_on]
        if self._is_waiting and ons:
            self._first, self._is_waiting = ons[0], False

    def sent(self, event: Event, due: float, at: float) -> None:
        """Keep when it left."""
        if event is self._first:
            self.left = at
            self.has_left.set()


def style(model: str, song: Path, n_changes: int) -> str:
    """Return the delay of style changes while a song plays, beside a step and the latency."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    settings = Settings(audio=AudioSettings(input=str(song)), model=ModelSettings(model=model))
    tap, rng = FirstNote(), np.random.default_rng(1)
    instrument = Instrument(
        settings,
        open_engine=lambda *opened: Engine(*opened, open_sink=lambda names, already: NO_PORT),
    )
    instrument.add_tap(tap)
    taken: list[float] = []
    delays: list[float] = []
    with instrument:
        instrument.start()
        assert instrument.engine is not None
        spec, latency = instrument.engine.pipeline.spec, instrument.budget.total
        source = instrument.engine.source
        block = source.block_size / source.sample_rate
        for k in range(n_changes):
            if instrument.wait(float(rng.uniform(0.4, 0.8))):
                instrument.start()  # the song again
            tap.begin_waiting()
            start = time.perf_counter()
            instrument.change({"model.style": STYLES[k % 2]})
            taken.append(tap.taken - start)
            if tap.has_left.wait(WAIT_S):
                delays.append(tap.left - start)
    step = max(block, spec.step_frames * spec.features.frame_s)
    rows = [
        _row("message to the step that reads it", taken, step),
        _row("message to the first note under it", delays, step + latency),
    ]
    columns = [
        "a change of style, on the beat",
        "median, ms",
        "p95, ms",
        "max, ms",
        "bar, ms",
        "changes",
    ]
    return markdown(columns, rows)


def _row(name: str, seconds: Sequence[float], bar: float) -> list[object]:
    p50, p95, most = 1000 * np.quantile(seconds, [0.5, 0.95, 1.0]) if seconds else [np.nan] * 3
    return [name, f"{p50:.1f}", f"{p95:.1f}", f"{most:.1f}", f"{1000 * bar:.0f}", len(seconds)]
