"""What the writer of takes decides: when a take begins and ends, and what belongs to it.

One thread, time passed in. Engine time is seconds of the engine's input; moments are seconds of
the clock. Not here: the queue and the thread (``recorder``).
"""

import datetime
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ConfigError, DataError
from engine.core.note_tracker import NoteTracker
from engine.core.notes import Event
from engine.core.settings import EngineSettings
from engine.core.tempo import Tempo
from engine.system.paths import exists
from livecover import __version__
from livecover.takes.files import TakeFiles, begin_take
from livecover.takes.journal import FAILED, Contents
from livecover.takes.session import TakeSession

Array = NDArray[np.float32]

FLUSH_S = 0.25
"""Seconds between two moments up to which a crash loses nothing."""
TAIL_S = 0.25
"""Seconds beyond the latency for which the notes of the last moments are waited for."""

LEAD_S = 1.0
"""Seconds at least before the first bar line that a take's own bars lie on."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Input:
    """What the take says of its source."""

    name: str
    sample_rate: int
    n_channels: int


@dataclass(frozen=True, slots=True)
class _Leaving:
    """A take whose sound has ended and whose last notes are still to leave."""

    take: TakeSession
    end_time: float  # the engine's
    end_at: float  # a moment


class TakeDesk:
    """Begins, fills and ends takes.

    Parameters
    ----------
    settings
        What the take says of itself.
    model
        Returns the model's name and version.
    on_end
        Called with each finished take.
    now
        The time of day.
    on_step
        Called after each step of a take's end.
    n_overruns
        Returns the gaps of the input since its engine began.
    """

    def __init__(
        self,
        settings: EngineSettings,
        model: Callable[[], str],
        on_end: Callable[[TakeFiles, Contents], None],
        now: Callable[[], datetime.datetime],
        on_step: Callable[[], None] = lambda: None,
        n_overruns: Callable[[], int] = lambda: 0,
    ) -> None:
        self.time = 0.0  # the engine's, where the sound has come to
        self._host_time = 0.0  # when that was at the ear
        self._settings = settings
        self._model = model
        self._on_end = on_end
        self._now = now
        self._on_step = on_step
        self._n_overruns = n_overruns
        self._n_overruns_before = 0  # the take
        self._input: Input | None = None
        self._latency = 0.0
        self._tempo: Tempo | None = None
        self._sounding = NoteTracker()  # at the port; a take may begin at any time
        self._take: TakeSession | None = None
        self._leaving: list[_Leaving] = []
        self._flush_at = 0.0

    @property
    def is_empty(self) -> bool:
        """True while no take is being written."""
        return self._take is None and not self._leaving

    def begin(self, source: Input, latency: float) -> None:
        """Take a source that has started."""
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
        self._keep_time(self._take, time)
        _log.info("recording %s", files.midi)

    @property
    def is_recording(self) -> bool:
        """Whether sound belongs to a take now."""
        return self._take is not None

    def audio(
        self, block: Array | None, n: int, time: float, host_time: float, sample_rate: int
    ) -> None:
        """Take ``n`` samples of the input; ``block`` is None where they could not be kept."""
        self.time, self._host_time = time + n / sample_rate, host_time + n / sample_rate
        if self._take is None:
            return
        if block is None:
            self._take.dropped(n, time, sample_rate)
        else:
            self._take.audio(block, time, sample_rate)

    def sent(self, event: Event) -> None:
        """Take what has left."""
        self._sounding.track(event)
        for take in self._takes:
            take.sent(event)

    def lost_notes(self, n: int) -> None:
        """Take that ``n`` note-ons found no room."""
        for take in self._takes:
            take.lost_notes(n)

    def silenced(self, host_time: float) -> None:
        """Take that all notes were ended at ``host_time``."""
        time = self.time + (host_time - self._host_time) - self._latency
        for event in self._sounding.ends(time):
            for take in self._takes:
                take.sent(event)
        self._sounding.clear()

    def changed(self, settings: EngineSettings, latency: float) -> None:
        """Take other settings."""
        before, self._settings, self._latency = self._settings, settings, latency
        if self._take is not None:
            for text in _differences(before, settings):
                self._take.text(text, self.time)

    def tempo(self, tempo: Tempo | None) -> None:
        """Take the song's tempo from now on; None where nobody knows."""
        self._tempo = tempo
        if self._take is not None:
            self._keep_time(self._take, self.time)

    def _keep_time(self, take: TakeSession, time: float) -> None:
        """Tell a take the tempo at ``time``, and the first bar line after a lead."""
        tempo = self._tempo
        if tempo is None:
            return
        take.tempo(tempo.bpm, time)
        line = tempo.bar_at(self._host_time)
        if line is None:
            return
        bar_s = tempo.beats_per_bar * tempo.beat_s
        second = self.time + line - self._host_time  # the clock's moment is the ear's
        second += max(0, math.ceil((time + LEAD_S - second) / bar_s)) * bar_s
        take.bar(second, tempo.beats_per_bar)

    def lost(self) -> None:
        """Take that the input is gone."""
        if self._take is not None:
            self._take.lost()

    def stop_take(self, host_time: float) -> None:
        """End the take here; its last notes may still come for a while after ``host_time``."""
        self._count_overruns()
        if self._take is not None:
            end_at = host_time + self._latency + TAIL_S
            self._leaving.append(_Leaving(self._take, self.time, end_at))
            self._take = None

    def turn(self, host_time: float) -> None:
        """Finish what is over, and make safe what is not."""
        for leaving in [one for one in self._leaving if host_time >= one.end_at]:
            self._finish(leaving, "stopped")
        if host_time >= self._flush_at:
            self._flush_at = host_time + FLUSH_S
            self._count_overruns()
            for take in self._takes:
                take.flush()

    def close(self, reason: str) -> None:
        """Finish everything: nothing more will be sent."""
        for one in tuple(self._leaving):
            self._finish(one, "stopped")
        self._count_overruns()
        take, self._take = self._take, None
        if take is not None:
            self._leaving.append(_Leaving(take, self.time, 0.0))
            self._finish(self._leaving[0], reason)
        self._sounding.clear()

    def fail(self, fault: str) -> list[str]:
        """End all takes as they are on the disk; return what became of each."""
        takes, self._take, self._leaving = self._takes, None, []
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
            return f"{take.take.name} is not whole; the next start of livecover brings it to an end"
        is_whole = contents.ended != FAILED  # its end was under way
        state = "is there" if is_whole else f"is not whole, {contents.seconds:.1f} s of it are kept"
        return f"{take.take.name} {state}"

    @property
    def _takes(self) -> list[TakeSession]:
        """Those that notes may belong to."""
        current = [] if self._take is None else [self._take]
        return [*(one.take for one in self._leaving), *current]

    def _finish(self, leaving: _Leaving, reason: str) -> None:
        """End a take. Raises OSError, DataError; then it is among those that ``fail`` ends."""
        files = leaving.take.take
        contents = leaving.take.end(leaving.end_time, reason)
        self._leaving.remove(leaving)
        _log.info("recorded %s, %.1f s", files.midi, contents.seconds)
        try:
            self._on_end(files, contents)
        except Exception as error:  # of a listener; the take is whole
            _log.error("nothing more is made of %s: %s", files.name, error)

    def _header(self) -> dict[str, object]:
        source, settings = self._input, self._settings
        if source is None:
            raise ConfigError("a take needs an input; start playing first")
        style = settings.model.style
        return {
            "began": self._now().isoformat(timespec="milliseconds"),
            "livecover": __version__,
            "model": self._model() or settings.model.model,
            "style": list(style) if isinstance(style, tuple) else style,
            "parts": settings.play.parts,
            "latency": round(self._latency, 6),
            "source": source.name,
            "sample_rate": source.sample_rate,
            "n_channels": source.n_channels,
        }


def _differences(before: EngineSettings, after: EngineSettings) -> Sequence[str]:
    """Return what a take says about a change."""
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
