"""MIDI clock as it is written, of a song whose beats are known, and as a sequencer hears it."""

import numpy as np
import pytest

from engine.core.tempo import Beat, BeatState, Tempo
from engine.sync.clock_writer import CONTINUE, SONG_POSITION, START, STOP, TICK, ClockWriter
from livecover.control.clock import MidiClockReceiver

LOCKED, HOLDING, LOST = BeatState.LOCKED, BeatState.HOLDING, BeatState.LOST


def beat(
    number: int, at: float, bpm: float = 120.0, state: BeatState = LOCKED, source: str = "heard"
) -> Beat:
    return Beat(source, state, 1.0, Tempo(bpm, at, number))


class Sequencer:
    """Follows a writer in virtual time; keeps every message with its time."""

    def __init__(self, delay: float = 0.0) -> None:
        self.writer = ClockWriter()
        self.writer.song.delay = delay
        self.clock = MidiClockReceiver()
        self.sent: list[tuple[float, tuple[int, ...]]] = []
        self.now = 0.0

    def play_until(self, time: float) -> None:
        while (due := self.writer.next_due()) <= time:
            self.now = max(self.now, due)
            message = self.writer.pop(self.now)
            assert message is not None
            self._take(message)
        self.now = time

    def hear(self, heard: Beat, now: float) -> None:
        self.play_until(now)
        self.writer.follow(heard, now)
        self.play_until(now)

    def _take(self, message: tuple[int, ...]) -> None:
        self.sent.append((self.now, message))
        match message[0]:
            case 0xF8:
                self.clock.tick(self.now)
            case 0xFA:
                self.clock.start()
            case 0xFB:
                self.clock.resume()
            case 0xFC:
                self.clock.stop()
            case 0xF2:
                self.clock.set_position(message[1] + 128 * message[2])

    def times(self, status: int) -> list[float]:
        return [time for time, message in self.sent if message[0] == status]


def test_nothing_goes_out_until_the_beat_is_locked() -> None:
    sequencer = Sequencer()
    for state, source in ((LOST, "heard"), (HOLDING, "heard"), (LOCKED, "clock"), (LOCKED, "off")):
        sequencer.hear(beat(0, 1.0, state=state, source=source), sequencer.now + 1.0)
    sequencer.hear(Beat(), sequencer.now + 1.0)
    sequencer.play_until(10.0)
    assert sequencer.sent == []


@pytest.mark.parametrize("delay", [0.0, 0.2, -0.03])
def test_a_sequencers_beats_and_bars_are_the_songs(delay: float) -> None:
    """Beats are told with an error of 8 ms, while the tempo rises."""
    sequencer, rng, at = Sequencer(delay), np.random.default_rng(0), 10.0
    times = []
    for number in range(2, 200):
        bpm = 110.0 + 0.05 * number
        sequencer.hear(beat(number, at + rng.normal(0, 0.008), bpm), at)
        times.append(at)
        at += 60 / bpm
    tempo = sequencer.clock.tempo(at)
    assert tempo is not None and tempo.beat is not None
    assert tempo.bpm == pytest.approx(120, rel=0.015)
    assert len(sequencer.times(START)) == 1
    (start,) = sequencer.times(START)
    assert start == pytest.approx(times[2] + delay, abs=0.03)  # the first bar line: beat 4
    heard = tempo.beat_of(times[-1] + delay)
    assert heard == pytest.approx(199 - 4, abs=0.05)


def test_ticks_are_even_while_beats_jitter() -> None:
    sequencer, rng = Sequencer(), np.random.default_rng(1)
    for number in range(400):
        at = number * 0.5
        sequencer.hear(beat(number, at + rng.normal(0, 0.004)), at)
    ticks = np.diff(sequencer.times(TICK))
    assert np.quantile(np.abs(ticks - 0.5 / 24), 0.95) < 0.0015
    assert ticks.min() > 0


def test_a_lost_beat_stops_it_and_it_goes_on_at_its_place_on_a_bar_line() -> None:
    sequencer = Sequencer()
    for number in range(10):
        sequencer.hear(beat(number, number * 0.5), number * 0.5)
    sequencer.hear(beat(9, 4.5, state=LOST), 4.9)
    assert sequencer.times(STOP) == [4.9]
    sequencer.play_until(8.0)
    assert max(sequencer.times(TICK)) < 4.91
    for number in range(17, 30):
        sequencer.hear(beat(number, number * 0.5), number * 0.5)
    assert len(sequencer.times(START)) == len(sequencer.times(CONTINUE)) == 1
    positions = [m for _, m in sequencer.sent if m[0] == SONG_POSITION]
    assert positions == [(SONG_POSITION, 80, 0)]  # beat 20, in sixteenths
    tempo = sequencer.clock.tempo(14.5)
    assert tempo is not None and tempo.beat_of(14.5) == pytest.approx(29, abs=0.01)


@pytest.mark.parametrize(("number", "bpm"), [(61, 120.0), (40, 120.0), (30, 240.0)])
def test_a_beat_that_is_elsewhere_is_followed_from_its_next_bar_line(
    number: int, bpm: float
) -> None:
    """The player says that a bar begins here, or that the tempo is twice as fast."""
    sequencer = Sequencer()
    for k in range(30):
        sequencer.hear(beat(k, k * 0.5), k * 0.5)
    for k in range(20):
        at = 15.0 + k * 60 / bpm
        sequencer.hear(beat(number + k, at, bpm), at)
    assert sequencer.times(STOP) == [15.0]
    (going_on,) = sequencer.times(CONTINUE)
    assert going_on >= 15.0
    tempo = sequencer.clock.tempo(sequencer.now)
    assert tempo is not None
    assert tempo.beat_of(at) == pytest.approx(number + 19, abs=0.02)


def test_another_song_starts_anew() -> None:
    sequencer = Sequencer()
    for first in (3, 1):
        for k in range(8):
            at = sequencer.now + 0.5
            sequencer.hear(beat(first + k, at), at)
        sequencer.writer.reset()
        sequencer.play_until(sequencer.now + 1.0)
    assert len(sequencer.times(START)) == len(sequencer.times(STOP)) == 2
    assert not sequencer.times(CONTINUE)


def test_after_a_sleep_of_the_machine_it_stops_and_goes_on() -> None:
    sequencer = Sequencer()
    for k in range(8):
        sequencer.hear(beat(k, k * 0.5), k * 0.5)
    sequencer.now = 60.0  # nothing was sent since
    assert sequencer.writer.pop(60.0) == (STOP,)
    assert sequencer.writer.pop(60.0) is None
    for k in range(120, 130):
        sequencer.hear(beat(k, k * 0.5), k * 0.5)
    assert len(sequencer.times(CONTINUE)) == 1
