"""What sounds at the port: every note and pedal that a sink was given ends, whatever happens.

Not here: when something is sent (``engine.scheduler``), and where to (``engine.midi``).
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.errors import MidiError
from engine.midi import MidiSink
from engine.notes import Event, NoteEvent, PedalEvent

LEAST_NOTE = 0.001
"""Seconds after its note-on, in the audio, that a forced note-off carries at least."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Played:
    """A note that sounds at the port, or at one of several."""

    event: NoteEvent
    sent: float


class Outlet:
    """Hands events to a sink and remembers what sounds. One thread only.

    Where the sink raises MidiError the error is logged once, the notes it left open are ended when
    it works again, and every event is handed to it all the same, for another sink beside it.

    Attributes
    ----------
    sink : MidiSink
        Opened and closed by others.
    held : tuple of int
        Channels whose pedal the player holds down.
    n_failed : int
        Messages that the sink refused.
    """

    def __init__(self, sink: MidiSink, clock: Callable[[], float] = time.perf_counter) -> None:
        self.sink = sink
        self.n_failed = 0
        self._clock = clock
        self._sounding: dict[int, _Played] = {}
        self._unended: dict[int, _Played] = {}  # their note-off met a broken sink
        self._pedals: dict[int, PedalEvent] = {}  # what was last asked of each channel's
        self._owed: dict[int, PedalEvent] = {}  # lifts that met a broken sink
        self.held: tuple[int, ...] = ()
        self._last_time = 0.0  # of the audio
        self._is_broken = False

    @property
    def is_used(self) -> bool:
        """Whether something is left to end."""
        return bool(self._sounding or self._unended or self._pedals or self._owed or self.held)

    def note(self, event: NoteEvent) -> bool:
        """Send a note-on, or the note-off of a note that sounds; return whether it was taken."""
        self._last_time = event.time
        played = self._sounding.pop(event.pitch, None)
        if not event.is_on:
            return played is not None and self._end(played, event)
        if played is not None:
            self._end(played, replace(played.event, time=event.time, velocity=0))
        is_sent = self._send(event)
        # Of several sinks some may have taken what one refused, so a note-off is due either way.
        self._sounding[event.pitch] = _Played(event, self._clock())
        self._unended.pop(event.pitch, None)
        return is_sent

    def pedal(self, event: PedalEvent) -> None:
        """Send a pedal; one that the player holds down is sent once they let go."""
        self._last_time = event.time
        self._pedals[event.channel] = event
        if event.channel not in self.held:
            self._send(event)

    def hold(self, channels: tuple[int, ...]) -> None:
        """Keep the pedals of ``channels`` down from now on, and let go of all others."""
        for channel in set(channels) - set(self.held):
            self._send(PedalEvent(self._last_time, True, channel))
        for channel in set(self.held) - set(channels):
            asked = self._pedals.get(channel)
            if asked is None or not asked.is_down:
                self._send(PedalEvent(self._last_time, False, channel))
        self.held = channels

    def end_everything(self) -> list[NoteEvent]:
        """End every sounding note, lift every pedal, then say All Notes Off; return the ends."""
        ended = []
        for pitch in list(self._sounding):
            played = self._sounding.pop(pitch)
            ended.append(self._forced_off(played))
            self._end(played, ended[-1])
        for channel in sorted({*self.held, *self._pedals}):
            self._send(PedalEvent(self._last_time, False, channel))
        self.held = ()
        self._pedals.clear()
        self._end_unended()
        try:
            self.sink.panic()
        except MidiError as error:
            self._refused(error)
        return ended

    def _end(self, played: _Played, off: NoteEvent) -> bool:
        """Send a note-off; where the sink is broken, remember the note."""
        is_sent = self._send(off)
        if not is_sent:
            self._unended[off.pitch] = played
        return is_sent

    def _send(self, event: Event) -> bool:
        """End what a broken sink left open, then hand it one event; return whether it took it."""
        self._end_unended()
        if isinstance(event, PedalEvent):
            self._owed.pop(event.channel, None)
        try:
            self.sink.send(event)
        except MidiError as error:
            self.n_failed += 1
            if isinstance(event, PedalEvent) and not event.is_down:
                self._owed[event.channel] = event
            self._refused(error)
            return False
        self._taken()
        return True

    def _end_unended(self) -> None:
        """Send the ends that the sink refused, up to the first that it refuses again."""
        try:
            for channel, lift in list(self._owed.items()):
                self.sink.send(lift)
                del self._owed[channel]
            for pitch, played in list(self._unended.items()):
                self.sink.send(self._forced_off(played))
                del self._unended[pitch]
                self._taken()
        except MidiError as error:
            self._refused(error)

    def _taken(self) -> None:
        """Log the first success after refusals."""
        if self._is_broken:
            self._is_broken = False
            log.info("MIDI goes on: %s", self.sink.name)

    def _refused(self, error: MidiError) -> None:
        """Log the first refusal of a row."""
        if not self._is_broken:
            self._is_broken = True
            log.error("%s", error)

    def _forced_off(self, played: _Played) -> NoteEvent:
        """Return a note-off for a note that is ended now rather than by the music."""
        lasted = max(LEAST_NOTE, self._clock() - played.sent)
        return replace(played.event, time=played.event.time + lasted, velocity=0)
