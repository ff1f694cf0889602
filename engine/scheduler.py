"""The thread that owns the MIDI port: each note leaves at its onset + the session's latency.

Times: an event's ``time`` is seconds of input audio; ``due`` and ``now`` are seconds of the
clock (``time.perf_counter`` unless a test passes another). Not here: what is sent where
(``engine.midi``).
"""

import heapq
import itertools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.errors import MidiError
from engine.midi import MidiSink
from engine.notes import NoteEvent

FINE_WAIT = 0.016 if sys.platform == "win32" else 0.001
"""Seconds before a note from which the thread sleeps in steps of at most a millisecond, as a
condition's timeout is only as fine as the system's timer (15.6 ms on Windows)."""

IDLE_WAIT = 1.0
"""Seconds that the thread waits at most before it looks again."""

LEAST_NOTE = 0.001
"""Seconds after its note-on, in the audio, that a forced note-off carries at least."""

log = logging.getLogger(__name__)


def raise_thread_priority() -> bool:
    """Make the calling thread a real-time one where the system lets it; return whether it did."""
    if sys.platform != "linux":
        return False
    try:
        # On Linux a pid of 0 means the calling thread, not the process (sched(7)).
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(10))
    except OSError as error:
        log.debug("the MIDI thread keeps its ordinary priority: %s", error)
        return False
    return True


@dataclass(frozen=True, slots=True, order=True)
class _Queued:
    """An event and when it is due; ``serial`` keeps what was submitted first before its equals."""

    due: float
    serial: int
    event: NoteEvent = field(compare=False)
    was_late: bool = field(compare=False)  # already due when submitted


@dataclass(frozen=True, slots=True)
class _Played:
    """A note that sounds at the port, or at one of several."""

    event: NoteEvent
    sent: float


