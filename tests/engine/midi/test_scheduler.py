"""The scheduler under a clock that the test moves; nothing here sleeps."""

import logging
import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import MidiError
from engine.core.note_tracker import LEAST_NOTE
from engine.core.notes import Event, NoteEvent, PedalEvent, notes_of
from engine.midi.file import paired
from engine.midi.scheduler import Scheduler
from engine.midi.sinks import TeeSink

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


def test_a_note_leaves_at_its_onset_plus_latency() -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(1.0), off(1.5)])
    assert scheduler.send_due(clock.now) == pytest.approx(101.25)
    assert sink.sent == []
    play_to(scheduler, clock, 110.0)
    assert sink.sent == [(101.25, on(1.0)), (101.75, off(1.5))]
    assert (scheduler.n_sent, scheduler.n_late, scheduler.n_dropped) == (1, 0, 0)


def test_notes_leave_by_due_time_whatever_the_order_of_submission() -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(2.0, 62), off(2.5, 62)])
    scheduler.submit([on(1.0, 60), off(3.0, 60)])
    play_to(scheduler, clock, 110.0)
    assert sink.events == [on(1.0, 60), on(2.0, 62), off(2.5, 62), off(3.0, 60)]


def test_a_little_late_is_played_at_once_and_counted() -> None:
    scheduler, sink, clock = make()
    clock.now = 101.27
    scheduler.submit([on(1.0), off(1.5)])
    scheduler.send_due(clock.now)
    assert sink.sent == [(101.27, on(1.0))]
    assert (scheduler.n_sent, scheduler.n_late) == (1, 1)


def test_too_late_is_dropped_with_its_note_off() -> None:
    scheduler, sink, clock = make()
    clock.now = 101.29
    scheduler.submit([on(1.0), off(1.5), on(2.0), off(2.5)])
    play_to(scheduler, clock, 110.0)
    assert sink.events == [on(2.0), off(2.5)]
    assert (scheduler.n_sent, scheduler.n_dropped) == (1, 1)


def test_a_late_note_off_is_sent() -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(1.0)])
    play_to(scheduler, clock, 105.0)
    scheduler.submit([off(1.5)])
    scheduler.send_due(clock.now)
    assert sink.sent[-1] == (105.0, off(1.5))


def test_a_dropped_restrike_still_ends_the_first_note() -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(1.0)])
    play_to(scheduler, clock, 105.0)
    scheduler.submit([off(1.5), on(1.5), off(2.0)])
    scheduler.send_due(clock.now)
    assert sink.events == [on(1.0), off(1.5)]


def test_a_note_on_for_a_sounding_pitch_first_ends_it() -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(1.0), on(2.0), off(3.0)])
    play_to(scheduler, clock, 110.0)
    assert sink.events == [on(1.0), off(2.0), on(2.0), off(3.0)]


def test_a_shifting_anchor_keeps_the_order_of_a_pitch() -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(1.0), off(2.0)])
    scheduler.anchor(lambda time: 99.999 + time)  # the clock was corrected by a millisecond
    scheduler.submit([on(2.0), off(3.0)])
    play_to(scheduler, clock, 110.0)
    assert sink.events == [on(1.0), off(2.0), on(2.0), off(3.0)]


def test_full_queue_drops_note_ons_with_their_offs_and_no_other_off() -> None:
    scheduler, sink, clock = make(max_queued=2)
    scheduler.submit([on(1.0, 60), on(1.0, 61), on(1.0, 62), off(2.0, 62), off(2.0, 60)])
    scheduler.submit([off(2.0, 61)])
    play_to(scheduler, clock, 110.0)
    assert sink.events == [on(1.0, 60), on(1.0, 61), off(2.0, 60), off(2.0, 61)]
    assert scheduler.n_overflowed == 1


def test_full_queue_takes_notes_again_once_it_has_room() -> None:
    scheduler, sink, clock = make(max_queued=1)
    scheduler.submit([on(1.0), off(1.5), on(2.0), off(2.5)])
    play_to(scheduler, clock, 102.0)
    scheduler.submit([on(3.0), off(3.5)])
    play_to(scheduler, clock, 110.0)
    assert sink.events == [on(1.0), off(1.5), on(3.0), off(3.5)]


def test_panic_ends_what_sounds_and_forgets_what_waits() -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(1.0), on(5.0, 64), off(6.0), off(6.0, 64)])
    play_to(scheduler, clock, 102.0)
    scheduler.panic()
    assert not scheduler.drain(0.0)
    assert scheduler.send_due(clock.now) is None
    assert sink.events == [on(1.0), off(1.75)]
    assert sink.n_panics == 1
    assert scheduler.drain(0.0)
    scheduler.submit([off(6.0), on(7.0), off(8.0)])  # the first note's own end comes too late
    play_to(scheduler, clock, 110.0)
    assert sink.events[2:] == [on(7.0), off(8.0)]


