"""The worker: one session after the other, changes between steps, and sources that are lost.

It owns features, model and decoder. Not here: what happens to a block (``block_processor``), and
what is opened when (``engine``, ``opening``).
"""

import logging
import time
from collections.abc import Callable

from engine.accompany.accompanist import Accompanist
from engine.beat.follower import BeatFollower
from engine.core.settings import EngineSettings
from engine.core.taps import Taps
from engine.live.beat import LiveBeat
from engine.live.block_processor import BlockProcessor
from engine.live.change import Change
from engine.live.recovery import SourceReopener, warn_of_latency
from engine.live.session import Session, source_is_paused
from engine.live.worker_thread import WAIT, WorkerThread
from engine.midi.scheduler import Scheduler
from engine.model.latency import LatencyBudget
from engine.model.pipeline import Pipeline
from engine.perform.performer import channels

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
    processor : BlockProcessor
        Has the level and the load.
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
        self.processor = BlockProcessor(scheduler, taps, self.beat)
        self.accompanist = accompanist
        self.is_connected = False
        self.started = 0.0
        self.n_losses = 0
        self._scheduler, self._taps = scheduler, taps
        self._reopener = SourceReopener(open_session)
        self._n_overruns_before = 0  # of sources that are over
        pipeline.tap = follower
        session.begin(pipeline, settings, accompanist, follower)

    @property
    def n_overruns(self) -> int:
        """Gaps in the audio since the start."""
        return self._n_overruns_before + self.session.n_overruns

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
                self.processor.submit(old, old.stream.exchange(change.model, not is_sooner))
            self.processor.submit(old, old.stream.change(settings))
        else:
            # What a slower model still holds would sound among the notes of the faster one, and
            # takes it so long to tell that what comes meanwhile would be skipped.
            is_whole = (pipeline is self.pipeline and change.model is None) or not is_sooner
            self.processor.finish(old, is_whole=is_whole)
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
        pipeline.centre = settings.model.centre
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
        self.processor.finish(self.session)
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
                self.processor.finish(self.session)
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
            self.processor.step(self.session, self.settings)
            if source.is_finished and not ring.available and not self._commands:
                return

    def _recover(self) -> None:
        """End the lost session's notes, and open the source again, with back-off."""
        lost = self.session
        self.is_connected = False
        self.n_losses += 1
        _log.warning("%s; trying again", lost.source.error or f"{lost.source.name} is gone")
        self.processor.finish(lost)
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
        self.processor.meter.reset()
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
