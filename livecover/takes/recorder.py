"""The tap that records takes: hears the engine, and writes on a thread of its own.

What it hears goes into a queue with bounds (``waiting``) and nowhere else; all decisions fall on
the writer's thread (``desk``). That thread may find the disk full, or never come back from it: both
are said, and playing goes on.
"""

import collections
import datetime
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ConfigError, LiveCoverError
from engine.core.notes import Event, NoteEvent, PedalEvent
from engine.core.settings import EngineSettings
from engine.core.taps import Tap, TappedSource
from engine.core.tempo import Tempo
from engine.system.bounded import MIN_SAVE_S, join_thread
from livecover.takes.desk import FLUSH_S, Input, TakeDesk
from livecover.takes.ending import recover_takes
from livecover.takes.files import TakeFiles, check_folder_in_time
from livecover.takes.journal import Contents
from livecover.takes.waiting import Entry, Sound, Waiting

Array = NDArray[np.float32]

STUCK_S = 5.0
"""Seconds in one step of the writer after which the disk is said to hang."""
STILL_S = 2.0
"""Seconds in one step of the writer after which the end of the program waits no longer."""
MAX_FAULTS = 8
"""Faults that are kept for the program's end."""
ADVICE = "Make room, or give --record another folder"

_log = logging.getLogger(__name__)


