"""From a session's ring to the scheduler: blocks are read, and their events submitted.

Not here: what happens to a block (``engine.cover.stream``), and when one is read (``worker``).
Belongs to the worker thread.
"""

import logging
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import Event
from engine.core.settings import EngineSettings
from engine.core.taps import Taps
from engine.live.beat import LiveBeat
from engine.live.session import Session
from engine.midi.scheduler import Scheduler
from engine.signal.meters import LevelMeter, LoadMeter

MAX_BLOCK_S = 0.064  # audio taken at once, so that a step stays short
WARN_EVERY_S = 1.0

_log = logging.getLogger(__name__)


class BlockProcessor:
    """Processes what waits in the ring of one session after the other.

    Parameters
    ----------
    scheduler, taps
        Get the events, and audio and events.
    beat
        Looks at the beat after each block.

    Attributes
    ----------
    meter : LevelMeter
        Of the input.
    load : LoadMeter
        Of the computing.
    """

    def __init__(self, scheduler: Scheduler, taps: Taps, beat: LiveBeat) -> None:
        self.meter, self.load = LevelMeter(), LoadMeter()
        self._scheduler, self._taps, self._beat = scheduler, taps, beat
        self._n_skipped_before = 0  # of streams that are over
        self._last_warning = -WARN_EVERY_S

    def n_skipped_frames(self, session: Session) -> int:
        """Return the frames passed over, up to this session's, because the machine was too slow."""
        return self._n_skipped_before + session.stream.n_skipped_frames

    def step(self, session: Session, settings: EngineSettings) -> None:
        """Take what waits in the ring, up to ``MAX_BLOCK_S``; skip if too much waits."""
        rate = session.source.sample_rate
        n_waiting = session.ring.available
        if n_waiting / rate <= settings.time.backlog_limit:
            block = self._read(session, settings, n_waiting)
            if len(block):
                self.load.begin()
                self.submit(session, session.stream.push(block))
                self._beat.look(session)
                self.load.end(len(block) / rate)
            return
        # Rather than fall behind more and more. In pieces: seconds of sound at once would leave the
        # process megabytes larger.
        n_left = n_waiting
        while n_left and len(block := self._read(session, settings, n_left)):
            self.submit(session, session.stream.skip(block))
            n_left -= len(block)
        self._beat.look(session)
        self._warn_of_skipping(session, n_waiting / rate)

    def submit(self, session: Session, events: Sequence[Event]) -> None:
        """Hand a stream's events to the scheduler in the engine's time."""
        if events:
            events = session.placed(events)
            self._taps.found(events, self._scheduler.submit(events))

    def finish(self, session: Session, is_whole: bool = True) -> None:
        """End a stream and its notes, with what the model still holds or without."""
        stream = session.stream
        self.submit(session, stream.finish() if is_whole else stream.cut())
        self._n_skipped_before += stream.n_skipped_frames
        stream.n_skipped_frames = 0

    def _read(
        self, session: Session, settings: EngineSettings, n_samples: int
    ) -> NDArray[np.float32]:
        """Return what comes next, up to ``MAX_BLOCK_S`` of it; meter and taps have it first."""
        rate = session.source.sample_rate
        start = session.ring.total_read
        block = session.ring.read(min(n_samples, round(MAX_BLOCK_S * rate)))
        if len(block):
            gain = 10 ** (settings.audio.gain_db / 20)
            self.meter.update(block, len(block) / rate, gain)
            if gain != 1.0:
                block = block * np.float32(gain)
            time_of_block = session.time_of(start)
            self._taps.audio(block, time_of_block, session.host_time(time_of_block))
        return block

    def _warn_of_skipping(self, session: Session, backlog: float) -> None:
        now = time.perf_counter()
        if now - self._last_warning >= WARN_EVERY_S:
            self._last_warning = now
            _log.warning(
                "too slow by %.0f ms: skipped to the present (%d frames in all). Close other"
                " programs, raise model.threads, or take a smaller model",
                1000 * backlog,
                self.n_skipped_frames(session),
            )
