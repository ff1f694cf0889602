"""Tempo and bar lines from ticks with jitter, gaps and turns."""

import numpy as np
import pytest

from engine.core.tempo import Tempo
from livecover.control.clock import MAX_TICKS, MIN_TICKS, PPQN, MidiClockReceiver


def ticks(bpm: float, n: int, start: float = 100.0) -> list[float]:
    return [start + k * 60.0 / (bpm * PPQN) for k in range(n)]


def cycles(moments: list[float], period: float = 1024 / 44100) -> list[float]:
    """Return when a port gives on what came, that does so once a cycle."""
    return [float(np.ceil(host_time / period) * period) for host_time in moments]


def feed(clock: MidiClockReceiver, moments: list[float]) -> Tempo:
    for host_time in moments:
        clock.tick(host_time)
    tempo = clock.tempo(moments[-1])
    assert tempo is not None
    return tempo


@pytest.mark.parametrize("bpm", [40.0, 77.7, 120.0, 174.0, 300.0])
def test_a_steady_clock_gives_its_tempo(bpm: float) -> None:
    assert feed(MidiClockReceiver(), ticks(bpm, 60)).bpm == pytest.approx(bpm, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_jitter_does_not_reach_the_tempo(seed: int) -> None:
    noise = np.random.default_rng(seed).uniform(0.0, 0.012, 240)
    moments = sorted(t + float(late) for t, late in zip(ticks(120.0, 240), noise, strict=True))
    clock, told = MidiClockReceiver(), []
    for host_time in moments:
        clock.tick(host_time)
        tempo = clock.tempo(host_time)
        told += [] if tempo is None else [tempo.bpm]
    assert len(told) > 100
    assert told == pytest.approx([120.0] * len(told), abs=0.5)  # the first that is told, too


@pytest.mark.parametrize("bpm", [93.0, 120.0, 140.0])
def test_a_port_that_works_in_cycles_gives_the_tempo(bpm: float) -> None:
    tempo = feed(MidiClockReceiver(), cycles(ticks(bpm, MAX_TICKS)))
    assert tempo.bpm == pytest.approx(bpm, abs=0.1)


def test_a_lost_and_a_doubled_tick_are_borne() -> None:
    moments = ticks(120.0, 200)
    del moments[70]
    moments.insert(150, moments[150])
    assert feed(MidiClockReceiver(), moments).bpm == pytest.approx(120.0, abs=0.5)


def held_up(moments: list[float], start: float, seconds: float) -> list[float]:
    """Return when ticks come through a port that gives on nothing for a while, and then all."""
    return [start + seconds if start <= t < start + seconds else t for t in moments]


@pytest.mark.parametrize("seconds", [0.1, 0.25, 0.4])
def test_a_machine_that_holds_ticks_up_changes_no_tempo(seconds: float) -> None:
    moments = cycles(ticks(120.0, 600))
    for start in (102.0, 104.5, 107.0):
        moments = held_up(moments, start, seconds)
    clock, told = MidiClockReceiver(), []
    for host_time in moments:
        clock.tick(host_time)
        tempo = clock.tempo(host_time)
        told += [] if tempo is None else [tempo.bpm]
    assert len(told) > 300
    assert told == pytest.approx([120.0] * len(told), abs=0.5)


def test_another_tempo_is_found_within_two_beats() -> None:
    before = ticks(120.0, 400)
    after = ticks(90.0, 2 * PPQN + 12, before[-1] + 60.0 / (90.0 * PPQN))
    assert feed(MidiClockReceiver(), before + after).bpm == pytest.approx(90.0, abs=0.5)


def test_nothing_is_told_too_early_nor_after_the_clock_has_stopped() -> None:
    clock, moments = MidiClockReceiver(), ticks(120.0, MIN_TICKS)
    assert clock.tempo(0.0) is None
    for host_time in moments[:-1]:
        clock.tick(host_time)
    assert clock.tempo(moments[-2]) is None
    clock.tick(moments[-1])
    assert clock.tempo(moments[-1]) is not None
    assert clock.tempo(moments[-1] + 1.5) is None
    clock.tick(moments[-1] + 1.5)
    assert clock.tempo(moments[-1] + 1.5) is None


def test_no_tempo_is_made_of_nonsense() -> None:
    clock = MidiClockReceiver()
    for k in range(200):
        clock.tick(1.0 + 1e-4 * k)
    assert clock.tempo(1.03) is None


def test_beats_are_counted_from_start() -> None:
    clock = MidiClockReceiver()
    feed(clock, ticks(120.0, 96, 98.0))
    clock.start()
    tempo = feed(clock, ticks(120.0, 5 * PPQN + 7, 100.0))  # the first is the song's begin
    assert tempo.beat_of(100.0) == pytest.approx(0.0, abs=1e-6)
    assert tempo.bar_at(101.9) == pytest.approx(100.0)
    assert tempo.bar_at(102.1) == pytest.approx(102.0)


def test_a_place_in_the_song_moves_the_bar_lines() -> None:
    clock = MidiClockReceiver()
    feed(clock, ticks(120.0, 96, 98.0))
    clock.set_position(24)  # the middle of the second bar
    clock.resume()
    tempo = feed(clock, ticks(120.0, PPQN, 100.0))
    assert tempo.beat_of(100.0) == pytest.approx(6.0, abs=1e-6)
    assert tempo.bar_at(101.1) == pytest.approx(101.0)


def test_a_song_that_stands_or_was_never_begun_has_no_bar_lines() -> None:
    clock = MidiClockReceiver()
    clock.resume()  # from nobody knows where
    assert feed(clock, ticks(120.0, 96)).bar_at(105.0) is None
    clock.start()
    clock.stop()
    assert feed(clock, ticks(120.0, 96, 102.0)).beat is None


def test_a_bar_may_have_another_number_of_beats() -> None:
    assert Tempo(60.0, 10.0, 7, 3).bar_at(10.0) == 9.0