def test_close_ends_what_sounds_even_without_a_thread() -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(1.0), off(6.0)])
    scheduler.send_due(clock.now)
    clock.now = 101.25
    scheduler.send_due(clock.now)
    scheduler.close()
    assert sink.events == [on(1.0), off(1.0 + LEAST_NOTE)]
    assert (sink.n_silences, sink.n_panics) == (1, 0)


def test_drain_tells_whether_anything_waits() -> None:
    scheduler, _, clock = make()
    assert scheduler.drain(0.0)
    scheduler.submit([on(1.0), off(1.5)])
    assert not scheduler.drain(0.0)
    play_to(scheduler, clock, 110.0)
    assert scheduler.drain(0.0)


def test_broken_sink_is_logged_once_and_its_notes_end_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(1.0), off(2.0), on(2.5, 64), off(2.7, 64), on(4.0, 67), off(5.0, 67)])
    play_to(scheduler, clock, 101.5)
    sink.is_broken = True
    with caplog.at_level(logging.INFO):
        play_to(scheduler, clock, 103.5)
        assert sink.events == [on(1.0)]
        sink.is_broken = False
        play_to(scheduler, clock, 110.0)
    assert [event.pitch for event in sink.events] == [60, 60, 67, 67]
    assert [event.is_on for event in sink.events] == [True, False, True, False]
    assert sink.events[1].time > 2.0  # ended when the port came back, not when the music said
    assert caplog.messages == ["the port is gone", "MIDI goes on: sink"]
    assert scheduler.n_failed == 2  # an end and a note-on, whose own end nobody is owed
    assert scheduler.n_sent == 2


def test_close_with_a_broken_sink_does_not_raise() -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(1.0), off(2.0)])
    play_to(scheduler, clock, 101.5)
    sink.is_broken = True
    scheduler.close()
    assert sink.events == [on(1.0)]


def test_what_is_sent_is_told_with_due_and_sent() -> None:
    clock = Clock()
    told: list[tuple[Event, float, float]] = []
    scheduler = Scheduler(
        Sink(clock), LATENCY, clock=clock, on_sent=lambda *sent: told.append(sent)
    )
    scheduler.anchor(lambda time: time)
    clock.now = 1.251
    scheduler.submit([on(1.0), off(2.0)])
    scheduler.send_due(clock.now)
    assert told == [(on(1.0), 1.25, 1.251)]


def test_the_thread_sends_and_ends_notes() -> None:
    """On the real clock, with everything already due: no waiting but for the thread itself."""
    sink = Sink()
    scheduler = Scheduler(sink, 0.0, late_tolerance=1e9)
    scheduler.anchor(lambda time: time)
    scheduler.start()
    scheduler.submit([on(0.0), off(0.5), on(0.0, 64)])
    assert scheduler.drain(10.0)
    scheduler.panic()
    assert sink.has_panicked.wait(10.0)
    scheduler.submit([on(0.75, 67)])
    assert scheduler.drain(10.0)
    scheduler.close()
    scheduler.close()
    assert [(e.pitch, e.is_on) for e in sink.events] == [
        (60, True),
        (64, True),
        (60, False),
        (64, False),
        (67, True),
        (67, False),
    ]


NOTES = st.lists(
    st.tuples(st.integers(60, 62), st.floats(0.0, 3.0), st.floats(0.01, 1.0), st.floats(0.0, 0.3)),
    max_size=30,
)


@given(NOTES, st.integers(1, 5), st.floats(0.0, 4.0))
def test_whatever_comes_every_note_that_sounds_ends(
    notes: list[tuple[int, float, float, float]], max_queued: int, panic_at: float
) -> None:
    scheduler, sink, clock = make(max_queued=max_queued)
    ends: dict[int, float] = {}
    start = 0.0
    has_panicked = False
    for pitch, gap, length, delay in notes:
        start = max(start + gap, ends.get(pitch, 0.0))
        ends[pitch] = start + length
        play_to(scheduler, clock, 100.0 + start + delay)
        scheduler.submit([on(start, pitch), off(start + length, pitch)])
        if start > panic_at and not has_panicked:
            has_panicked = True
            scheduler.panic()
    play_to(scheduler, clock, 1000.0)
    assert scheduler.drain(0.0)
    sounding: set[int] = set()
    for event in sink.events:
        assert event.is_on == (event.pitch not in sounding)
        sounding ^= {event.pitch}
    assert not sounding
    assert [time for time, _ in sink.sent] == sorted(time for time, _ in sink.sent)


