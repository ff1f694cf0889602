"""The tap that records takes: hears the engine, and writes on a thread of its own.

What it hears goes into a queue and nowhere else; all decisions fall on the writer's thread
(``desk``).
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

from engine.audio_source import AudioSource
from engine.errors import ConfigError
from engine.notes import Event, NoteEvent
from engine.settings import EngineSettings
from engine.taps import Tap
from livecover.takes.desk import FLUSH_S, Input, TakeDesk
from livecover.takes.ending import recover_takes
from livecover.takes.files import TakeFiles, check_folder
from livecover.takes.journal import Contents
from livecover.tempo import Tempo

Array = NDArray[np.float32]

MAX_WAITING_S = 30.0
"""Seconds of sound that may wait for the disk; what comes then is silence in the take."""
MAX_EVENTS = 100_000
"""Entries that may wait for the disk; note-ons that come then are not in the take."""

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
    on_end
        Called with each finished take, on the writer's thread.
    clock, now
        Seconds that only rise; the time of day.
    is_threaded
        False: the caller calls :meth:`turn`; for tests.
    """

    def __init__(
        self,
        folder: Path,
        has_song: bool = True,
        settings: EngineSettings | None = None,
        *,
        model: Callable[[], str] = lambda: "",
        on_end: Callable[[TakeFiles, Contents], None] = lambda files, contents: None,
        clock: Callable[[], float] = time.perf_counter,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now().astimezone(),
        is_threaded: bool = True,
    ) -> None:
        self.folder = folder
        self.has_song = has_song
        self._clock = clock
        self._desk = TakeDesk(settings or EngineSettings(), model, on_end, now)
        self._is_wanted = False
        self._is_armed = False  # the same, as far as the writer knows
        self._queue: collections.deque[Callable[[], None]] = collections.deque()
        self._n_put = self._n_taken = 0.0  # seconds of sound: by the worker, by the writer
        self._sample_rate = 0  # the worker's
        self._news = threading.Event()
        self._is_closing = False
        self._thread: threading.Thread | None = None
        if is_threaded:
            self._thread = threading.Thread(target=self._run, name="takes", daemon=True)
            self._thread.start()

    @property
    def is_recording(self) -> bool:
        """Whether sound that comes now belongs to a take."""
        return self._is_wanted

    def record(self, is_on: bool) -> None:
        """Begin a take with the next block, or end it with the last one. Any thread.

        Raises ConfigError where the folder cannot be written to.
        """
        if is_on and not self._is_wanted:
            check_folder(self.folder)
        self._is_wanted = is_on
        at = self._clock()
        self._put(lambda: self._arm(is_on, at))

    def recover(self) -> list[str]:
        """Make whole what a killed program left in the folder; return a line about each take."""
        return recover_takes(self.folder)

    def tempo(self, tempo: Tempo | None) -> None:
        """Take the song's tempo from now on; None where nobody knows. Any thread."""
        self._put(lambda: self._desk.tempo(tempo))

    def shut_down(self, timeout: float = 120.0) -> None:
        """End the take, write what waits and end the thread; a second call does nothing."""
        self._is_closing = True
        self._news.set()
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                _log.error("the take was not written within %g s", timeout)

    def begin(self, source: AudioSource, offset: float, latency: float) -> None:  # noqa: D102
        self._sample_rate = source.sample_rate
        known = Input(source.name, source.sample_rate, source.n_channels)
        self._put(lambda: self._desk.begin(known, latency))

    def audio(self, block: Array, time: float, moment: float) -> None:  # noqa: D102
        rate, n = self._sample_rate, len(block)
        if not rate:
            return  # added in the middle of a source, whose rate nobody told
        if self._n_put - self._n_taken > MAX_WAITING_S:
            self._put(lambda: self._audio(None, n, time, moment, rate))
            return
        self._n_put += n / rate
        self._put(lambda: self._audio(block, n, time, moment, rate))

    def sent(self, event: Event, due: float, at: float) -> None:  # noqa: D102
        is_on = isinstance(event, NoteEvent) and event.is_on
        if not is_on or len(self._queue) < MAX_EVENTS:
            self._put(lambda: self._desk.sent(event))

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
            while self._queue:
                self._queue.popleft()()
            self._desk.turn(self._clock())
        except (OSError, ConfigError) as error:
            self._is_wanted = self._is_armed = False
            _log.error("recording has stopped: %s. Make room, or give another folder", error)
            self._desk.abandon()

    def _put(self, action: Callable[[], None]) -> None:
        self._queue.append(action)
        self._news.set()

    def _run(self) -> None:
        try:
            while not self._is_closing:
                self._news.wait(None if self._desk.is_empty else FLUSH_S)
                self._news.clear()
                self.turn()
            self.turn()
            self._desk.close("stopped")
        except Exception:
            self._is_wanted = False
            _log.exception("the recorder failed; what it had written can be recovered")
            self._desk.abandon()

    def _arm(self, is_on: bool, at: float) -> None:
        self._is_armed = is_on
        if not is_on:
            self._desk.stop_take(at)

    def _audio(
        self, block: Array | None, n: int, time: float, moment: float, sample_rate: int
    ) -> None:
        if block is not None:
            self._n_taken += n / sample_rate
        if self._is_armed and not self._desk.is_recording:
            self._desk.start_take(self.folder, time, self.has_song)
        self._desk.audio(block, n, time, moment, sample_rate)
