"""The scheduler under a clock that the test moves; nothing here sleeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.note_tracker import LEAST_NOTE
from engine.core.notes import Event
from engine.midi.scheduler import Scheduler
from tests.engine.midi.stage import LATENCY, Clock, Sink, make, off, on, play_to
from tests.messages import says


def test_a_note_leaves_at_its_onset_plus_latency() -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(1.0), off(1.5)])
    assert scheduler.send_due(clock.now) == pytest.approx(101.25)
    assert sink.sent == []
    play_to(scheduler, clock, 110.0)
    assert sink.sent == [(101.25, on(1.0)), (101.75, off(1.5))]
    assert (scheduler.n_sent, scheduler.n_late, scheduler.n_dropped) == (1, 0, 0)


def test_a_sink_that_takes_longer_than_the_latency_has_for_it_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scheduler, sink, clock = make()
    sink.latency, scheduler.max_lead = 0.03, 0.01
    for time in (1.0, 2.0):
        scheduler.submit([on(time), off(time + 0.5)])
    (message,) = caplog.messages
    says(message, "sink", "20 ms", "start again")


def test_what_a_sink_takes_itself_is_led_up_to_what_the_latency_has_for_it() -> None:
    scheduler, sink, clock = make()
    sent: list[tuple[float, float]] = []
    scheduler._on_sent = lambda event, due, at: sent.append((due, at))
    sink.latency, scheduler.max_lead = 0.02, 0.015
    scheduler.submit([on(1.0), off(1.5)])
    assert scheduler.send_due(clock.now) == pytest.approx(101.25)
    clock.now = 101.23
    scheduler.send_due(clock.now)
    assert sink.sent == []
    clock.now = 101.235
    scheduler.send_due(clock.now)
    assert sink.sent == [(101.235, on(1.0))] and sent == [pytest.approx((101.25, 101.25))]
    sink.latency = 0.005  # the graph's period is shorter now
    clock.now = 101.74
    scheduler.send_due(clock.now)
    assert sink.events[-1] == on(1.0)
    clock.now = 101.745
    scheduler.send_due(clock.now)
    assert sink.events[-1] == off(1.5)
    scheduler.submit([on(1.5), off(1.9)])
    assert scheduler._queue.pop().was_late is False  # due at 101.75, and 5 ms before it


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


def test_closing_a_scheduler_that_never_ran_leaves_the_sink_alone() -> None:
    scheduler, sink, _ = make()
    scheduler.close()
    assert (sink.events, sink.n_silences, sink.n_panics) == ([], 0, 0)
