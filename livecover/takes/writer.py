"""Begins takes, writes the engine's audio, notes and events into them, and ends them.

One thread, time passed in. ``time`` is the engine's: seconds of its input. ``host_time`` is
monotonic seconds. Not here: the queue and the thread (``recorder``), one take (``session``).
"""

import datetime
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ConfigError, DataError
from engine.core.note_tracker import NoteTracker
from engine.core.notes import Event
from engine.core.settings import EngineSettings
from engine.core.tempo import Beat, BeatState, Tempo
from engine.system.paths import exists
from livecover import __version__
from livecover.takes.files import TakeFiles, begin_take
from livecover.takes.journal import FAILED, Contents
from livecover.takes.session import TakeSession

Array = NDArray[np.float32]

FLUSH_S = 0.25
"""Seconds between two flushes: the most that a crash loses."""
TAIL_S = 0.25
"""Seconds beyond the latency for which the last notes are waited for."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Input:
    """The input, as a take's header has it."""

    name: str
    sample_rate: int
    n_channels: int


@dataclass(frozen=True, slots=True)
class _EndingTake:
    """A take whose audio has ended and whose last notes are still to be sent."""

    take: TakeSession
    end_time: float  # the engine's
    end_at: float  # host time


class TakeWriter:
    """Begins, writes and ends takes.

    Parameters
    ----------
    settings
        Model, style and parts, for the header.
    model
        Returns the model's name and version.
    on_end
        Called with each finished take.
    now
        The time of day.
    on_step
        Called after each step of ending a take.
    n_overruns
        Returns the number of gaps in the input since the engine began.
    way_out
        Returns the seconds by which notes are heard later than they are sent, for the header.
    """

    def __init__(
        self,
        settings: EngineSettings,
        model: Callable[[], str],
        on_end: Callable[[TakeFiles, Contents], None],
        now: Callable[[], datetime.datetime],
        on_step: Callable[[], None] = lambda: None,
        n_overruns: Callable[[], int] = lambda: 0,
        way_out: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.time = 0.0  # the end of the last block
        self._host_time = 0.0  # of the same
        self._settings = settings
        self._model = model
        self._on_end = on_end
        self._now = now
        self._on_step = on_step
        self._way_out = way_out
        self._n_overruns = n_overruns
        self._n_overruns_before = 0  # at the take's start
        self._input: Input | None = None
        self._latency = 0.0
        self._tempo: Tempo | None = None
        self._sounding = NoteTracker()  # at the port, for a take that begins now
        self._take: TakeSession | None = None
        self._ending: list[_EndingTake] = []
        self._flush_at = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether no take is being written."""
        return self._take is None and not self._ending

    def begin(self, source: Input, latency: float) -> None:
        """Take a source that has started, and the latency."""
        self._input, self._latency = source, latency

    def start_take(self, folder: Path, time: float, has_song: bool) -> None:
        """Begin a take whose second 0 is the engine's ``time``. Raises ConfigError, OSError."""
        assert self._take is None
        header = self._header()
        files = begin_take(folder, self._now())
        try:
            self._take = TakeSession(files, header, time, has_song, self._on_step)
        except OSError:
            for path in (files.journal, files.reserve):
                path.unlink(missing_ok=True)
            raise
        self._take.hold(self._sounding)
        self._n_overruns_before = self._n_overruns()
        self._write_beat(self._take, time)
        _log.info("recording %s", files.midi)

    @property
    def is_recording(self) -> bool:
        """Whether audio belongs to a take now."""
        return self._take is not None

    def audio(
        self, block: Array | None, n: int, time: float, host_time: float, sample_rate: int
    ) -> None:
        """Take ``n`` samples of the input; ``block`` is None if they were dropped."""
        self.time, self._host_time = time + n / sample_rate, host_time + n / sample_rate
        if self._take is None:
            return
        if block is None:
            self._take.dropped(n, time, sample_rate)
        else:
            self._take.audio(block, time, sample_rate)

    def sent(self, event: Event) -> None:
        """Take a note or a pedal that was sent."""
        self._sounding.track(event)
        for take in self._takes:
            take.sent(event)

    def lost_notes(self, n: int) -> None:
        """Count ``n`` note-ons that were dropped."""
        for take in self._takes:
            take.lost_notes(n)

    def silenced(self, host_time: float) -> None:
        """End all sounding notes at ``host_time``."""
        time = self.time + (host_time - self._host_time) - self._latency
        for event in self._sounding.ends(time):
            for take in self._takes:
                take.sent(event)
        self._sounding.clear()

    def changed(self, settings: EngineSettings, latency: float) -> None:
        """Take changed settings."""
        before, self._settings, self._latency = self._settings, settings, latency
        if self._take is not None:
            for text in _differences(before, settings):
                self._take.text(text, self.time)

    def beat(self, beat: Beat) -> None:
        """Take the song's beat; a take's bars are those of the metre that it began with."""
        self._tempo = None if beat.state is BeatState.LOST else beat.tempo
        if self._take is not None:
            self._write_beat(self._take, self.time)

    def _write_beat(self, take: TakeSession, time: float) -> None:
        """Write into a take what is known of the beat, from ``time`` on."""
        tempo = self._tempo
        if tempo is not None:
            line = tempo.bar_at(self._host_time)
            take.beat(tempo, time, None if line is None else self.time + line - self._host_time)

    def lost(self) -> None:
        """Note that the input is gone."""
        if self._take is not None:
            self._take.lost()

    def stop_take(self, host_time: float) -> None:
        """End the take's audio here; its last notes may come until latency and tail are over."""
        self._count_overruns()
        if self._take is not None:
            end_at = host_time + self._latency + TAIL_S
            self._ending.append(_EndingTake(self._take, self.time, end_at))
            self._take = None

    def update(self, host_time: float) -> None:
        """End the takes whose last notes were sent, and flush the others."""
        for ending in [one for one in self._ending if host_time >= one.end_at]:
            self._finish(ending, "stopped")
        if host_time >= self._flush_at:
            self._flush_at = host_time + FLUSH_S
            self._count_overruns()
            for take in self._takes:
                take.flush()

    def close(self, reason: str) -> None:
        """End all takes: nothing more will be sent."""
        for one in tuple(self._ending):
            self._finish(one, "stopped")
        self._count_overruns()
        take, self._take = self._take, None
        if take is not None:
            self._ending.append(_EndingTake(take, self.time, 0.0))
            self._finish(self._ending[0], reason)
        self._sounding.clear()

    def fail(self, fault: str) -> list[str]:
        """End all takes as they are on the disk; return a line about each."""
        takes, self._take, self._ending = self._takes, None, []
        return [self._failed(take, fault) for take in takes]

    def _count_overruns(self) -> None:
        if self._take is not None:
            self._take.overruns(max(0, self._n_overruns() - self._n_overruns_before))

    def _failed(self, take: TakeSession, fault: str) -> str:
        try:
            contents = take.fail(fault)
        except (OSError, DataError) as error:
            _log.debug("%s: %s", take.take.name, error)
            if not exists(take.take.journal):
                return f"{take.take.name} is lost"
            return f"{take.take.name} is not whole; the next start of livecover completes it"
        is_whole = contents.ended != FAILED  # the fault came while it was being ended
        state = "is there" if is_whole else f"is not whole, {contents.seconds:.1f} s of it are kept"
        return f"{take.take.name} {state}"

    @property
    def _takes(self) -> list[TakeSession]:
        """The takes that notes may belong to."""
        current = [] if self._take is None else [self._take]
        return [*(one.take for one in self._ending), *current]

    def _finish(self, ending: _EndingTake, reason: str) -> None:
        """End a take. Raises OSError, DataError; then ``fail`` can still end it."""
        files = ending.take.take
        contents = ending.take.end(ending.end_time, reason)
        self._ending.remove(ending)
        _log.info("recorded %s, %.1f s", files.midi, contents.seconds)
        try:
            self._on_end(files, contents)
        except Exception as error:  # the take itself is whole
            _log.error("the piano of %s is not written: %s", files.name, error)

    def _header(self) -> dict[str, object]:
        source, settings = self._input, self._settings
        if source is None:
            raise ConfigError("recording needs an input; start playing first")
        style = settings.model.style
        return {
            "began": self._now().isoformat(timespec="milliseconds"),
            "livecover": __version__,
            "model": self._model() or settings.model.model,
            "style": list(style) if isinstance(style, tuple) else style,
            "parts": settings.play.parts,
            "latency": round(self._latency, 6),
            "way_out": round(self._way_out(), 6),
            "source": source.name,
            "sample_rate": source.sample_rate,
            "n_channels": source.n_channels,
        }


def _differences(before: EngineSettings, after: EngineSettings) -> Sequence[str]:
    """Return the texts about a change of settings."""
    words = [
        ("style", before.model.style, after.model.style),
        ("model", before.model.model, after.model.model),
        ("parts", before.play.parts, after.play.parts),
    ]
    return [f"{name} {_words(new)}" for name, old, new in words if new != old]


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(f"{number:g}" for number in value)
    return str(value)
