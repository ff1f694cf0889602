"""Which steps are written when, with a clock and graphs that are made up."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from engine.accompany.accompanist import Accompanist
from engine.accompany.model import Place
from engine.accompany.sampling import SamplingSettings
from engine.accompany.step_writer import LEAST_HEARD_S, PlayState, StepWriter
from engine.beat.steps.gathering import StepGatherer
from engine.core.notes import NoteEvent, Posteriors
from engine.core.tempo import BeatState
from tests.engine.accompany.graphs import Graphs

FRAME_S = 0.016
LEAD, HEARING = 0.05, 0.14
PERIOD = 0.5
STEP_S = PERIOD / 4
BAR_S = 4 * PERIOD


@dataclass
class SteadyClock:
    """Beats from ``start`` on, the first of them the first of a bar."""

    start: float = 0.0
    period: float = PERIOD
    state: BeatState = BeatState.LOCKED
    metre: int = 4

    def position(self, time: float) -> float:
        return (time - self.start) / self.period

    def time_of(self, position: float) -> float:
        return self.start + position * self.period

    def beat_in_bar(self, beat: int) -> int:
        return beat % self.metre


def frames(time: float, is_music: bool) -> Posteriors:
    rows = np.full((1, 88), 0.9 * is_music, np.float32)
    return Posteriors(np.array([round(time / FRAME_S)]), rows, rows, rows)


class Band:
    """A writer that hears music, or none, frame by frame."""

    def __init__(self, clock: Any, graphs: Any = None, **options: Any) -> None:
        model: Any = graphs or Graphs()
        self.clock, self.now = clock, 0.0
        self.gatherer = StepGatherer(FRAME_S)
        accompanist = Accompanist(model, SamplingSettings(candidates=1))
        self.writer = StepWriter(
            accompanist, clock, self.gatherer, lead=LEAD, hearing=HEARING, **options
        )

    def play(self, until: float, is_music: bool = True) -> list[NoteEvent]:
        events = []
        while self.now < until:
            self.now += FRAME_S
            if self.now >= HEARING:
                self.gatherer.push(frames(self.now - HEARING, is_music))
            found = self.writer.tick(self.now)
            events += found
            assert all(event.time >= self.now for event in found)  # still to come
        return events


def onsets(events: list[NoteEvent]) -> list[float]:
    return sorted({round(event.time, 6) for event in events if event.is_on})


def test_it_listens_for_two_bars_and_enters_on_a_bar() -> None:
    events = Band(SteadyClock(start=0.3)).play(10.0)
    first = onsets(events)[0]
    assert first == pytest.approx(0.3 + 2 * BAR_S)
    beats = np.array(onsets(events))
    np.testing.assert_allclose(beats, first + PERIOD * np.arange(len(beats)), atol=1e-6)


def test_it_enters_sooner_where_it_is_told_to() -> None:
    assert onsets(Band(SteadyClock(), listen_bars=1).play(8.0))[0] == pytest.approx(BAR_S)


def test_music_before_the_beat_was_found_counts() -> None:
    clock = SteadyClock(start=-20.0, state=BeatState.LOST)
    band = Band(clock)
    assert band.play(7.0) == []
    clock.state = BeatState.LOCKED
    assert onsets(band.play(9.0)) == [8.0, 8.5, 9.0]
    assert band.writer.state is PlayState.PLAYING


def test_it_rests_after_a_bar_of_silence_and_comes_back_on_a_bar() -> None:
    band = Band(SteadyClock(start=-8.0))
    band.play(12.0)
    rest = band.play(20.0, is_music=False)
    last = onsets(rest)[-1]
    assert 12.0 + BAR_S - STEP_S <= last + PERIOD <= 12.0 + BAR_S + 4 * STEP_S
    assert band.writer.state is PlayState.RESTING
    assert onsets(band.play(24.0))[0] == 22.0  # the first bar after a beat of music


def test_nothing_sounds_in_a_rest() -> None:
    band = Band(SteadyClock(start=-8.0), Graphs(length=11))
    sounding: set[int] = set()
    for event in band.play(12.0) + band.play(20.0, is_music=False):
        (sounding.add if event.is_on else sounding.discard)(event.pitch)
    assert not sounding


def test_a_lost_beat_ends_all_notes_until_it_is_found() -> None:
    clock = SteadyClock(start=-8.0)
    band = Band(clock, Graphs(length=11))
    band.play(12.2)
    clock.state = BeatState.LOST
    ended = band.play(12.3)
    assert {event.pitch for event in ended} == {60, 64}
    assert not any(event.is_on for event in ended)
    assert band.writer.state is PlayState.LISTENING
    assert band.play(13.0) == []


def test_it_goes_on_while_the_clock_holds_but_does_not_enter() -> None:
    clock = SteadyClock(start=-8.0, state=BeatState.HOLDING)
    band = Band(clock)
    assert band.play(12.0) == []
    clock.state = BeatState.LOCKED
    assert band.play(14.5)
    clock.state = BeatState.HOLDING
    assert len(onsets(band.play(16.5))) == 4


def test_another_tempo_begins_anew_with_what_was_heard() -> None:
    clock = SteadyClock(start=-8.0)
    band = Band(clock)
    band.play(12.1)
    clock.period = 2 * PERIOD
    later = onsets(band.play(22.0))
    assert later[0] % (4 * clock.period) == pytest.approx(clock.start % (4 * clock.period))
    assert np.diff(later) == pytest.approx(2 * PERIOD)


def test_a_clock_that_leaps_is_followed() -> None:
    clock = SteadyClock(start=-8.0)
    band = Band(clock)
    band.play(12.1)
    clock.start += 30.2  # the song position of a sequencer went back
    later = onsets(band.play(20.0))
    assert (later[0] - clock.start) % BAR_S == pytest.approx(0)


class Watched(Graphs):
    """Keeps where its steps lay."""

    def __init__(self) -> None:
        super().__init__()
        self.wheres: list[Place] = []

    def plan(self, heard: Any, expected: Any, where: Place) -> Any:
        self.wheres.append(where)
        return super().plan(heard, expected, where)


def test_three_beats_a_bar() -> None:
    graphs = Watched()
    Band(SteadyClock(metre=3), graphs).play(6.0)
    assert {where.place for where in graphs.wheres} == set(range(12))


@pytest.mark.parametrize(("waits", "least"), [(True, 0.5 * STEP_S), (False, LEAST_HEARD_S)])
@pytest.mark.parametrize("tempo", [0.7, 1.0, 1.3])
def test_lags_are_as_in_training(waits: bool, least: float, tempo: float) -> None:
    graphs, period = Watched(), PERIOD / tempo
    Band(SteadyClock(start=-8.0, period=period), graphs, waits=waits).play(12.0)
    lags = np.array([where.lag for where in graphs.wheres])
    assert np.mean(lags == math.ceil((least + HEARING + LEAD) / (period / 4))) > 0.9


def test_what_is_heard_of_a_step_that_has_just_begun_counts() -> None:
    def heard(waits: bool) -> list[bool]:
        """Whether anything was heard by each step that is written, in music from 8.02 s on."""
        graphs = Graphs()
        band = Band(SteadyClock(start=-8.0, period=4 * 0.25), graphs, waits=waits)
        band.play(8.02 + HEARING, is_music=False)
        graphs.heards.clear()
        band.play(9.5)
        return [bool(row[: 2 * 88].any()) for row, _ in graphs.heards]

    assert sum(heard(waits=False)) == sum(heard(waits=True)) + 1


def test_louder_with_the_player() -> None:
    band = Band(SteadyClock(start=-8.0))
    usual = {event.velocity for event in band.play(14.0) if event.is_on}
    band.writer.loudness = lambda: 1.4
    assert {event.velocity for event in band.play(16.0) if event.is_on} == {
        round(1.4 * velocity) for velocity in usual
    }


@pytest.mark.parametrize("cut", [11.0, 11.9, 13.37])
def test_no_event_depends_on_what_sounds_after_it_was_written(cut: float) -> None:
    def events(later: bool) -> list[NoteEvent]:
        band = Band(SteadyClock(start=-8.0))
        band.play(cut)
        whole = band.play(cut + 0.2, is_music=later)
        return [event for event in whole if event.time - LEAD <= cut]

    assert events(True) == events(False)