def test_the_end_of_a_note_whose_restrike_found_no_room_is_sent() -> None:
    scheduler, sink, clock = make(max_queued=1)
    scheduler.submit([on(1.0), on(2.0), off(3.0)])  # struck again without an end between
    play_to(scheduler, clock, 110.0)
    assert sink.events == [on(1.0), off(3.0)]


def test_close_ends_the_notes_that_a_broken_sink_left_open() -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(1.0), off(2.0)])
    play_to(scheduler, clock, 101.5)
    sink.is_broken = True
    play_to(scheduler, clock, 103.0)
    sink.is_broken = False
    scheduler.close()
    assert [event.is_on for event in sink.events] == [True, False]


def test_closing_a_scheduler_that_never_ran_leaves_the_sink_alone() -> None:
    scheduler, sink, _ = make()
    scheduler.close()
    assert (sink.events, sink.n_silences, sink.n_panics) == ([], 0, 0)


def test_while_one_of_two_sinks_is_broken_the_other_gets_every_note() -> None:
    clock = Clock()
    port, file = Sink(clock), Sink(clock)
    scheduler = Scheduler(TeeSink([port, file]), LATENCY, clock=clock)
    scheduler.anchor(lambda time: 100.0 + time)
    song = [on(0.0), off(0.5)]
    for beat in (1.0, 2.0, 3.0):
        song += [on(beat), on(beat + 0.1, 64), off(beat + 0.5), off(beat + 0.6, 64)]
    scheduler.submit(song)
    play_to(scheduler, clock, 100.0 + LATENCY + 0.2)
    port.is_broken = True
    play_to(scheduler, clock, 100.0 + LATENCY + 2.55)
    port.is_broken = False
    play_to(scheduler, clock, 110.0)
    assert paired(file.events) == sorted(
        song, key=lambda event: event.time
    )  # what the take on disk holds
    assert [event.time for event in port.events if event.is_on] == [0.0, 3.0, 3.1]
    assert {event.pitch: event.is_on for event in port.events} == {60: False, 64: False}


@given(st.lists(st.floats(0.0, 0.0008), min_size=50, max_size=50))
def test_beside_a_port_that_refuses_everything_a_file_gets_each_event_once(
    jitter: list[float],
) -> None:
    clock = Clock()
    port, file = Sink(clock, is_broken=True), Sink(clock)
    scheduler = Scheduler(TeeSink([port, file]), LATENCY, clock=clock)
    scheduler.anchor(lambda time: 100.0 + time)
    for k, late in enumerate(jitter):
        pitch = 60 + k % 12
        scheduler.submit([on(0.1 * k, pitch), off(0.1 * k + 0.25, pitch)])
        play_to(scheduler, clock, 100.0 + 0.1 * k + late)
    play_to(scheduler, clock, 1000.0)
    assert [event.is_on for event in file.events].count(True) == len(jitter)
    assert len(file.events) == 2 * len(jitter)
    assert [e.time for e in file.events if not e.is_on] == [
        pytest.approx(0.1 * k + 0.25) for k in range(len(jitter))
    ]
    assert scheduler.n_failed == len(jitter)  # the note-ons; nobody is owed their ends


def test_what_a_port_was_left_with_ends_when_it_is_back_though_nothing_is_played() -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(1.0), PedalEvent(1.0, True), off(2.0), PedalEvent(2.0, False)])
    play_to(scheduler, clock, 101.5)
    sink.is_broken = True
    play_to(scheduler, clock, 103.0)
    sink.is_broken = False
    scheduler.send_due(clock.now)
    assert sink.events[-1] == off(2.0 + (103.0 - 102.25))
    assert [e.is_down for _, e in sink.sent if isinstance(e, PedalEvent)] == [True, False]


@given(st.lists(st.tuples(st.sampled_from([60, 61]), st.booleans(), st.booleans()), max_size=30))
def test_no_note_stays_on_at_a_sink_that_comes_and_goes(
    steps: list[tuple[int, bool, bool]],
) -> None:
    scheduler, sink, clock = make()
    for k, (pitch, is_on, is_broken) in enumerate(steps):
        scheduler.submit([on(k, pitch) if is_on else off(k, pitch)])
        sink.is_broken = is_broken
        play_to(scheduler, clock, 100.5 + k)
    sink.is_broken = False
    scheduler.close()
    last = {event.pitch: event.is_on for event in sink.events}
    assert not any(last.values())