class TakeRecorder(Tap):
    """Records takes into a folder, from the next block on after ``record(True)``.

    Stays with the engine while it does not record, so that it knows what sounds.

    Parameters
    ----------
    folder
        Made where it is not there.
    has_song
        Whether the input is kept too, as FLAC.
    settings
        What the take says of itself.
    model
        Returns the model's name and version.
    n_overruns
        Returns the gaps of the input since its engine began.
    on_end
        Called with each finished take, on the writer's thread.
    clock, now
        Monotonic seconds; the time of day.
    is_threaded
        False: the caller calls :meth:`turn`; for tests.

    Attributes
    ----------
    faults : deque of str
        Why takes are not whole that were to be.
    """

    def __init__(
        self,
        folder: Path,
        has_song: bool = True,
        settings: EngineSettings | None = None,
        *,
        model: Callable[[], str] = lambda: "",
        n_overruns: Callable[[], int] = lambda: 0,
        on_end: Callable[[TakeFiles, Contents], None] = lambda files, contents: None,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now().astimezone(),
        is_threaded: bool = True,
    ) -> None:
        self.folder = folder
        self.has_song = has_song
        self.faults: collections.deque[str] = collections.deque(maxlen=MAX_FAULTS)
        self._clock = clock
        self._desk = TakeDesk(
            settings or EngineSettings(), model, on_end, now, self._step, n_overruns
        )
        self._is_wanted = False
        self._is_armed = False  # the same, as far as the writer knows
        self._fault = ""
        self._waiting = Waiting()
        self._n_lost_notes = 0  # of those that the desk knows
        self._sample_rate = 0  # the worker's
        self._step_at: float | None = None  # when the writer's step began; None between turns
        self._n_steps = 0
        self._was_stuck = False
        self._news = threading.Event()
        self._is_closing = False
        self._is_over = False
        self._thread: threading.Thread | None = None
        if is_threaded:
            self._thread = threading.Thread(target=self._run, name="takes", daemon=True)
            self._thread.start()

    @property
    def is_recording(self) -> bool:
        """Whether sound that comes now belongs to a take."""
        return self._is_wanted

    @property
    def fault(self) -> str:
        """Why recording has failed, or what it waits for; empty where all is well. Any thread."""
        return self._fault or self._waits()

    def record(self, is_on: bool) -> None:
        """Begin a take with the next block, or end it with the last one. Any thread.

        Raises ConfigError where the folder cannot be written to.
        """
        if is_on and not self._is_wanted:
            if self._is_over or self._waits():
                raise ConfigError(f"nothing can be recorded: {self.fault}")
            check_folder_in_time(self.folder, STILL_S)
            self._fault = ""
        self._is_wanted = is_on
        at = self._clock()
        self._put(lambda: self._arm(is_on, at))

    def recover(self) -> list[str]:
        """Make whole what a killed program left in the folder; return a line about each take."""
        return recover_takes(self.folder)

    def tempo(self, tempo: Tempo | None) -> None:
        """Take the song's tempo from now on; None where nobody knows. Any thread."""
        self._put(lambda: self._desk.tempo(tempo))

    def shut_down(self, still: float = STILL_S) -> None:
        """End the take, write what waits and end the thread; a second call does nothing.

        A writer that does not come a step further within ``still`` seconds is left to itself.
        """
        if self._is_closing:
            return
        self._is_closing = True
        self._news.set()
        thread = self._thread
        while thread is not None:
            n_steps = self._n_steps
            if join_thread(thread, still, MIN_SAVE_S):
                return
            if self._n_steps == n_steps:
                break
        else:
            return
        self._say(
            f"the disk of {self.folder} does not answer: the take is not whole; the next start"
            " of livecover makes one of what is there"
        )

    def begin(self, source: TappedSource, offset: float, latency: float) -> None:  # noqa: D102
        self._sample_rate = source.sample_rate
        known = Input(source.name, source.sample_rate, source.n_channels)
        self._put(lambda: self._desk.begin(known, latency))

    def audio(self, block: Array, time: float, host_time: float) -> None:  # noqa: D102
        if not self._sample_rate or self._is_over:
            return  # added in the middle of a source, whose rate nobody told; or nobody writes
        self._waiting.put_sound(Sound(block, len(block), time, host_time, self._sample_rate))
        self._news.set()
        self._look_at_writer()

    def sent(self, event: Event, due: float, at: float) -> None:  # noqa: D102
        if not self._is_over:
            self._waiting.put_event(event)
            self._news.set()

    def changed(self, settings: EngineSettings, latency: float) -> None:  # noqa: D102
        self._put(lambda: self._desk.changed(settings, latency))

    def silenced(self) -> None:  # noqa: D102
        at = self._clock()
        self._put(lambda: self._desk.silenced(at))

    def lost(self) -> None:  # noqa: D102
        self._put(self._desk.lost)

    def close(self) -> None:  # noqa: D102
        self._put(lambda: self._desk.close("the engine stopped"))

    def turn(self) -> None:
        """Do what waits. On the writer's thread."""
        try:
            while (entry := self._waiting.take()) is not None:
                self._step()
                self._do(entry)
            if self._waiting.is_broken:
                raise OSError("too much waited for the disk")
            self._step()
            self._desk.turn(self._clock())
        except Exception as error:
            self._fail(error)
        finally:
            self._step_at = None

    def _put(self, action: Callable[[], None]) -> None:
        if not self._is_over:
            self._waiting.put(action)
            self._news.set()

    def _run(self) -> None:
        try:
            while not self._is_closing:
                self._news.wait(None if self._desk.is_empty else FLUSH_S)
                self._news.clear()
                self.turn()
            self._waiting.put(lambda: self._desk.close("stopped"))
            self.turn()
        finally:
            self._is_over = True
            self._waiting.clear()
            if not self._is_closing:
                self._fail(RuntimeError("its thread has ended"))

    def _do(self, entry: Entry) -> None:
        n_lost = self._waiting.n_lost_notes
        if n_lost > self._n_lost_notes:
            self._desk.lost_notes(n_lost - self._n_lost_notes)
            self._n_lost_notes = n_lost
        if isinstance(entry, Sound):
            if self._is_armed and not self._desk.is_recording:
                self._desk.start_take(self.folder, entry.time, self.has_song)
            self._desk.audio(entry.block, entry.n, entry.time, entry.host_time, entry.sample_rate)
        elif isinstance(entry, NoteEvent | PedalEvent):
            self._desk.sent(entry)
        else:
            entry()

    def _arm(self, is_on: bool, at: float) -> None:
        self._is_armed = is_on
        if not is_on:
            self._desk.stop_take(at)

    def _step(self) -> None:
        """Begin another step."""
        self._step_at = self._clock()
        self._n_steps += 1

    def _fail(self, error: Exception) -> None:
        """End what is recorded after an error; keep what was written."""
        _log.debug("recording failed", exc_info=error)
        self._is_wanted = self._is_armed = False
        self._waiting.is_broken = False
        why = _words(error)
        self._step()
        became = "; ".join(self._desk.fail(why))
        advice = f". {ADVICE}" if isinstance(error, OSError) else ""
        self._say(f"{why}{': ' if became else ''}{became}{advice}")

    def _say(self, fault: str) -> None:
        self._fault = f"recording has failed: {fault}"
        self.faults.append(self._fault)
        _log.error("%s", self._fault)

    def _waits(self) -> str:
        """Return that the disk hangs; empty unless it does."""
        at = self._step_at
        seconds = 0.0 if at is None else self._clock() - at
        if seconds < STUCK_S:
            return ""
        return f"recording waits: the disk of {self.folder} has not answered for {seconds:.0f} s"

    def _look_at_writer(self) -> None:
        """Say once that the disk hangs, and once that it is back."""
        waits = self._waits()
        if bool(waits) == self._was_stuck:
            return
        self._was_stuck = bool(waits)
        if waits:
            _log.error("%s; playing goes on", waits)
        else:
            _log.warning("recording goes on: the disk answers again")


def _words(error: Exception) -> str:
    """Return an error in few words."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error) if isinstance(error, LiveCoverError) else f"{type(error).__name__} {error}"
