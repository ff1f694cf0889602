"""The live engine: threads and lifecycle, loss and return of the device, overload.

The source's thread writes blocks into a ring, one worker reads them and owns features, model and
decoder, one MIDI thread sends. Not here: what happens to a block (``engine.stream``).
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from engine.audio import AudioSource, open_source
from engine.clock import StreamClock
from engine.cover import open_mapping, open_pipeline
from engine.decoder import NoteDecoder
from engine.errors import DeviceError
from engine.latency import LatencyBudget, latency_budget
from engine.midi import MidiSink, open_sink
from engine.notes import NoteEvent
from engine.offline import Pipeline
from engine.rings import SampleRing
from engine.scheduler import Scheduler
from engine.settings import AudioSettings, EngineSettings, ModelSettings
from engine.stream import SILENCE_DBFS, CoverStream
from engine.style import style_vector
from engine.velocity import NoteMapping

BACK_OFF = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each try to open a lost source again; the last one repeats."""
WAIT = 0.1  # seconds without a block after which the worker looks at the source
MAX_BLOCK_S = 0.064  # audio taken at once, so that a step stays short
LOAD_SMOOTHING_S = 2.0
WARN_EVERY_S = 1.0
DRAIN_MARGIN_S = 2.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Status:
    """What the engine is doing, at one moment. Counts are since the start."""

    seconds: float = 0.0  # since the start
    peak_dbfs: float = SILENCE_DBFS  # of the last block
    latency: float = 0.0
    load: float = 0.0  # computing time for each second of audio, over the last seconds
    max_load: float = 0.0
    n_notes: int = 0  # note-ons sent
    n_late: int = 0
    n_dropped: int = 0  # too late, or refused by a full queue
    n_overruns: int = 0  # gaps in the audio: lost by the device, or by a full ring
    n_skipped_frames: int = 0  # passed over because the machine was too slow
    n_losses: int = 0  # of the source
    is_asleep: bool = False
    is_connected: bool = False


class _Session:
    """One source from its start to its end or loss: ring, clock, stream, and its place in time."""

    def __init__(
        self, source: AudioSource, pipeline: Pipeline, settings: EngineSettings, offset: float
    ) -> None:
        self.source = source
        self.offset = offset  # seconds of the engine's time at which this source's time is 0
        self.ring = SampleRing(
            round(settings.audio.ring * source.sample_rate), max(1, source.n_channels)
        )
        self.clock = StreamClock(source.sample_rate)
        self.stream = CoverStream(pipeline, settings, source.sample_rate, source.n_channels)
        self._last_anchor = time.perf_counter()

    def moment(self, seconds: float) -> float:
        """Return the perf_counter time at which the engine's second ``seconds`` was at the ear."""
        sample = (seconds - self.offset) * self.source.sample_rate
        try:
            self._last_anchor = self.clock.time_of(sample) - self.source.latency
        except RuntimeError:  # the clock starts anew at this very moment: the next block sets it
            _log.debug("a note found the clock between two starts")
        return self._last_anchor

    @property
    def n_overruns(self) -> int:
        """Gaps so far."""
        return self.source.n_overflows + (self.ring.overruns > 0)


