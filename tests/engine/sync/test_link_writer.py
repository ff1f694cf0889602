"""A session of Ableton Link as it is told of a song whose beats are known, in virtual time."""

import numpy as np
import pytest

from engine.core.tempo import Beat, BeatState, Tempo
from engine.sync.link_writer import LinkWriter, Timeline, Transport

LOCKED, HOLDING, LOST = BeatState.LOCKED, BeatState.HOLDING, BeatState.LOST


def beat(
    number: int, at: float, bpm: float = 120.0, state: BeatState = LOCKED, metre: int = 4
) -> Beat:
    return Beat("heard", state, 1.0, Tempo(bpm, at, number, metre))


class Session:
    """Follows a writer; knows the timeline, and every jump of it in beats."""

    def __init__(self, delay: float = 0.0) -> None:
        self.writer = LinkWriter()
        self.writer.song.delay = delay
        self.timelines: list[Timeline] = []
        self.transport: list[Transport] = []
        self.jumps: list[float] = []
        self.now = 0.0

    def at(self, time: float) -> float:
        last = self.timelines[-1]
        return last.position + (time - last.time) * last.bpm / 60

    def play_until(self, time: float) -> None:
        while (due := self.writer.next_due()) <= time:
            self.now = max(self.now, due)
            message = self.writer.pop(self.now)
            assert message is not None
            if isinstance(message, Transport):
                self.transport.append(message)
                continue
            if self.timelines:
                self.jumps.append(message.position - self.at(message.time))
            self.timelines.append(message)
        self.now = time

    def hear(self, heard: Beat, now: float) -> None:
        self.play_until(now)
        self.writer.follow(heard, now)
        self.play_until(now)


def told(transport: list[Transport]) -> list[tuple[bool, float]]:
    return [(message.is_playing, round(message.time, 6)) for message in transport]


def test_nothing_is_told_until_the_beat_is_locked() -> None:
    session = Session()
    for heard in (Beat(), beat(0, 1.0, state=HOLDING), beat(0, 1.0, state=LOST)):
        session.hear(heard, session.now + 1.0)
    session.hear(Beat("clock", LOCKED, 1.0, Tempo(120.0, 4.0, 2)), 4.0)
    session.play_until(10.0)
    assert (session.timelines, session.transport) == ([], [])


@pytest.mark.parametrize("delay", [0.0, 0.2, -0.03])
def test_the_session_has_the_songs_beats_and_no_jump(delay: float) -> None:
    """Beats are told with an error of 8 ms, while the tempo rises."""
    session, rng, at = Session(delay), np.random.default_rng(0), 10.0
    for number in range(2, 200):
        bpm = 110.0 + 0.05 * number
        session.hear(beat(number, at + rng.normal(0, 0.008), bpm), at)
        last, at = at, at + 60 / bpm
    assert session.at(last + delay) == pytest.approx(199, abs=0.05)
    assert session.timelines[-1].bpm == pytest.approx(120, rel=0.03)
    assert np.abs(session.jumps).max() < 1e-9
    (start,) = session.transport
    assert start.is_playing and session.timelines[0].time < start.time
    assert start.time == pytest.approx(10.0 + 2 * 60 / 110.1 + delay, abs=0.03)  # beat 4


def test_bars_of_three_are_a_quantum_of_three() -> None:
    session = Session()
    for number in range(4, 9):
        session.hear(beat(number, number * 0.5, metre=3), number * 0.5)
    assert {timeline.beats_per_bar for timeline in session.timelines} == {3}
    assert told(session.transport) == [(True, 3.0)]


def test_a_lost_beat_stops_it_and_its_tempo_stays() -> None:
    session = Session()
    for number in range(10):
        session.hear(beat(number, number * 0.5), number * 0.5)
    n_told = len(session.timelines)
    session.hear(beat(9, 4.5, state=LOST), 4.9)
    session.play_until(8.0)
    assert session.transport[1:] == [Transport(False, 4.9)]
    assert len(session.timelines) <= n_told + 1  # of a bend that was to come
    for number in range(17, 24):
        session.hear(beat(number, number * 0.5), number * 0.5)
    assert told(session.transport[2:]) == [(True, 10.0)]


def test_a_beat_that_is_elsewhere_stops_it_until_the_next_bar_line() -> None:
    session = Session()
    for k in range(30):
        session.hear(beat(k, k * 0.5), k * 0.5)
    for k in range(20):  # the player says that a bar begins here
        session.hear(beat(61 + k, 15.0 + k * 0.5), 15.0 + k * 0.5)
    assert [message.is_playing for message in session.transport] == [True, False, True]
    assert session.transport[2].time == pytest.approx(16.5)  # beat 64
    assert session.at(session.now) == pytest.approx(80)
    assert sum(abs(jump) > 1e-9 for jump in session.jumps) == 1


def test_the_end_stops_it() -> None:
    session = Session()
    for number in range(4):
        session.hear(beat(number, number * 0.5), number * 0.5)
    session.writer.reset()
    session.play_until(3.0)
    assert session.transport[-1].is_playing is False and not session.writer.is_running
