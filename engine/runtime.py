"""The live engine: threads and lifecycle, loss and return of the device, overload, changes.

The source's thread writes blocks into a ring, one worker reads them and owns features, model and
decoder, one MIDI thread sends. Not here: what happens to a block (``engine.stream``).
"""

import collections
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from engine.audio import AudioSource, open_source
from engine.cover import open_pipeline
from engine.decoder import NoteDecoder
from engine.errors import DeviceError
from engine.latency import LatencyBudget, latency_budget
from engine.meters import LoadMeter, Status
from engine.midi import MidiSink, open_sink, sinks_of
from engine.notes import Event
from engine.offline import Pipeline
from engine.performer import channels
from engine.resample import Resampler
from engine.scheduler import Scheduler
from engine.session import Session
from engine.settings import AudioSettings, EngineSettings, ModelSettings
from engine.stream import SILENCE_DBFS
from engine.style import style_vector
from engine.taps import Tap, Taps

BACK_OFF = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each try to open a lost source again; the last one repeats."""
WAIT = 0.1  # seconds without a block after which the worker looks at the source
MAX_BLOCK_S = 0.064  # audio taken at once, so that a step stays short
WARN_EVERY_S = 1.0
DRAIN_MARGIN_S = 2.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Change:
    """What was opened for other settings, and waits for the worker to take it; None: as it was."""

    settings: EngineSettings
    budget: LatencyBudget
    pipeline: Pipeline | None = None
    session: Session | None = None
    sink: MidiSink | None = None


class Engine:
    """Plays what the source hears, from ``start`` to ``stop``; a context manager does both.

    Everything is opened and warm before audio starts. After ``stop`` every note has ended and every
    file is written, whatever happened.

    Parameters
    ----------
    settings
        All of the engine's; :meth:`change` takes others.
    taps
        What listens; more by ``engine.taps.add``.
    open_source, open_pipeline, open_sink
        Ways to open what the settings name; a test passes its own.

    Raises
    ------
    LiveCoverError
        At construction, if the model, the source or an output cannot be opened, or the latency
        asked for is not possible.
    """

    def __init__(
        self,
        settings: EngineSettings,
        taps: Sequence[Tap] = (),
        *,
        open_source: Callable[[str, AudioSettings], AudioSource] = open_source,
        open_pipeline: Callable[[ModelSettings], Pipeline] = open_pipeline,
        open_sink: Callable[[Sequence[str], Sequence[MidiSink]], MidiSink] = open_sink,
    ) -> None:
        self.settings = settings
        self.taps = Taps(taps)
        self._open_source = open_source
        self._open_pipeline = open_pipeline
        self._open_sink = open_sink
        self._pipeline = open_pipeline(settings.model)
        self._session = self._new_session(settings, offset=0.0)
        self._session.begin(self._pipeline, settings)
        self.budget = self._budget(settings, self._pipeline, self._session.source)
        self.sink = open_sink(settings.midi.midi_out, ())
        self._scheduler = Scheduler(
            self.sink,
            self.budget.total,
            settings.time.late_tolerance,
            on_sent=self.taps.sent,
        )
        self._stop = threading.Event()
        self._worker: threading.Thread | None = None
        self._error: BaseException | None = None
        self._is_closed = False
        self._started = 0.0
        self._load = LoadMeter()
        self._n_losses = 0
        self._n_skipped_before = self._n_overruns_before = 0  # of streams and sources that are over
        self._last_warning = -WARN_EVERY_S
        self._is_connected = False
        self._changing = threading.Lock()
        self._asked: collections.deque[Callable[[], None]] = collections.deque()  # of the worker
        self._is_asked = threading.Event()  # that, or to stop

    @property
    def source(self) -> AudioSource:
        """The source in use."""
        return self._session.source

    @property
    def pipeline(self) -> Pipeline:
        """Front end and model."""
        return self._pipeline

    def change(self, settings: EngineSettings) -> None:
        """Go on with other settings. Any thread but the worker's and the MIDI thread.

        Style, performance and decoder count from the next step on. Another input, model or output
        is opened here before the worker passes over to it, so playing goes on meanwhile; the ring
        and the gate's settings count with the next input. Returns once all is in force.

        Raises
        ------
        LiveCoverError
            As at construction; all stays as it was.
        """
        with self._changing:
            change = self._prepare(settings)
            if change.sink is not None:
                self._scheduler.change_sink(change.sink)
                self._close_unused(self.sink, change.sink)
                self.sink = change.sink
            self._ask(lambda: self._take(change))

    def add_tap(self, tap: Tap) -> None:
        """Let ``tap`` hear all that comes from now on, the source first. As ``change``."""

        def add() -> None:
            self.taps.add(tap)
            if self._is_connected:
                tap.begin(self.source, self._session.offset, self.budget.total)

        self._ask(add)

    def panic(self) -> None:
        """End every sounding note and drop what is queued, at once. Any thread."""
        self._scheduler.panic()
        self.taps.silenced()

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
            self._session.source.start(self._session.ring, self._session.clock)
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
        self._is_asked.set()
        self._session.ring.wake()
        self._scheduler.close()  # first: no note waits for the worker's last step
        if self._worker is not None:
            self._worker.join()
        self._session.source.stop()
        self.taps.close()
        self.sink.close()

    def status(self) -> Status:
        """Return the state now. Any thread."""
        session, scheduler = self._session, self._scheduler
        return Status(
            seconds=time.perf_counter() - self._started if self._started else 0.0,
            peak_dbfs=session.stream.peak_dbfs if self._is_connected else SILENCE_DBFS,
            latency=self.budget.total,
            load=self._load.load,
            max_load=self._load.highest,
            n_notes=scheduler.n_sent,
            n_late=scheduler.n_late,
            n_dropped=scheduler.n_dropped + scheduler.n_overflowed,
            n_overruns=self._n_overruns_before + session.n_overruns,
            n_skipped_frames=self._n_skipped_before + session.stream.n_skipped_frames,
            n_losses=self._n_losses,
            is_asleep=session.stream.is_asleep,
            is_connected=self._is_connected,
        )

    def _new_session(self, settings: EngineSettings, offset: float) -> Session:
        return Session(self._open_source(settings.audio.input, settings.audio), settings, offset)

    def _budget(
        self, settings: EngineSettings, pipeline: Pipeline, source: AudioSource
    ) -> LatencyBudget:
        rate, n_channels = pipeline.spec.features.sample_rate, source.n_channels
        return latency_budget(
            pipeline.spec,
            settings.time,
            block=source.block_size / source.sample_rate,
            device=source.latency,
            resampler=Resampler(source.sample_rate, rate, n_channels).delay,
            decoder_frames=NoteDecoder.lookahead_frames,
        )

    def _ask(self, action: Callable[[], None]) -> None:
        """Let the worker do something between two steps, and return once it has."""
        if self._worker is None:
            action()
            return
        done = threading.Event()

        def do() -> None:
            action()
            done.set()

        self._asked.append(do)
        self._is_asked.set()
        self._session.ring.wake()
        while not done.wait(WAIT) and self._worker.is_alive():
            pass

    # Changes --------------------------------------------------------------------------------------

    def _prepare(self, settings: EngineSettings) -> _Change:
        """Open what other settings need; what was opened before a failure is closed."""
        now = self.settings
        pipeline, session = None, None
        player = (settings.model.model, settings.model.provider, settings.model.threads)
        if player != (now.model.model, now.model.provider, now.model.threads):
            pipeline = self._open_pipeline(settings.model)
        else:
            style_vector(settings.model.style, self._pipeline.spec)  # raises before all else
        if settings.audio != now.audio:
            session = self._new_session(settings, offset=self._now)
        source = self._session.source if session is None else session.source
        budget = self._budget(settings, pipeline or self._pipeline, source)
        change = _Change(settings, budget, pipeline, session)
        if settings.midi.midi_out != now.midi.midi_out:
            change.sink = self._open_sink(settings.midi.midi_out, sinks_of(self.sink))
        if session is not None and self._worker is not None:
            try:
                session.source.start(session.ring, session.clock)
            except BaseException:
                session.source.stop()
                if change.sink is not None:
                    self._close_unused(change.sink, self.sink)
                raise
        return change

    def _take(self, change: _Change) -> None:
        """Go on with what was opened. On the worker thread, or before it starts."""
        before, settings = self.settings, change.settings
        if change.pipeline is not None or change.session is not None:
            self._finish(self._session)
        if change.pipeline is not None:
            self._pipeline = change.pipeline
        elif settings.model.style != before.model.style:
            self._pipeline.style = style_vector(settings.model.style, self._pipeline.spec)
        self.settings, self.budget = settings, change.budget
        self._scheduler.latency = change.budget.total
        self._scheduler.late_tolerance = settings.time.late_tolerance
        if change.session is not None:
            self._session.source.stop()
            self._count_gaps(self._session)
            change.session.begin(self._pipeline, settings)
            self._session = change.session
            if self._worker is not None:
                self._begin(change.session)
        elif change.pipeline is not None:
            self._session.begin(self._pipeline, settings)
        else:
            self._submit(self._session, self._session.stream.change(settings))
        if settings.play.mute and not before.play.mute:
            self.panic()
        if settings.play.hold != before.play.hold or settings.midi != before.midi:
            self._hold()
        self.taps.changed(settings, change.budget.total)

    def _hold(self) -> None:
        """Keep the pedals down if the settings say so."""
        settings = self.settings
        self._scheduler.hold(channels(settings.midi) if settings.play.hold else ())

    @staticmethod
    def _close_unused(old: MidiSink, new: MidiSink) -> None:
        """Close what ``old`` sends to and ``new`` does not."""
        for sink in sinks_of(old):
            if all(sink is not other for other in sinks_of(new)):
                sink.close()

    # The worker -----------------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        """The engine's time."""
        return time.perf_counter() - self._started if self._started else 0.0

    def _begin(self, session: Session) -> None:
        """Take a session whose source has started: its time is the scheduler's from now on."""
        self._session = session
        self._scheduler.anchor(session.moment)
        self._is_connected = True
        self.taps.begin(session.source, session.offset, self.budget.total)
        self._hold()

    def _run(self) -> None:
        """Listen until stopped or the song is over. On the worker thread."""
        try:
            while not self._is_over:
                self._listen()
                if self._is_over or self._session.source.is_finished:
                    break
                self._recover()
            if self._is_connected:
                self._finish(self._session)
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

    def _do_asked(self) -> None:
        self._is_asked.clear()
        while self._asked and not self._is_over:
            self._asked.popleft()()

    def _listen(self) -> None:
        """Work until stopped, or the source has ended and all it gave is heard."""
        while not self._is_over:
            self._do_asked()
            ring, source = self._session.ring, self._session.source
            # The ring is looked at after the source, which may write its last block in between.
            if not ring.wait(WAIT) and not source.is_alive() and not ring.available:
                if not self._asked:
                    return
                continue
            self.step(self._session)
            if source.is_finished and not ring.available and not self._asked:
                return

    def step(self, session: Session) -> None:
        """Take what waits in the ring, up to ``MAX_BLOCK_S``; skip if too much waits."""
        rate = session.source.sample_rate
        backlog = session.ring.available / rate
        is_too_much = backlog > self.settings.time.backlog_limit
        start = session.ring.total_read
        block = session.ring.read(
            session.ring.available if is_too_much else round(MAX_BLOCK_S * rate)
        )
        if not len(block):
            return
        time_of_block = session.time_of(start)
        self.taps.audio(block, time_of_block, session.moment(time_of_block))
        if is_too_much:  # rather than fall behind without end
            self._submit(session, session.stream.skip(block))
            self._warn_of_skipping(session, backlog)
            return
        self._load.begin()
        self._submit(session, session.stream.push(block))
        self._load.end(len(block) / rate)

    def _warn_of_skipping(self, session: Session, backlog: float) -> None:
        now = time.perf_counter()
        if now - self._last_warning >= WARN_EVERY_S:
            self._last_warning = now
            _log.warning(
                "too slow by %.0f ms: skipped to the present (%d frames in all). Close other"
                " programs, raise model.threads, or take a smaller model",
                1000 * backlog,
                self._n_skipped_before + session.stream.n_skipped_frames,
            )

    def _submit(self, session: Session, events: Sequence[Event]) -> None:
        """Hand a stream's events to the scheduler in the engine's time."""
        if events:
            events = session.placed(events)
            self.taps.found(events, self._scheduler.submit(events))

    def _finish(self, session: Session) -> None:
        """End a stream and its notes."""
        self._submit(session, session.stream.finish())
        self._n_skipped_before += session.stream.n_skipped_frames
        session.stream.n_skipped_frames = 0

    def _count_gaps(self, session: Session) -> None:
        self._n_overruns_before += session.n_overruns

    def _recover(self) -> None:
        """End the lost session's notes, and open the source again, with back-off."""
        lost = self._session
        self._is_connected = False
        self._n_losses += 1
        _log.warning("%s; trying again", lost.source.error or f"{lost.source.name} is gone")
        self._finish(lost)
        lost.source.stop()
        self.taps.lost()
        n_tries = 0
        while True:
            self._is_asked.wait(BACK_OFF[min(n_tries, len(BACK_OFF) - 1)])
            lost.begin(self._pipeline, self.settings)  # so that a change finds nothing to finish
            self._do_asked()
            if self._is_over or self._session is not lost:
                return
            n_tries += 1
            try:
                session = self._new_session(self.settings, self._now)
                session.source.start(session.ring, session.clock)
            except DeviceError as error:
                _log.debug("not yet: %s", error)
                continue
            self._count_gaps(lost)
            session.begin(self._pipeline, self.settings)
            self._begin(session)
            _log.warning("audio is back: %s", session.source.name)
            self._warn_if_later()
            return

    def _warn_if_later(self) -> None:
        """Say so if the source that came back needs more time than the session's constant."""
        needed = self._budget(self.settings, self._pipeline, self._session.source).total
        if needed > self.budget.total + 1e-3:
            _log.warning(
                "this input needs %.0f ms, more than the %.0f ms of this session: notes may come"
                " late; start again to change it",
                1000 * needed,
                1000 * self.budget.total,
            )