class Engine:
    """Plays what the source hears, from ``start`` to ``stop``; a context manager does both.

    Everything is opened and warm before audio starts. After ``stop`` every note has ended and every
    file is written, whatever happened.

    Parameters
    ----------
    settings
        All of the engine's.
    open_source, open_pipeline, open_sink
        Ways to open what the settings name; a test passes its own.
    note_log
        If given, (due, sent) of each note-on is appended; for measuring.

    Raises
    ------
    LiveCoverError
        At construction, if the model, the source or an output cannot be opened, or the latency
        asked for is not possible.
    """

    def __init__(
        self,
        settings: EngineSettings,
        *,
        open_source: Callable[[str, AudioSettings], AudioSource] = open_source,
        open_pipeline: Callable[[ModelSettings], Pipeline] = open_pipeline,
        open_sink: Callable[[Sequence[str], NoteMapping], MidiSink] = open_sink,
        note_log: list[tuple[float, float]] | None = None,
    ) -> None:
        self._settings = settings
        self._open_source = open_source
        self._pipeline = open_pipeline(settings.model)
        self._session = self._new_session(offset=0.0)
        self.budget = self._budget()
        self.sink = open_sink(settings.midi.midi_out, open_mapping(settings))
        self._scheduler = Scheduler(
            self.sink, self.budget.total, settings.time.late_tolerance, record=note_log
        )
        self._stop = threading.Event()
        self._worker: threading.Thread | None = None
        self._error: BaseException | None = None
        self._is_closed = False
        self._started = 0.0
        self._load = self._max_load = 0.0
        self._n_losses = 0
        self._n_skipped_before = self._n_overruns_before = 0  # of sessions that are over
        self._last_warning = -WARN_EVERY_S
        self._is_connected = False

    @property
    def source(self) -> AudioSource:
        """The source in use."""
        return self._session.source

    @property
    def pipeline(self) -> Pipeline:
        """Front end and model."""
        return self._pipeline

    def set_style(self, style: str | float | Sequence[float]) -> None:
        """Take a style, as ``style_vector`` does, from the next step on. Raises ConfigError.

        Any thread. Notes that sound go on.
        """
        self._pipeline.style = style_vector(style, self._pipeline.spec)

    def panic(self) -> None:
        """End every sounding note and drop what is queued, at once. Any thread."""
        self._scheduler.panic()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the source, then the threads. Raises DeviceError; all is closed again then.

        Until the source has started no output is touched: a take on disk stays as it was.
        """
        assert self._worker is None
        self._started = time.perf_counter()
        try:
            self._begin(self._session)
        except BaseException:
            self.stop()
            raise
        self._scheduler.start()
        self._worker = threading.Thread(target=self._run, name="worker", daemon=True)
        self._worker.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Return True once the song is over, False after ``timeout`` s.

        Raises what stopped the worker or the MIDI thread, if something did.
        """
        assert self._worker is not None, "start() comes before wait()"
        self._worker.join(timeout)
        error = self._error or self._scheduler.error
        if error is not None:
            raise error
        return not self._worker.is_alive()

    def stop(self) -> None:
        """End every note, close everything, save files. A second call does nothing.

        Raises MidiError if a file cannot be written.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._stop.set()
        self._session.ring.wake()
        self._scheduler.close()  # first: no note waits for the worker's last step
        if self._worker is not None:
            self._worker.join()
        self._session.source.stop()
        self.sink.close()

    def status(self) -> Status:
        """Return the state now. Any thread."""
        session, scheduler = self._session, self._scheduler
        return Status(
            seconds=time.perf_counter() - self._started if self._started else 0.0,
            peak_dbfs=session.stream.peak_dbfs if self._is_connected else SILENCE_DBFS,
            latency=self.budget.total,
            load=self._load,
            max_load=self._max_load,
            n_notes=scheduler.n_sent,
            n_late=scheduler.n_late,
            n_dropped=scheduler.n_dropped + scheduler.n_overflowed,
            n_overruns=self._n_overruns_before + session.n_overruns,
            n_skipped_frames=self._n_skipped_before + session.stream.n_skipped_frames,
            n_losses=self._n_losses,
            is_asleep=session.stream.is_asleep,
            is_connected=self._is_connected,
        )

    def _new_session(self, offset: float) -> _Session:
        source = self._open_source(self._settings.audio.input, self._settings.audio)
        return _Session(source, self._pipeline, self._settings, offset)

    def _budget(self) -> LatencyBudget:
        source = self._session.source
        return latency_budget(
            self._pipeline.spec,
            self._settings.time,
            block=source.block_size / source.sample_rate,
            device=source.latency,
            resampler=self._session.stream.resampler_delay,
            decoder_frames=NoteDecoder.lookahead_frames,
        )

    def _begin(self, session: _Session) -> None:
        """Start the session's source, and tell the scheduler how its time runs."""
        session.source.start(session.ring, session.clock)
        self._session = session
        self._scheduler.anchor(session.moment)
        self._is_connected = True

    def _run(self) -> None:
        """Listen until stopped or the song is over. On the worker thread."""
        try:
            while not self._is_over:
                self._listen(self._session)
                if self._is_over or self._session.source.is_finished:
                    break
                self._recover()
            self._submit(self._session, self._session.stream.finish())
            if not self._is_over:
                self._scheduler.drain(self.budget.total + DRAIN_MARGIN_S)
        except BaseException as error:
            self._error = error
            self._scheduler.panic()
        finally:
            self._is_connected = False

    @property
    def _is_over(self) -> bool:
        """True once stopped, or the MIDI thread has."""
        return self._stop.is_set() or self._scheduler.error is not None

    def _listen(self, session: _Session) -> None:
        """Work until stopped, or the source has ended and all it gave is heard."""
        ring, source = session.ring, session.source
        while not self._is_over:
            # The ring is looked at after the source, which may write its last block in between.
            if not ring.wait(WAIT) and not source.is_alive() and not ring.available:
                return
            self.step(session)
            if source.is_finished and not ring.available:
                return

    def step(self, session: _Session) -> None:
        """Take what waits in the ring, up to ``MAX_BLOCK_S``; skip if too much waits."""
        rate = session.source.sample_rate
        backlog = session.ring.available / rate
        if backlog > self._settings.time.backlog_limit:
            self._skip(session, backlog)
            return
        block = session.ring.read(round(MAX_BLOCK_S * rate))
        if not len(block):
            return
        start = time.perf_counter()
        self._submit(session, session.stream.push(block))
        self._note_load(time.perf_counter() - start, len(block) / rate)

    def _skip(self, session: _Session, backlog: float) -> None:
        """Pass over the backlog, rather than fall behind without end."""
        block = session.ring.read(session.ring.available)
        self._submit(session, session.stream.skip(block))
        now = time.perf_counter()
        if now - self._last_warning >= WARN_EVERY_S:
            self._last_warning = now
            _log.warning(
                "too slow by %.0f ms: skipped to the present (%d frames in all). Close other"
                " programs, raise model.threads, or take a smaller model",
                1000 * backlog,
                self._n_skipped_before + session.stream.n_skipped_frames,
            )

    def _note_load(self, elapsed: float, seconds: float) -> None:
        share = min(1.0, seconds / LOAD_SMOOTHING_S)
        self._load += share * (elapsed / seconds - self._load)
        self._max_load = max(self._max_load, self._load)

    def _submit(self, session: _Session, events: list[NoteEvent]) -> None:
        """Hand events to the scheduler in the engine's time."""
        if session.offset:
            events = [replace(event, time=event.time + session.offset) for event in events]
        self._scheduler.submit(events)

    def _recover(self) -> None:
        """End the lost session's notes, and open the source again, with back-off."""
        lost = self._session
        self._is_connected = False
        self._n_losses += 1
        _log.warning("%s; trying again", lost.source.error or f"{lost.source.name} is gone")
        self._submit(lost, lost.stream.finish())
        lost.source.stop()
        self._n_overruns_before += lost.n_overruns
        self._n_skipped_before += lost.stream.n_skipped_frames
        n_tries = 0
        while not self._stop.wait(BACK_OFF[min(n_tries, len(BACK_OFF) - 1)]):
            n_tries += 1
            try:
                session = self._new_session(time.perf_counter() - self._started)
                self._begin(session)
            except DeviceError as error:
                _log.debug("not yet: %s", error)
                continue
            _log.warning("audio is back: %s", session.source.name)
            self._warn_if_later()
            return
        # Stopped while waiting: the lost stream is finished already, so begin an empty one.
        self._session.stream = CoverStream(
            self._pipeline, self._settings, lost.source.sample_rate, lost.source.n_channels
        )

    def _warn_if_later(self) -> None:
        """Say so if the source that came back needs more time than the session's constant."""
        needed = self._budget().total
        if needed > self.budget.total + 1e-3:
            _log.warning(
                "this input needs %.0f ms, more than the %.0f ms of this session: notes may come"
                " late; start again to change it",
                1000 * needed,
                1000 * self.budget.total,
            )
