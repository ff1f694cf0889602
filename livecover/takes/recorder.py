"""The tap that records takes.

The engine's threads only put into a bounded queue (``recording_queue``); a thread of its own writes
(``writer``). If the disk is full or does not answer, that is reported, and playing goes on.
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
from engine.core.tempo import Beat
from engine.system.bounded import MIN_SAVE_S, join_thread
from livecover.takes.files import TakeFiles, check_folder_in_time
from livecover.takes.journal import Contents
from livecover.takes.recording_queue import AudioEntry, Entry, RecordingQueue
from livecover.takes.writer import FLUSH_S, Input, TakeWriter

Array = NDArray[np.float32]

STUCK_S = 5.0
"""Seconds in one step of the writer after which the disk is reported as not answering."""
STILL_S = 2.0
"""Seconds in one step of the writer after which shutting down stops waiting for it."""
MAX_FAULTS = 8
"""Most faults that are kept for the end of the program."""
ADVICE = "Make room, or give --record another folder"

_log = logging.getLogger(__name__)


class TakeRecorder(Tap):
    """Records takes into a folder, from the next block on after ``record(True)``.

    It tracks notes even while not recording, for those that sound when a take begins.

    Parameters
    ----------
    folder
        Created if it does not exist.
    has_song
        Whether to record the input too, as FLAC.
    settings
        For the take's header.
    model
        Returns the model's name and version.
    n_overruns
        Returns the number of gaps in the input since the engine began.
    way_out
        Returns the seconds by which notes are heard later than they are sent, for the header.
    on_end
        Called with each finished take, on the writer's thread.
    clock, now
        Monotonic seconds; the time of day.
    is_threaded
        False: the caller calls :meth:`run_pending`; for tests.

    Attributes
    ----------
    faults : deque of str
        Why takes are not whole.
    """

    def __init__(
        self,
        folder: Path,
        has_song: bool = True,
        settings: EngineSettings | None = None,
        *,
        model: Callable[[], str] = lambda: "",
        n_overruns: Callable[[], int] = lambda: 0,
        way_out: Callable[[], float] = lambda: 0.0,
        on_end: Callable[[TakeFiles, Contents], None] = lambda files, contents: None,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now().astimezone(),
        is_threaded: bool = True,
    ) -> None:
        self.folder = folder
        self.has_song = has_song
        self.faults: collections.deque[str] = collections.deque(maxlen=MAX_FAULTS)
        self._clock = clock
        self._writer = TakeWriter(
            settings or EngineSettings(), model, on_end, now, self._step, n_overruns, way_out
        )
        self._is_wanted = False
        self._is_armed = False  # the same, on the writer's thread
        self._fault = ""
        self._queue = RecordingQueue()
        self._n_lost_notes = 0  # that the writer knows of
        self._sample_rate = 0  # of the input
        self._step_at: float | None = None  # start of the writer's step; None while it waits
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
        """Whether audio that comes now belongs to a take."""
        return self._is_wanted

    @property
    def fault(self) -> str:
        """Why recording has failed, or what it waits for; empty if neither. Any thread."""
        return self._fault or self._wait_fault()

    def record(self, is_on: bool) -> None:
        """Begin a take with the next block, or end it with the last one. Any thread.

        Raises ConfigError where the folder cannot be written to.
        """
        if is_on and not self._is_wanted:
            if self._is_over or self._wait_fault():
                raise ConfigError(f"nothing can be recorded: {self.fault}")
            check_folder_in_time(self.folder, STILL_S)
            self._fault = ""
        self._is_wanted = is_on
        at = self._clock()
        self._put(lambda: self._arm(is_on, at))

    def shut_down(self, still: float = STILL_S) -> None:
        """End the take, write what waits and end the thread. A second call does nothing.

        Stops waiting for a writer that makes no progress for ``still`` seconds.
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
        self._report(
            f"the disk of {self.folder} does not answer: the take is not whole; the next start"
            " of livecover completes it from what was written"
        )

    def begin(self, source: TappedSource, offset: float, latency: float) -> None:  # noqa: D102
        self._sample_rate = source.sample_rate
        known = Input(source.name, source.sample_rate, source.n_channels)
        self._put(lambda: self._writer.begin(known, latency))

    def audio(self, block: Array, time: float, host_time: float) -> None:  # noqa: D102
        if not self._sample_rate or self._is_over:
            return  # added in the middle of a source, so its rate is not known; or closed
        self._queue.put_audio(AudioEntry(block, len(block), time, host_time, self._sample_rate))
        self._news.set()
        self._check_writer()

    def sent(self, event: Event, due: float, at: float) -> None:  # noqa: D102
        if not self._is_over:
            self._queue.put_event(event)
            self._news.set()

    def changed(self, settings: EngineSettings, latency: float) -> None:  # noqa: D102
        self._put(lambda: self._writer.changed(settings, latency))

    def beat(self, beat: Beat) -> None:  # noqa: D102
        self._put(lambda: self._writer.beat(beat))

    def silenced(self) -> None:  # noqa: D102
        at = self._clock()
        self._put(lambda: self._writer.silenced(at))

    def lost(self) -> None:  # noqa: D102
        self._put(self._writer.lost)

    def close(self) -> None:  # noqa: D102
        self._put(lambda: self._writer.close("the engine stopped"))

    def run_pending(self) -> None:
        """Write everything in the queue. On the writer's thread."""
        try:
            while (entry := self._queue.get()) is not None:
                self._step()
                self._write(entry)
            if self._queue.is_broken:
                raise OSError("too much waited for the disk")
            self._step()
            self._writer.update(self._clock())
        except Exception as error:
            self._fail(error)
        finally:
            self._step_at = None

    def _put(self, action: Callable[[], None]) -> None:
        if not self._is_over:
            self._queue.put(action)
            self._news.set()

    def _run(self) -> None:
        try:
            while not self._is_closing:
                self._news.wait(None if self._writer.is_empty else FLUSH_S)
                self._news.clear()
                self.run_pending()
            self._queue.put(lambda: self._writer.close("stopped"))
            self.run_pending()
        finally:
            self._is_over = True
            self._queue.clear()
            if not self._is_closing:
                self._fail(RuntimeError("its thread has ended"))

    def _write(self, entry: Entry) -> None:
        n_lost = self._queue.n_lost_notes
        if n_lost > self._n_lost_notes:
            self._writer.lost_notes(n_lost - self._n_lost_notes)
            self._n_lost_notes = n_lost
        if isinstance(entry, AudioEntry):
            if self._is_armed and not self._writer.is_recording:
                self._writer.start_take(self.folder, entry.time, self.has_song)
            self._writer.audio(entry.block, entry.n, entry.time, entry.host_time, entry.sample_rate)
        elif isinstance(entry, NoteEvent | PedalEvent):
            self._writer.sent(entry)
        else:
            entry()

    def _arm(self, is_on: bool, at: float) -> None:
        self._is_armed = is_on
        if not is_on:
            self._writer.stop_take(at)

    def _step(self) -> None:
        """Begin the next step."""
        self._step_at = self._clock()
        self._n_steps += 1

    def _fail(self, error: Exception) -> None:
        """End all takes after an error; keep what was written."""
        _log.debug("recording failed", exc_info=error)
        self._is_wanted = self._is_armed = False
        self._queue.is_broken = False
        why = _words(error)
        self._step()
        became = "; ".join(self._writer.fail(why))
        advice = f". {ADVICE}" if isinstance(error, OSError) else ""
        self._report(f"{why}{': ' if became else ''}{became}{advice}")

    def _report(self, fault: str) -> None:
        self._fault = f"recording has failed: {fault}"
        self.faults.append(self._fault)
        _log.error("%s", self._fault)

    def _wait_fault(self) -> str:
        """Return a line if the disk does not answer, else an empty one."""
        at = self._step_at
        seconds = 0.0 if at is None else self._clock() - at
        if seconds < STUCK_S:
            return ""
        return f"recording waits: the disk of {self.folder} has not answered for {seconds:.0f} s"

    def _check_writer(self) -> None:
        """Report once that the disk does not answer, and once that it answers again."""
        waits = self._wait_fault()
        if bool(waits) == self._was_stuck:
            return
        self._was_stuck = bool(waits)
        if waits:
            _log.error("%s; playing goes on", waits)
        else:
            _log.warning("recording goes on: the disk answers again")


def _words(error: Exception) -> str:
    """Return a short text about an error."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error) if isinstance(error, LiveCoverError) else f"{type(error).__name__} {error}"
