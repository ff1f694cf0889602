"""The thread that owns the MIDI port: each note is there at its onset + the session's latency.

Times: an event's ``time`` is seconds of input audio; ``due`` and ``now`` are seconds of the
clock (``time.perf_counter`` unless a test passes another). Not here: what sounds at the port
(``engine.midi.tracked_output``).
"""

import collections
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence

from engine.core.notes import Event, PedalEvent
from engine.midi.event_queue import EventQueue, QueuedEvent
from engine.midi.sinks import MidiSink
from engine.midi.tracked_output import TrackedOutput
from engine.system.bounded import join_thread, remaining_timeout
from engine.system.priority import raise_thread_priority

FINE_WAIT = 0.016 if sys.platform == "win32" else 0.001
"""Seconds before a note from which the thread sleeps in steps of at most a millisecond, as a
condition's timeout is only as fine as the system's timer (15.6 ms on Windows)."""

IDLE_WAIT = 1.0
"""Seconds that the thread waits at most before it looks again."""

log = logging.getLogger(__name__)


class Scheduler:
    """Sends events to a sink at ``anchor(event.time) + latency``, from a thread of its own.

    A note-on that is late by ``late_tolerance`` or less is sent at once, else dropped with its
    note-off. When ``max_queued`` note-ons wait, further ones are dropped with theirs. A note-off
    whose note-on was sent is always sent, also by ``panic`` and ``close``, and a pedal always.
    Where the sink refuses, the thread goes on (``engine.midi.tracked_output``).

    Parameters
    ----------
    sink
        Called from the scheduler's thread only; closed by whoever opened it.
    latency, late_tolerance
        Seconds.
    max_lead
        Seconds by which an event is handed to the sink before it is due, at most: where the sink
        has a latency of its own, as much as that.
    max_queued
        Note-ons that may wait.
    clock
        Monotonic seconds.
    on_sent
        Called with (event, due, when receivers have it) of each note-on that was sent on time or
        late, of each end of a note and of each pedal. On the MIDI thread: returns at once.

    Attributes
    ----------
    n_sent, n_late, n_dropped : int
        Note-ons sent; of these, found after they were due; dropped as too late.
    error : BaseException or None
        What ended the thread before its time.
    """

    def __init__(
        self,
        sink: MidiSink,
        latency: float,
        late_tolerance: float = 0.03,
        *,
        max_lead: float = 0.0,
        max_queued: int = 1024,
        clock: Callable[[], float] = time.perf_counter,
        on_sent: Callable[[Event, float, float], None] | None = None,
    ) -> None:
        self.latency = latency
        self.late_tolerance = late_tolerance
        self.max_lead = max_lead
        self.n_sent = self.n_late = self.n_dropped = 0
        self._sink = sink
        self._clock = clock
        self._on_sent = on_sent
        self._anchor: Callable[[float], float] | None = None
        self._changed = threading.Condition()  # guards what follows
        self._queue = EventQueue(max_queued)
        self._requests: collections.deque[Callable[[], None]] = collections.deque()
        self.error: BaseException | None = None
        self._is_closing = False
        self._has_warned = False
        self._is_sending = False
        self._output = TrackedOutput(sink, clock)  # the MIDI thread's own
        self._thread: threading.Thread | None = None

    @property
    def n_overflowed(self) -> int:
        """Note-ons dropped as the queue was full."""
        return self._queue.n_overflowed

    @property
    def n_failed(self) -> int:
        """Messages that the sink refused."""
        return self._output.n_failed

    @property
    def lead(self) -> float:
        """Seconds by which events are handed over before they are due."""
        return min(self.max_lead, self._sink.latency)

    def start(self) -> None:
        """Start the thread."""
        assert self._thread is None
        self._thread = threading.Thread(target=self._run, name="midi", daemon=True)
        self._thread.start()

    def anchor(self, to_clock: Callable[[float], float]) -> None:
        """Set how audio time becomes clock time, for what is submitted from now on."""
        self._anchor = to_clock

    def submit(self, events: Sequence[Event]) -> list[float]:
        """Queue events, in time order for each pitch; return when each is due. Worker thread.

        Never waits for the port.
        """
        if not events:
            return []
        assert self._anchor is not None, "anchor() comes before submit()"
        self._warn_of_latency()
        with self._changed:
            first = self._queue.next_due
            dues = [self._anchor(event.time) + self.latency for event in events]
            for event, due in zip(events, dues, strict=True):
                self._queue.push(event, due, self._clock() + self.lead)
            if self._queue.next_due != first:
                self._changed.notify_all()
        return dues

    def panic(self) -> None:
        """Drop everything queued and silence every receiver, before all else. Any thread."""
        with self._changed:
            self._requests.appendleft(self._panic)
            self._changed.notify_all()

    def silence(self) -> None:
        """Drop everything queued and end every sounding note by its note-off. Any thread."""
        self._request(self._end_everything)

    def hold(self, channels: tuple[int, ...]) -> None:
        """Keep the sustain pedals of ``channels`` down from now on; of none: let go."""
        self._request(lambda: self._output.hold(channels))

    def change_sink(self, sink: MidiSink, timeout: float = 5.0) -> None:
        """End what sounds at the present sink and send to another from now on.

        On return the old one is used no more, unless it blocks for longer than ``timeout`` s.
        """
        if self._thread is None:
            self._sink = sink
            self._output.change_sink(sink)
            return
        done = threading.Event()

        def change() -> None:
            now = self._clock()
            self._sink = sink
            for off in self._output.change_sink(sink):
                if self._on_sent is not None:
                    self._on_sent(off, now, now)
            done.set()

        self._request(change)
        if not done.wait(remaining_timeout(timeout)):
            log.error("the MIDI port does not answer")

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
            if self._output.is_used:  # else the sink was never used, and stays so
                self._end_everything()
            return
        if not join_thread(self._thread, timeout):
            log.error("the MIDI port does not answer")

    def send_due(self, now: float) -> float | None:
        """Send what is to be handed over; return when the next event is due, None if none waits.

        MIDI thread.
        First, hanging notes of a sink that refused are ended, if it takes messages again.
        """
        self._output.catch_up()
        while True:
            item: QueuedEvent | None = None
            with self._changed:
                if not self._requests:
                    due = self._queue.next_due
                    if due is None or due - self.lead > now:
                        self._is_sending = False
                        if due is None:
                            self._changed.notify_all()
                        return due
                    self._is_sending = True
                    item = self._queue.pop()
            if item is not None:
                self._play(item)
            else:
                self._requests.popleft()()
            now = max(now, self._clock())

    def _warn_of_latency(self) -> None:
        """Log it once if the sink takes longer than the latency has for it."""
        over = self._sink.latency - self.max_lead
        if over > 0.001 and not self._has_warned:
            self._has_warned = True
            log.warning(
                "%s takes %.0f ms more than this session's latency has for it (JACK's period, or"
                " PipeWire's quantum, is longer now): start again to change it",
                self._sink.name,
                1000 * over,
            )

    def _request(self, action: Callable[[], None]) -> None:
        """Let the MIDI thread do something as soon as it can."""
        with self._changed:
            self._requests.append(action)
            self._changed.notify_all()

    def _is_empty(self) -> bool:
        """Return whether nothing waits or is being sent. Holds the lock."""
        return not self._queue and not self._is_sending and not self._requests

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
                if self._requests or self._queue.next_due not in (None, due):
                    continue
                remaining = IDLE_WAIT if due is None else due - self.lead - self._clock()
                if remaining > FINE_WAIT:
                    self._changed.wait(min(remaining - FINE_WAIT, IDLE_WAIT))
                    continue
            if remaining > 0:
                time.sleep(min(remaining, 0.001))

    def _play(self, item: QueuedEvent) -> None:
        """Send one event now, or drop it if it is a note-on too late or its note never sounded."""
        event = item.event
        if isinstance(event, PedalEvent):
            self._output.pedal(event)
        elif not event.is_on:
            if not self._output.note(event):
                return
        elif self._clock() + self.lead - item.due > self.late_tolerance:
            self.n_dropped += 1
            return
        elif self._output.note(event):
            self.n_sent += 1
            self.n_late += item.was_late
        else:
            return
        if self._on_sent is not None:
            self._on_sent(event, item.due, self._clock() + self.lead)

    def _panic(self) -> None:
        """Send panic to every receiver, and drop the queue."""
        self._end_everything(self._output.panic)

    def _end_everything(self, end: Callable[[], object] | None = None) -> None:
        """Empty the queue and end all that sounds. On the MIDI thread, or once it is over."""
        with self._changed:
            self._queue.clear()
            self._is_sending = True
        (end or self._output.end_everything)()
        with self._changed:
            self._is_sending = False
            self._changed.notify_all()
