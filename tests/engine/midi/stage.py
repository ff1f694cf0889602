"""A scheduler under a clock that the test moves, and a sink that keeps what it is sent."""

import threading
from dataclasses import dataclass, field

from engine.core.errors import MidiError
from engine.core.notes import Event, NoteEvent, notes_of
from engine.midi.scheduler import Scheduler

LATENCY = 0.25


@dataclass
class Clock:
    """Seconds that stand still until a test sets them."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Sink:
    """Keeps what it is sent, with the time; refuses while ``is_broken``."""

    clock: Clock = field(default_factory=Clock)
    name: str = "sink"
    is_broken: bool = False
    sent: list[tuple[float, Event]] = field(default_factory=list)
    is_there: bool = True
    n_losses: int = 0
    latency: float = 0.0
    n_silences: int = 0
    n_panics: int = 0
    has_panicked: threading.Event = field(default_factory=threading.Event)

    def send(self, event: Event) -> None:
        if self.is_broken:
            raise MidiError("the port is gone")
        self.sent.append((self.clock.now, event))

    def silence(self) -> None:
        if self.is_broken:
            raise MidiError("the port is gone")
        self.n_silences += 1

    def panic(self) -> None:
        if self.is_broken:
            raise MidiError("the port is gone")
        self.n_panics += 1
        self.has_panicked.set()

    def close(self) -> None: ...

    @property
    def events(self) -> list[NoteEvent]:
        return notes_of(event for _, event in self.sent)


def on(time: float, pitch: int = 60, velocity: int = 64) -> NoteEvent:
    return NoteEvent(time, pitch, velocity)


def off(time: float, pitch: int = 60) -> NoteEvent:
    return NoteEvent(time, pitch, 0)


def make(**options: int) -> tuple[Scheduler, Sink, Clock]:
    """Return a scheduler whose audio time 0 is clock time 100."""
    clock = Clock()
    sink = Sink(clock)
    scheduler = Scheduler(sink, LATENCY, 0.03, clock=clock, **options)  # type: ignore[arg-type]
    scheduler.anchor(lambda time: 100.0 + time)
    return scheduler, sink, clock


def play_to(scheduler: Scheduler, clock: Clock, end: float) -> None:
    """Let time go on from due time to due time, up to ``end``."""
    while (due := scheduler.send_due(clock.now)) is not None and due <= end:
        clock.now = due
    clock.now = max(clock.now, end)
    scheduler.send_due(clock.now)
