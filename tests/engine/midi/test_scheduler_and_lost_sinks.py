"""Sinks that refuse, come and go: what a receiver was given ends there, and others miss nothing."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.notes import PedalEvent
from engine.midi.file import paired
from engine.midi.scheduler import Scheduler
from engine.midi.sinks import TeeSink
from tests.engine.midi.stage import LATENCY, Clock, Sink, make, off, on, play_to


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


def test_close_ends_the_notes_that_a_broken_sink_left_open() -> None:
    scheduler, sink, clock = make()
    scheduler.submit([on(1.0), off(2.0)])
    play_to(scheduler, clock, 101.5)
    sink.is_broken = True
    play_to(scheduler, clock, 103.0)
    sink.is_broken = False
    scheduler.close()
    assert [event.is_on for event in sink.events] == [True, False]


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