class Scheduler:
    """Sends note events to a sink at ``anchor(event.time) + latency``, from a thread of its own.

    A note-on that is late by ``late_tolerance`` or less is sent at once, else dropped with its
    note-off. When ``max_queued`` note-ons wait, further ones are dropped with theirs. A note-off
    whose note-on was sent is always sent, also by ``panic`` and ``close``. Where the sink raises
    MidiError the error is logged once, the notes it left open are ended when it works again, and
    the thread goes on; every event is handed to it all the same, for another sink beside it.

    Parameters
    ----------
    sink
        Called from the scheduler's thread only; closed by whoever opened it.
    latency, late_tolerance
        Seconds.
    max_queued
        Note-ons that may wait.
    clock
        Seconds that only rise.
    record
        If given, (due, sent) of each note-on is appended; for measuring.

    Attributes
    ----------
    n_sent, n_late, n_dropped, n_overflowed, n_failed : int
        Note-ons sent; of these, found after they were due; dropped as too late; dropped as the
        queue was full; messages that the sink refused.
    error : BaseException or None
        What ended the thread before its time.
    """

    def __init__(
        self,
        sink: MidiSink,
        latency: float,
        late_tolerance: float = 0.03,
        *,
        max_queued: int = 1024,
        clock: Callable[[], float] = time.perf_counter,
        record: list[tuple[float, float]] | None = None,
    ) -> None:
        self.latency = latency
        self.late_tolerance = late_tolerance
        self.n_sent = self.n_late = self.n_dropped = self.n_overflowed = self.n_failed = 0
        self._sink = sink
        self._max_queued = max_queued
        self._clock = clock
        self._record = record
        self._anchor: Callable[[float], float] | None = None
        self._changed = threading.Condition()  # guards what follows
        self._queue: list[_Queued] = []
        self._serials = itertools.count()
        self._n_queued_ons = 0
        self._last_due: dict[int, float] = {}  # per pitch, so that its events keep their order
        self._open: set[int] = set()  # pitches whose last event taken in is a note-on
        self._wants_panic = False
        self.error: BaseException | None = None
        self._is_closing = False
        self._is_sending = False
        # The MIDI thread's own:
        self._sounding: dict[int, _Played] = {}
        self._unended: dict[int, _Played] = {}  # their note-off met a broken sink
        self._is_broken = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        assert self._thread is None
        self._thread = threading.Thread(target=self._run, name="midi", daemon=True)
        self._thread.start()

    def anchor(self, to_clock: Callable[[float], float]) -> None:
        """Set how audio time becomes clock time, for what is submitted from now on."""
        self._anchor = to_clock

    def submit(self, events: Sequence[NoteEvent]) -> None:
        """Queue events, in time order for each pitch. Never waits for the port. Worker thread."""
        if not events:
            return
        assert self._anchor is not None, "anchor() comes before submit()"
        with self._changed:
            head = self._queue[0] if self._queue else None
            for event in events:
                self._enqueue(event, self._anchor(event.time) + self.latency)
            if self._queue and self._queue[0] is not head:
                self._changed.notify_all()

    def panic(self) -> None:
        """Drop everything queued and end every sounding note, at once."""
        with self._changed:
            self._wants_panic = True
            self._changed.notify_all()

    def drain(self, timeout: float) -> bool:
        """Return True once all that was submitted has been sent, False after ``timeout`` s."""
        with self._changed:
            return self._changed.wait_for(self._is_empty, timeout)

    def close(self, timeout: float = 5.0) -> None:
        """End every sounding note and the thread; a second call does nothing.

        Waits up to ``timeout`` s for a port that blocks.
        """
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._thread is None:
            if self._sounding or self._unended:  # else the sink was never used, and stays so
                self._end_everything()
            return
        self._thread.join(timeout)
        if self._thread.is_alive():
            log.error("the MIDI port did not answer within %g s", timeout)

    def send_due(self, now: float) -> float | None:
        """Send what is due; return when the next event is, None if none waits. MIDI thread."""
        while True:
            with self._changed:
                if self._wants_panic:
                    break
                if not self._queue or self._queue[0].due > now:
                    self._is_sending = False
                    if not self._queue:
                        self._changed.notify_all()
                        return None
                    return self._queue[0].due
                self._is_sending = True
                item = heapq.heappop(self._queue)
                self._n_queued_ons -= item.event.is_on
            self._play(item)
            now = max(now, self._clock())
        self._end_everything()
        return None

    def _is_empty(self) -> bool:
        """Return whether nothing waits or is being sent. Holds the lock."""
        return not self._queue and not self._is_sending and not self._wants_panic

    def _enqueue(self, event: NoteEvent, due: float) -> None:
        """Put one event into the queue, or drop it. Holds the lock."""
        if event.is_on:
            if self._n_queued_ons >= self._max_queued:
                self.n_overflowed += 1
                return
            self._open.add(event.pitch)
            self._n_queued_ons += 1
        elif event.pitch in self._open:
            self._open.remove(event.pitch)
        else:
            return  # its note-on was dropped, or a panic has ended the note
        due = max(due, self._last_due.get(event.pitch, due))
        self._last_due[event.pitch] = due
        was_late = due < self._clock()
        heapq.heappush(self._queue, _Queued(due, next(self._serials), event, was_late))

    def _run(self) -> None:
        """Send until closed; what stops it is kept in ``error``. On the MIDI thread."""
        raise_thread_priority()
        try:
            self._send_until_closed()
        except BaseException as error:
            self.error = error
        self._end_everything()

    def _send_until_closed(self) -> None:
        while True:
            due = self.send_due(self._clock())
            with self._changed:
                if self._is_closing:
                    break
                if self._wants_panic or (self._queue and self._queue[0].due != due):
                    continue
                remaining = IDLE_WAIT if due is None else due - self._clock()
                if remaining > FINE_WAIT:
                    self._changed.wait(min(remaining - FINE_WAIT, IDLE_WAIT))
                    continue
            if remaining > 0:
                time.sleep(min(remaining, 0.001))

    def _play(self, item: _Queued) -> None:
        """Send one event now, or drop it if it is a note-on too late or its note never sounded."""
        event = item.event
        now = self._clock()
        if not event.is_on:
            played = self._sounding.pop(event.pitch, None)
            if played is not None:
                self._end(played, event)
            return
        if now - item.due > self.late_tolerance:
            self.n_dropped += 1
            return
        played = self._sounding.pop(event.pitch, None)
        if played is not None:
            self._end(played, NoteEvent(event.time, event.pitch, 0, played.event.part))
        is_sent = self._send(event)
        sent = self._clock()
        # Of several sinks some may have taken what one refused, so a note-off is due either way.
        self._sounding[event.pitch] = _Played(event, sent)
        self._unended.pop(event.pitch, None)
        if is_sent:
            self.n_sent += 1
            self.n_late += item.was_late
            if self._record is not None:
                self._record.append((item.due, sent))

    def _end(self, played: _Played, off: NoteEvent) -> None:
        """Send a note-off; where the sink is broken, remember the note."""
        if not self._send(off):
            self._unended[off.pitch] = played

    def _send(self, event: NoteEvent) -> bool:
        """End what a broken sink left open, then hand it one event; return whether it took it."""
        self._end_unended()
        try:
            self._sink.send(event)
        except MidiError as error:
            self.n_failed += 1
            self._refused(error)
            return False
        self._taken()
        return True

    def _end_unended(self) -> None:
        """Send the note-offs that the sink refused, up to the first that it refuses again."""
        try:
            for pitch, played in list(self._unended.items()):
                self._sink.send(self._forced_off(played))
                del self._unended[pitch]
                self._taken()
        except MidiError as error:
            self._refused(error)

    def _taken(self) -> None:
        """Log the first success after refusals."""
        if self._is_broken:
            self._is_broken = False
            log.info("MIDI goes on: %s", self._sink.name)

    def _refused(self, error: MidiError) -> None:
        """Log the first refusal of a row."""
        if not self._is_broken:
            self._is_broken = True
            log.error("%s", error)

    def _forced_off(self, played: _Played) -> NoteEvent:
        """Return a note-off for a note that is ended now rather than by the music."""
        lasted = max(LEAST_NOTE, self._clock() - played.sent)
        return NoteEvent(played.event.time + lasted, played.event.pitch, 0, played.event.part)

    def _end_everything(self) -> None:
        """Empty the queue, end every sounding note, then say All Notes Off."""
        with self._changed:
            self._queue.clear()
            self._n_queued_ons = 0
            self._open.clear()
            self._last_due.clear()
            self._wants_panic = False
            self._is_sending = True
        for pitch in list(self._sounding):
            played = self._sounding.pop(pitch)
            self._end(played, self._forced_off(played))
        self._end_unended()
        try:
            self._sink.panic()
        except MidiError as error:
            self._refused(error)
        with self._changed:
            self._is_sending = False
            self._changed.notify_all()
