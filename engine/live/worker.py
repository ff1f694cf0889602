"""The worker: reads what a source's thread wrote, and owns features, model and decoder.

Not here: what happens to a block (``engine.cover.stream``), and what is opened when
(``engine.live.engine``, ``engine.live.opening``).
"""

import logging
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.accompany.accompanist import Accompanist
from engine.beat.follower import BeatFollower
from engine.core.notes import Event
from engine.core.settings import EngineSettings
from engine.core.taps import Taps
from engine.live.beat import LiveBeat
from engine.live.change import Change
from engine.live.recovery import SourceReopener, warn_of_latency
from engine.live.session import Session, source_is_paused
from engine.live.worker_thread import WAIT, WorkerThread
from engine.midi.scheduler import Scheduler
from engine.model.latency import LatencyBudget
from engine.model.pipeline import Pipeline
from engine.perform.performer import channels
from engine.signal.meters import LevelMeter, LoadMeter

MAX_BLOCK_S = 0.064  # audio taken at once, so that a step stays short
WARN_EVERY_S = 1.0
DRAIN_MARGIN_S = 2.0
SILENCE_TIMEOUT_S = 1.0  # for a port that hangs

_log = logging.getLogger(__name__)


class Worker(WorkerThread):
    """Runs one session after the other, on a thread of its own, until told to stop.

    Parameters
    ----------
    settings, budget, pipeline, follower, accompanist, session
        At first; the session is not started. :meth:`apply` brings others.
    scheduler, taps
        Get the events, and audio and events.
    open_session
        Opens the source again after a loss, given settings and the engine's time.

    Attributes
    ----------
    is_connected : bool
        Whether the source is there.
    beat : LiveBeat
        What follows the beat, and where it is now.
    """

    def __init__(
        self,
        settings: EngineSettings,
        budget: LatencyBudget,
        pipeline: Pipeline,
        follower: BeatFollower | None,
        accompanist: Accompanist | None,
        session: Session,
        scheduler: Scheduler,
        taps: Taps,
        open_session: Callable[[EngineSettings, float], Session],
    ) -> None:
        super().__init__()
        self.settings, self.budget = settings, budget
        self.pipeline, self.session = pipeline, session
        self.beat = LiveBeat(follower, taps)
        self.accompanist = accompanist
        self.is_connected = False
        self.load, self.meter = LoadMeter(), LevelMeter()
        self.started = 0.0
        self.n_losses = 0
        self._scheduler, self._taps = scheduler, taps
        self._reopener = SourceReopener(open_session)
        self._n_skipped_before = self._n_overruns_before = 0  # of streams and sources that are over
        self._last_warning = -WARN_EVERY_S
        pipeline.tap = follower
        session.begin(pipeline, settings, accompanist, follower)

    @property
    def n_overruns(self) -> int:
        """Gaps in the audio since the start."""
        return self._n_overruns_before + self.session.n_overruns

    @property
    def n_skipped_frames(self) -> int:
        """Frames passed over since the start because the machine was too slow."""
        return self._n_skipped_before + self.session.stream.n_skipped_frames

    @property
    def now(self) -> float:
        """The engine's time."""
        return time.perf_counter() - self.started if self.started else 0.0

    def start(self) -> None:
        """Start the source, then the thread.

        Raises DeviceError, and ConfigError where the device is slower than the latency asked for.
        """
        self.started = time.perf_counter()
        self.session.start()
        pipeline = self.pipeline  # the device may be slower than it promised
        pipeline.model = pipeline.model.waiting(self.session.wait_frames(pipeline, self.settings))
        self.budget = self.session.budget(self.pipeline, self.settings)
        self._scheduler.latency = self.budget.total
        self._pass_to(self.session)
        self._start_thread()

    def _wake(self) -> None:
        self.session.ring.wake()

    def apply(self, change: Change) -> None:
        """Go on with other settings. By ``run_on_worker``. What it raises has changed nothing."""
        before, settings = self.settings, change.settings
        old, session = self.session, change.session or self.session
        pipeline = change.pipeline or self.pipeline
        is_same_player = change.accompanist is self.accompanist and (
            change.accompanist is None or change.follower is self.beat.follower
        )
        is_sooner = change.budget.total < self.budget.total
        if session is old and pipeline is self.pipeline and is_same_player:
            if change.model is not None:
                self._submit(old, old.stream.exchange(change.model, not is_sooner))
            self._submit(old, old.stream.change(settings))
        else:
            # What a slower model still holds would sound among the notes of the faster one, and
            # takes it so long to tell that what comes meanwhile would be skipped.
            is_whole = (pipeline is self.pipeline and change.model is None) or not is_sooner
            self._finish(old, is_whole=is_whole)
            if change.model is not None:
                pipeline.model = change.model
            self._begin(session, pipeline, change)
            self.accompanist = change.accompanist
        if change.follower is not self.beat.follower:
            pipeline.tap = self.beat.follower = change.follower
        elif self.beat.follower is not None:
            self.beat.follower.change(settings.beat)
        if change.style is not None:
            pipeline.style = change.style
        if settings.model.tuning != before.model.tuning:
            pipeline.tuning = settings.model.tuning
        self.pipeline, self.settings, self.budget = pipeline, settings, change.budget
        session.port_latency = self._scheduler.max_lead = change.port_latency
        self._scheduler.latency = change.budget.total
        self._scheduler.late_tolerance = settings.time.late_tolerance
        if session is not old:
            old.source.stop()
            self._n_overruns_before += old.n_overruns
            self.session = session
            if self._thread is not None:
                self._pass_to(session)
        if settings.play.mute and not before.play.mute:
            self._scheduler.silence()
            self._taps.silenced()
        if settings.play.hold != before.play.hold or settings.midi != before.midi:
            self._hold()
        self._taps.changed(settings, change.budget.total)
        self.beat.look(session)

    def panic(self) -> None:
        """Silence every receiver and drop what is queued, at once. Any thread."""
        self._scheduler.panic()
        self._taps.silenced()

    def interrupt(self, action: Callable[[], None]) -> None:
        """End the stream and its notes, and begin another after ``action``. By ``run_on_worker``.

        For what lets the source's sound jump.
        """
        self._finish(self.session)
        action()
        self._begin_stream(self.session)

    def suspend(self, stop_program: Callable[[], None]) -> None:
        """End every note; go on as if ``stop_program`` took no time. By ``run_on_worker``."""
        self._scheduler.silence()
        self._scheduler.drain(SILENCE_TIMEOUT_S)
        self._taps.silenced()
        start = time.perf_counter()
        stop_program()
        self.session.clock.shift(time.perf_counter() - start)
        self._hold()

    def step(self, session: Session) -> None:
        """Take what waits in the ring, up to ``MAX_BLOCK_S``; skip if too much waits."""
        rate = session.source.sample_rate
        n_waiting = session.ring.available
        if n_waiting / rate <= self.settings.time.backlog_limit:
            block = self._read(session, n_waiting)
            if len(block):
                self.load.begin()
                self._submit(session, session.stream.push(block))
                self.beat.look(session)
                self.load.end(len(block) / rate)
            return
        # Rather than fall behind more and more. In pieces: seconds of sound at once would leave the
        # process megabytes larger.
        n_left = n_waiting
        while n_left and len(block := self._read(session, n_left)):
            self._submit(session, session.stream.skip(block))
            n_left -= len(block)
        self.beat.look(session)
        self._warn_of_skipping(n_waiting / rate)

    def _read(self, session: Session, n_samples: int) -> NDArray[np.float32]:
        """Return what comes next, up to ``MAX_BLOCK_S`` of it; meter and taps have it first."""
        rate = session.source.sample_rate
        start = session.ring.total_read
        block = session.ring.read(min(n_samples, round(MAX_BLOCK_S * rate)))
        if len(block):
            gain = 10 ** (self.settings.audio.gain_db / 20)
            self.meter.update(block, len(block) / rate, gain)
            if gain != 1.0:
                block = block * np.float32(gain)
            time_of_block = session.time_of(start)
            self._taps.audio(block, time_of_block, session.host_time(time_of_block))
        return block

    def _run(self) -> None:
        """Run until stopped or the song is over. On the worker thread."""
        try:
            while not self._is_over:
                self._process()
                if self._is_over or self.session.source.is_finished:
                    break
                self._recover()
            self._commands.close()
            if self.is_connected:
                self._finish(self.session)
            if not self._is_over:
                self._scheduler.drain(self.budget.total + DRAIN_MARGIN_S)
        except BaseException as error:
            self.error = error
            self._scheduler.silence()
        finally:
            self.is_connected = False
            self._commands.close()

    @property
    def _is_over(self) -> bool:
        """True once stopped, or the MIDI thread has."""
        return self._stop.is_set() or self._scheduler.error is not None

    def _do_commands(self) -> None:
        self._commands.news.clear()
        while self._commands and not self._is_over:
            self._commands.do_next()

    def _process(self) -> None:
        """Work until stopped, or the source has ended and all its blocks are processed."""
        while not self._is_over:
            self._do_commands()
            ring, source = self.session.ring, self.session.source
            # The ring is looked at after the source, which may write its last block in between.
            is_idle = not ring.wait(WAIT)
            if is_idle and not source.is_alive() and not ring.available:
                if not self._commands:
                    return
                continue
            if is_idle and source_is_paused(source) and not self.session.is_fresh:
                self.interrupt(lambda: None)  # else its notes would sound on
            self.step(self.session)
            if source.is_finished and not ring.available and not self._commands:
                return

    def _recover(self) -> None:
        """End the lost session's notes, and open the source again, with back-off."""
        lost = self.session
        self.is_connected = False
        self.n_losses += 1
        _log.warning("%s; trying again", lost.source.error or f"{lost.source.name} is gone")
        self._finish(lost)
        lost.source.stop()
        self._taps.lost()
        self._reopener.begin()
        while True:
            self._commands.news.wait(self._reopener.pause)
            self._begin_stream(lost)  # so that a change finds nothing to finish
            self.beat.look(lost)
            self._do_commands()
            if self._is_over or self.session is not lost:
                return
            session = self._reopener.reopen(self.settings, self.now)
            if session is not None:
                break
        if self._is_over:  # stopped meanwhile
            session.source.stop()
            return
        self._n_overruns_before += lost.n_overruns
        self._begin_stream(session)
        self._pass_to(session)
        _log.warning("audio is back: %s", session.source.name)
        warn_of_latency(session, self.pipeline, self.settings, self.budget.total)

    def _pass_to(self, session: Session) -> None:
        """Pass over to a session whose source has started: the scheduler uses its clock."""
        self.session = session
        self.meter.reset()
        self._scheduler.anchor(session.host_time)
        self.is_connected = True
        self._taps.begin(session.source, session.offset, self.budget.total)
        self._hold()

    def _begin(self, session: Session, pipeline: Pipeline, change: Change) -> None:
        """Begin a new stream of a session; where that fails, the present one goes on."""
        try:
            session.begin(pipeline, change.settings, change.accompanist, change.follower)
        except BaseException:
            self._begin_stream(self.session)
            raise

    def _begin_stream(self, session: Session) -> None:
        """Begin a new stream of a session, all else as it is."""
        session.begin(self.pipeline, self.settings, self.accompanist, self.beat.follower)

    def _hold(self) -> None:
        """Keep the pedals down if the settings say so."""
        settings = self.settings
        self._scheduler.hold(channels(settings.midi) if settings.play.hold else ())

    def _submit(self, session: Session, events: Sequence[Event]) -> None:
        """Hand a stream's events to the scheduler in the engine's time."""
        if events:
            events = session.placed(events)
            self._taps.found(events, self._scheduler.submit(events))

    def _finish(self, session: Session, is_whole: bool = True) -> None:
        """End a stream and its notes, with what the model still holds or without."""
        stream = session.stream
        self._submit(session, stream.finish() if is_whole else stream.cut())
        self._n_skipped_before += stream.n_skipped_frames
        stream.n_skipped_frames = 0

    def _warn_of_skipping(self, backlog: float) -> None:
        now = time.perf_counter()
        if now - self._last_warning >= WARN_EVERY_S:
            self._last_warning = now
            _log.warning(
                "too slow by %.0f ms: skipped to the present (%d frames in all). Close other"
                " programs, raise model.threads, or take a smaller model",
                1000 * backlog,
                self.n_skipped_frames,
            )
