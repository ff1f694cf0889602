"""The notes played by a synthesizer, each at the sample that will be heard when it is due.

Not here: synthesizers (``engine.playback.fluid``, ``engine.playback.plugin``), and the output
(``engine.playback.playback_thread``). Host times are seconds of ``perf_counter``; samples are
(n, 2) float32.
"""

import collections
import contextlib
import heapq
import itertools
import logging
import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.admission import Admission
from engine.core.note_tracker import NoteTracker, ended
from engine.core.notes import Event, NoteEvent, PedalEvent
from engine.core.settings import EngineSettings
from engine.core.taps import Tap
from engine.midi.messages import ALL_NOTES_OFF, CHANNELS, SUSTAIN, Message, controller, message
from engine.system.bounded import remaining_timeout

Array = NDArray[np.float32]

LATE_TOLERANCE = 0.05
"""Seconds that a note may come too late to be in time and still be played, at once."""
MAX_WAITING = 4096
"""Events beside which a note-on finds room; of those that come then neither on nor off is taken."""
CLOSE_TIMEOUT = 1.0

_log = logging.getLogger(__name__)


class Synth(Protocol):
    """Makes sound of MIDI messages."""

    def render(self, n: int, messages: Sequence[tuple[int, Message]]) -> Array:
        """Return the next ``n`` samples, given (sample, message) in order of samples."""

    def close(self) -> None:
        """Free it; a second call does nothing."""


class Piano(Tap):
    """A tap that plays the notes.

    Parameters
    ----------
    synth
        Used on the playback thread alone.
    sample_rate
        Of the output.

    Attributes
    ----------
    n_played, n_late, n_dropped : int
        Note-ons; of these, those that were known too late to be in time; note-ons not played.
    worst : float
        Seconds that the latest of these was late.
    gain : float
        Factor.
    """

    name = "the piano"

    def __init__(self, synth: Synth, sample_rate: int) -> None:
        self.n_played = self.n_late = self.n_dropped = 0
        self.worst = 0.0
        self.gain = 1.0
        self._synth = synth
        self._sample_rate = sample_rate
        # What was found; None where all before it is to end.
        self._arrivals: collections.deque[tuple[float, Event] | None] = collections.deque()
        self._admission = Admission()  # the worker's
        self._is_hold_wanted = False
        self._in_use = threading.Lock()  # the synthesizer
        # the playback thread's own:
        self._waiting: list[tuple[float, int, Event]] = []
        self._serials = itertools.count()
        self._sounding = NoteTracker()  # with the pedals that the music holds down
        self._is_held = False  # all pedals, by the player

    def found(self, events: Sequence[Event], dues: Sequence[float]) -> None:  # noqa: D102
        for event, due in zip(events, dues, strict=True):
            n_waiting = len(self._arrivals) + len(self._waiting)
            if self._admission.takes(event, n_waiting < MAX_WAITING):
                self._arrivals.append((due, event))
            elif isinstance(event, NoteEvent) and event.is_on:
                self.n_dropped += 1

    def changed(self, settings: EngineSettings, latency: float) -> None:  # noqa: D102
        self._is_hold_wanted = settings.play.hold

    def silenced(self) -> None:  # noqa: D102
        self._is_hold_wanted = False
        self._arrivals.clear()
        self._arrivals.append(None)

    def close(self) -> None:  # noqa: D102
        self.silenced()

    def render(self, n: int, host_time: float) -> Array:
        """Return (n, 2), heard from ``host_time`` on. On the playback thread."""
        if not self._in_use.acquire(blocking=False):
            return np.zeros((n, 2), np.float32)  # it is being closed
        try:
            return self._render(n, host_time)
        finally:
            self._in_use.release()

    def _render(self, n: int, host_time: float) -> Array:
        messages = self._arrived()
        end = host_time + n / self._sample_rate
        while self._waiting and self._waiting[0][0] < end:
            due, _, event = heapq.heappop(self._waiting)
            at = max(0, round((due - host_time) * self._sample_rate))
            messages += [(min(at, n - 1), m) for m in self._messages(event, host_time - due)]
        sound = self._synth.render(n, messages)
        sound *= self.gain
        return sound

    def shut_down(self) -> None:
        """Free the synthesizer for good, unless a thread is lost in it."""
        if not self._in_use.acquire(timeout=remaining_timeout(CLOSE_TIMEOUT)):
            return
        try:
            self._synth.close()
        except Exception as error:  # of a plugin
            _log.debug("%s: %s", self.name, error)

    def _arrived(self) -> list[tuple[int, Message]]:
        """Sort in what has come; return what counts at once."""
        now: list[Message] = []
        with contextlib.suppress(IndexError):  # until there is none; another thread may clear them
            while True:
                arrived = self._arrivals.popleft()
                if arrived is None:
                    now += self._silence()
                else:
                    due, event = arrived
                    heapq.heappush(self._waiting, (due, next(self._serials), event))
        now += self._hold(self._is_hold_wanted)
        return [(0, one) for one in now]

    def _messages(self, event: Event, late: float) -> list[Message]:
        """Return what an event is to the synthesizer, ``late`` seconds after it was due."""
        if isinstance(event, NoteEvent) and event.is_on and late > LATE_TOLERANCE:
            self.n_dropped += 1
            event = ended(event, event.time)  # what sounds at its key ends all the same
        before = self._sounding.track(event)
        if isinstance(event, PedalEvent):
            return [] if self._is_held else [message(event)]
        ends = [] if before is None else [message(ended(before, event.time))]
        if not event.is_on:
            return ends
        self.n_played += 1
        if late > 0:
            self.n_late += 1
            self.worst = max(self.worst, late)
        return [*ends, message(event)]

    def _silence(self) -> list[Message]:
        """End everything, and drop what waits."""
        ends = [message(end) for end in self._sounding.ends(0.0)]
        lifts = [controller(c, SUSTAIN, 0) for c in CHANNELS]
        self._waiting.clear()
        self._sounding.clear()
        self._is_held = False
        return [*ends, *lifts, *(controller(c, ALL_NOTES_OFF, 0) for c in CHANNELS)]

    def _hold(self, is_held: bool) -> list[Message]:
        """Keep all pedals down, or let the music have them again."""
        if is_held == self._is_held:
            return []
        self._is_held = is_held
        if is_held:
            return [controller(c, SUSTAIN, 127) for c in CHANNELS]
        return [controller(c, SUSTAIN, 127 if self._sounding.is_down(c) else 0) for c in CHANNELS]
