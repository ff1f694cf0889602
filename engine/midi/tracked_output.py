"""Output to MIDI sinks with note tracking: every note and pedal that a sink got ends there.

Each sink has a tracker of its own, so one that refuses does not affect another. Not here:
scheduling (``engine.midi.scheduler``), the sinks (``engine.midi.sinks``).
"""

import logging
import time
from collections.abc import Callable

from engine.core.errors import MidiError
from engine.core.note_tracker import LEAST_NOTE, NoteTracker, ended
from engine.core.notes import Event, NoteEvent, PedalEvent
from engine.midi.sinks import MidiSink, sinks_of

log = logging.getLogger(__name__)


class _Receiver:
    """One sink with its tracker. Consecutive refusals are logged once."""

    def __init__(self, sink: MidiSink) -> None:
        self.sink = sink
        self.tracker = NoteTracker()
        self.is_behind = False  # it refused something, and was not caught up with since
        self._is_refusing = False

    def send(self, event: Event) -> bool:
        """Send one event; return whether it was taken."""
        try:
            self.sink.send(event)
        except MidiError as error:
            self._refused(error)
            return False
        self.tracker.track(event)
        if self._is_refusing:
            self._is_refusing = False
            log.info("MIDI goes on: %s", self.sink.name)
        return True

    def silence(self, is_panic: bool) -> None:
        """Send the sink's messages for silence."""
        try:
            (self.sink.panic if is_panic else self.sink.silence)()
        except MidiError as error:
            self._refused(error)

    def _refused(self, error: MidiError) -> None:
        self.is_behind = True
        if not self._is_refusing and self.sink.is_there:
            self._is_refusing = True
            log.error("%s", error)


class TrackedOutput:
    """Sends events to one or several sinks and tracks what sounds at each. One thread only.

    A sink that raises MidiError misses events meanwhile. Notes that hang there are ended, and its
    pedals set, before the next event that it takes, or by :meth:`catch_up`.

    Attributes
    ----------
    held : tuple of int
        Channels whose pedal the player holds down.
    n_failed : int
        Messages that a sink refused.
    """

    def __init__(self, sink: MidiSink, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._playing = NoteTracker()  # what sounds at one sink at least
        self._receivers = [_Receiver(one) for one in sinks_of(sink)]
        self.n_failed = 0
        self.held: tuple[int, ...] = ()
        self._last: tuple[float, float] | None = (
            None  # the last event's time in the audio, and when sent
        )

    @property
    def is_used(self) -> bool:
        """Whether a note sounds or a pedal is down."""
        return bool(self.held) or not all(one.tracker.is_silent for one in self._receivers)

    @property
    def is_behind(self) -> bool:
        """Whether a sink refused something and was not caught up with since."""
        return any(one.is_behind for one in self._receivers)

    def change_sink(self, sink: MidiSink) -> list[NoteEvent]:
        """End all that sounds, send to another from now on; return the ends. The hold stays."""
        held, ends = self.held, self.end_everything()
        self._receivers = [_Receiver(one) for one in sinks_of(sink)]
        self.hold(held)
        return ends

    def note(self, event: NoteEvent) -> bool:
        """Send a note-on, or the note-off of a note that sounds; return whether it is played."""
        self._last = (event.time, self._clock())
        before = self._playing.at(event)
        if before is not None:
            self._end(event if not event.is_on else ended(before, event.time))
        if not event.is_on:
            return before is not None
        # Every sink is tried, also after one that refuses.
        is_taken = any([self._send(one, event) for one in self._receivers])
        if is_taken:
            self._playing.track(event)
        return is_taken

    def pedal(self, event: PedalEvent) -> None:
        """Send a pedal; while the player holds it down, it is sent at release."""
        self._last = (event.time, self._clock())
        self._playing.track(event)
        if event.channel not in self.held:
            self._send_all(event)

    def hold(self, channels: tuple[int, ...]) -> None:
        """Keep the pedals of ``channels`` down from now on, and let go of all others."""
        before, self.held = self.held, channels
        for channel in sorted({*before} ^ {*channels}):
            if channel in channels or not self._playing.is_down(channel):
                self._send_all(PedalEvent(self._now(), channel in channels, channel))

    def catch_up(self) -> None:
        """End hanging notes of sinks that refused, if they take messages again."""
        for one in self._receivers:
            self._catch_up(one)

    def end_everything(self) -> list[NoteEvent]:
        """End every sounding note and lift every pedal at every sink; return the ends."""
        now = self._now()
        ends = [event for event in self._playing.ends(now) if isinstance(event, NoteEvent)]
        self._playing.clear()
        self.held = ()
        for one in self._receivers:
            self.n_failed += sum(not one.send(event) for event in one.tracker.ends(now))
            one.silence(is_panic=False)
        return ends

    def panic(self) -> None:
        """Send panic messages to every sink, then note-offs."""
        for one in self._receivers:
            one.silence(is_panic=True)
        self.end_everything()

    def _end(self, off: NoteEvent) -> None:
        """Send a note-off to every sink that has the note, not to one that refused it."""
        on = self._playing.track(off)
        for one in self._receivers:
            if one.tracker.at(off) is on:
                self._send(one, off)

    def _send_all(self, event: Event) -> None:
        for one in self._receivers:
            self._send(one, event)

    def _send(self, one: _Receiver, event: Event) -> bool:
        """Send a sink an event, and before it what it missed; return whether it took it."""
        self._catch_up(one)
        is_taken = one.send(event)
        self.n_failed += not is_taken
        return is_taken

    def _catch_up(self, one: _Receiver) -> None:
        """Send what a sink missed, up to the first that it refuses again."""
        if not one.is_behind:
            return
        for event in self._missed(one.tracker):
            if not one.send(event):
                return
        one.is_behind = False

    def _missed(self, tracker: NoteTracker) -> list[Event]:
        """Return the note-offs and pedals that bring a sink to the present state."""
        now, playing = self._now(), self._playing
        gone = [on for on in tracker.notes if playing.at(on) is not on]
        missed: list[Event] = [ended(on, max(now, on.time + LEAST_NOTE)) for on in gone]
        downs = {*self.held, *(down.channel for down in playing.pedals)}
        for channel in sorted(downs ^ {down.channel for down in tracker.pedals}):
            missed.append(PedalEvent(now, channel in downs, channel))
        return missed

    def _now(self) -> float:
        """Return the present time in the audio, by the last event; 0 before any."""
        if self._last is None:
            return 0.0
        time, sent = self._last
        return time + self._clock() - sent
