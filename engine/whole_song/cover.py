"""The cover of a whole song, offline: the same stream as live, without a scheduler.

For a cover a model that can hears later sound first, since latency does not matter.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio.opening import open_song, path_of_input
from engine.core.notes import Event, NoteEvent, notes_of
from engine.core.settings import EngineSettings, GateSettings
from engine.cover.accompanying import open_accompanying
from engine.cover.stream import CoverStream, open_pipeline
from engine.midi.function_sink import FunctionSink
from engine.midi.sinks import MidiSink, open_sink
from engine.model.pipeline import Pipeline
from engine.signal.conditioning import PRIME_S, WholeSource
from engine.signal.tuning import A4_HZ

Array = NDArray[np.float32]

BLOCK_SECONDS = 0.5
LOOKED_AHEAD_S = 6.0
"""By which a cover on the beat looks ahead: nobody waits for a file."""
FEW_NOTES = 0.1
"""Notes a second below which a warning is logged."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cover:
    """The cover of a song; times are seconds."""

    events: list[Event]
    seconds: float  # of audio covered
    elapsed: float  # that it took, features to notes
    is_whole: bool  # False if it was stopped
    a4_hz: float = A4_HZ  # how the song is tuned

    @property
    def n_notes(self) -> int:
        """Note-ons."""
        return sum(note.is_on for note in self.notes)

    @property
    def notes(self) -> list[NoteEvent]:
        """The events without the pedal's."""
        return notes_of(self.events)

    @property
    def real_time_factor(self) -> float:
        """Computing time for each second of audio."""
        return self.elapsed / self.seconds if self.seconds else 0.0


class WholeSong(WholeSource, Protocol):
    """A song that is there as a whole, as a file is."""

    name: str
    position: float  # seconds read so far

    @property
    def duration(self) -> float:
        """Seconds."""


def cover_file(
    settings: EngineSettings,
    on_progress: Callable[[float], None] | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Cover:
    """Cover the file ``settings.audio.input`` into ``settings.midi.midi_out``.

    Parameters and errors as :func:`cover_song`; all is opened before work begins.
    """
    source = open_song(path_of_input(settings.audio.input), paced=False)
    return cover_song(
        source,
        settings,
        on_progress,
        is_stopped,
        open_sink=lambda: open_sink(settings.midi.midi_out, autosave=None),
    )


def cover_song(
    song: WholeSong,
    settings: EngineSettings,
    on_progress: Callable[[float], None] | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
    *,
    open_sink: Callable[[], MidiSink] = lambda: FunctionSink(lambda event: None),
) -> Cover:
    """Cover a song; what was found goes to a sink too, also where something breaks.

    Parameters
    ----------
    song
        Read from its beginning.
    settings
        The engine's; what is about time and places does not matter here.
    on_progress
        Called with the share done, 0 to 1, about twice a second of audio.
    is_stopped
        Called as often; once it returns True, what was found so far is kept.
    open_sink
        Called once all else is open.

    Raises
    ------
    LiveCoverError
        As the song, the model and the sink do.
    """
    pipeline = open_pipeline(settings.model)
    if not settings.is_accompanying:  # who accompanies must hear at once, in a file too
        pipeline.model = pipeline.model.offline_variant()
    stream = open_stream(
        pipeline, settings, song.sample_rate, song.n_channels, lambda _: LOOKED_AHEAD_S
    )
    stream.prime(song.head(PRIME_S))
    a4_hz = stream.a4_hz
    sink = open_sink()
    events: list[Event] = []
    elapsed, is_whole, peak = 0.0, True, 0.0
    try:
        for block in song.blocks(round(BLOCK_SECONDS * song.sample_rate)):
            start = time.perf_counter()
            events += stream.push(block)
            elapsed += time.perf_counter() - start
            a4_hz = stream.a4_hz
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
            if on_progress is not None:
                on_progress(min(1.0, song.position / song.duration))
            if is_stopped():
                is_whole = False
                break
        start = time.perf_counter()
        events += stream.finish()
        elapsed += time.perf_counter() - start
    finally:
        for event in events:
            sink.send(event)
        sink.silence()
        sink.close()
    cover = Cover(events, song.position, elapsed, is_whole, a4_hz)
    if is_whole and cover.n_notes < cover.seconds * FEW_NOTES:
        _warn_of_few(cover.n_notes, peak, song.name, settings.gate)
    return cover


def open_stream(
    pipeline: Pipeline,
    settings: EngineSettings,
    sample_rate: int,
    n_channels: int,
    reserve: Callable[[EngineSettings], float],
) -> CoverStream:
    """Return the stream of a song that is not played from a device.

    ``reserve`` as ``engine.cover.accompanying.Accompanying`` has it. Raises LiveCoverError.
    """
    parts = open_accompanying(pipeline, settings, sample_rate, n_channels, reserve)
    return CoverStream(pipeline, settings, sample_rate, n_channels, parts, reserve)


def _warn_of_few(n_notes: int, peak: float, name: str, gate: GateSettings) -> None:
    """Log that a cover has hardly a note, and why."""
    count = f"only {n_notes} notes" if n_notes else "no notes"
    dbfs = 20 * math.log10(max(peak, 1e-9))
    if not peak:
        why = "it is silent"
    elif gate.enabled and dbfs < gate.threshold_dbfs:
        why = f"its peak of {dbfs:.0f} dBFS is below gate.threshold_dbfs ({gate.threshold_dbfs:g})"
    else:
        why = "the model finds hardly any music in it"
    _log.warning("%s from %s: %s", count, name, why)
