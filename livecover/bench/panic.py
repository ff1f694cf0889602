"""Measures how soon panic reaches the port while another model is being opened, in ms."""

import sys
import threading
import time
from pathlib import Path

import numpy as np

from engine.core.notes import Event
from engine.core.settings import ModelSettings
from engine.cover.stream import open_pipeline
from engine.live.engine import Engine
from engine.midi.sinks import MidiSink, open_sink
from engine.model.model_files import list_models
from engine.model.pipeline import Pipeline
from livecover.bench import markdown
from livecover.bench.live import NO_PORT, PORT, jack_port
from livecover.cli import SWITCH_INTERVAL
from livecover.instrument.instrument import Instrument
from livecover.settings.source import load_settings


class TimedSink:
    """A sink, and when its last panic was done."""

    is_there, n_losses, latency = True, 0, 0.0

    def __init__(self, sink: MidiSink) -> None:
        self._sink = sink
        self.name = sink.name
        self.done = 0.0
        self.is_done = threading.Event()

    def send(self, event: Event) -> None:
        """Hand it on."""
        self._sink.send(event)

    def silence(self) -> None:
        """Hand it on."""
        self._sink.silence()

    def panic(self) -> None:
        """Hand it on, and keep when all of it was at the port."""
        self._sink.panic()
        self.done = time.perf_counter()
        self.is_done.set()

    def close(self) -> None:
        """Hand it on."""
        self._sink.close()


def delay(model: str, song: Path, n_panics: int) -> str:
    """Return how long after the call the port had all of panic's messages, and panic returned.

    With hold on, and a change to another model under way.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    other = next(name for name in list_models() if name != model)
    given = {"audio.input": str(song), "model.model": model, "midi.midi_out": [PORT]}
    found: list[tuple[float, float]] = []
    is_opening = threading.Event()

    def open_and_tell(settings: ModelSettings) -> Pipeline:
        is_opening.set()
        return open_pipeline(settings)

    with jack_port() as to:
        sink = TimedSink(open_sink([PORT]) if to is not None else NO_PORT)
        instrument = Instrument(
            load_settings(None, given),
            open_engine=lambda settings, taps: Engine(
                settings,
                taps,
                open_sink=lambda names, already: sink,
                open_pipeline=open_and_tell,
            ),
        )
        with instrument:
            instrument.start()
            for k in range(n_panics):
                instrument.change({"play.hold": True})
                found.append(_panic(instrument, sink, is_opening, model if k % 2 else other))
    ms = 1000 * np.array(found)
    names = ("all at the port", "panic() returns")
    medians, worst = np.median(ms, axis=0), ms.max(axis=0)
    rows = [[n, f"{m:.1f}", f"{w:.1f}"] for n, m, w in zip(names, medians, worst, strict=True)]
    return markdown([f"{n_panics} times, to {to or NO_PORT.name}", "median, ms", "most, ms"], rows)


def _panic(
    instrument: Instrument, sink: TimedSink, is_opening: threading.Event, model: str
) -> tuple[float, float]:
    """Panic while a model is opened; return the seconds to the port, and to the return."""
    is_opening.clear()
    change = threading.Thread(target=instrument.change, args=({"model.model": model},))
    change.start()
    assert is_opening.wait(20.0)
    sink.is_done.clear()
    start = time.perf_counter()
    instrument.panic()
    returned = time.perf_counter()
    assert sink.is_done.wait(20.0)
    change.join()
    return sink.done - start, returned - start
