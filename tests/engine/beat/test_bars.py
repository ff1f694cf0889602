"""Bars by the harmony of beats: which beats the network is asked about, and what follows."""

import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from engine.beat.bars import BEAT_DIM, LEVELS, RIGHT, STEP_DIM, STEPS, BarModel, BarTracker
from engine.beat.clock import BeatClock
from engine.beat.estimate import BeatEstimate
from engine.beat.steps.attacks import AttackGatherer
from engine.beat.steps.gathering import StepGatherer
from engine.beat.steps.summary import SUMMARY_DIM
from engine.beat.tracker import BeatTracker
from engine.core.errors import ModelError
from engine.core.notes import Posteriors
from engine.core.tempo import BeatState
from tests.engine.beat.activations_of import FRAME_S, Silent, activations

C4 = 60 - 21
HALF, TWICE = LEVELS.index(0.5), LEVELS.index(2.0)
PERIOD = 0.512  # 32 frames


class Chord:
    """In place of the network: a beat on which C sounds is a downbeat; the level is given."""

    def __init__(self, level: int = RIGHT) -> None:
        self.level, self.odds = level, 5.0
        self.beats: list[np.ndarray] = []
        self.n_beginnings = 0

    def step(
        self, beats: np.ndarray, state: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        assert beats.shape[1] == BEAT_DIM
        self.beats += list(beats)
        self.n_beginnings += state is None
        steps = beats[:, :-1].reshape(len(beats), STEPS, STEP_DIM)
        has_c = steps[..., 0].mean(1) > 0.2
        level = np.zeros((len(beats), len(LEVELS)), np.float32)
        level[:, self.level] = self.odds
        return np.where(has_c, 2.0, -2.0).astype(np.float32), level, np.zeros(1, np.float32)

    def beats_at(self, bpm: float) -> np.ndarray:
        """Beats (n, 201) that it was asked about as beats of a tempo."""
        return np.stack([b for b in self.beats if abs(b[-1] - math.log2(bpm / 90)) < 0.1])


class ThreeLevels:
    """In place of the file of a bar network that knows half, right and twice alone."""

    path = "bar.onnx"

    def check(self, inputs: Any, outputs: Any) -> None: ...

    def zeros(self, name: str) -> Any:
        return SimpleNamespace(numpy=lambda: np.zeros((1, 1, 1), np.float32))

    def run(self, inputs: Any, outputs: Any) -> list[np.ndarray]:
        n = inputs["beats"].shape[1]
        return [np.zeros((1, n)), np.zeros((1, n, 3)), inputs["state"]]


def test_a_network_of_other_levels_is_refused() -> None:
    with pytest.raises(ModelError, match="bar.onnx knows 3 levels of a beat, not 7: train and"):
        BarModel(cast(Any, ThreeLevels()))


def bars(chord: Chord) -> BarTracker:
    return BarTracker(cast(Any, chord))


def posteriors(first: int, n: int, period: float = PERIOD, bar: int = 4) -> Posteriors:
    """C on the first beat of each bar, from 0 s on, and else D."""
    frames = np.arange(first, first + n)
    onset, frame = np.zeros((n, 88), np.float32), np.zeros((n, 88), np.float32)
    beat = np.floor(frames * FRAME_S / period + 1e-6).astype(int)
    frame[np.arange(n), np.where(beat % bar == 0, C4, C4 + 2)] = 1
    return Posteriors(frames, onset, frame, frame)


def test_each_beat_is_asked_about_once_as_soon_as_it_is_known() -> None:
    clock, gatherer, chord = BeatClock(), StepGatherer(FRAME_S), Chord()
    clock.take(BeatEstimate(0, 0.0, PERIOD, 0, 4, 1.0, 1.0), 0.0)
    tracker = bars(chord)
    found, known = [], []
    for first in range(0, 320, 4):
        gatherer.push(posteriors(first, 4))
        new = tracker.update(clock, gatherer, AttackGatherer(FRAME_S))
        found += new
        known += [gatherer.until] * len(new)
    beats = [each.beat for each in found]
    assert beats == list(range(beats[0], beats[0] + len(beats))) and len(beats) > 6
    origin = clock.position(0.0)
    for each, at in zip(found, known, strict=True):
        is_first = round(each.beat - origin) % 4 == 0
        assert (each.downbeat > 0) == is_first
        end = clock.time_of(each.beat + 1)
        assert end - PERIOD / 8 <= at <= end + 5 * FRAME_S
    assert chord.beats[0][-1] == pytest.approx(math.log2(60 / PERIOD / 90))


def test_beats_are_heard_where_they_were_while_the_clock_turns_to_another_place() -> None:
    clock, gatherer, chord = BeatClock(), StepGatherer(FRAME_S), Chord()
    clock.take(BeatEstimate(0, 0.0, PERIOD, 0, 4, 1.0, 1.0), 0.0)
    attacks, features = AttackGatherer(FRAME_S), np.full((160, 60), -3.0, np.float32)
    features[[66, 98, 130]] = 0.0  # the beats, 32 ms later than the clock thinks
    attacks.push(features)
    gatherer.push(posteriors(0, 135))
    late = BeatEstimate(0, 3 / 32, PERIOD, 0, 4, 1.0, 1.0)
    clock.take(late, 133 * FRAME_S)
    bars(chord).update(clock, gatherer, attacks)
    (beat,) = chord.beats_at(60 / PERIOD)
    times = [clock.time_of(3 + k / STEPS) for k in range(STEPS + 1)]
    assert np.abs(np.diff(times) - PERIOD / STEPS).max() > 0.01
    struck = beat[:-1].reshape(STEPS, STEP_DIM)[:, SUMMARY_DIM:].max(1)
    assert struck == pytest.approx([3.0, 0, 0, 0])


def test_without_a_beat_nothing_is_asked_and_other_beats_begin_anew() -> None:
    clock, gatherer, chord = BeatClock(), StepGatherer(FRAME_S), Chord()
    tracker = bars(chord)
    gatherer.push(posteriors(0, 300))
    assert tracker.update(clock, gatherer, AttackGatherer(FRAME_S)) == []
    clock.take(BeatEstimate(0, 0.0, PERIOD, 0, 4, 1.0, 1.0), 4.8)
    tracker.update(clock, gatherer, AttackGatherer(FRAME_S))
    before = chord.n_beginnings
    clock.take(BeatEstimate(0, 0.0, PERIOD / 2, 0, 4, 1.0, 1.0), 4.9)
    tracker.update(clock, gatherer, AttackGatherer(FRAME_S))
    assert chord.n_beginnings == before + 1


def test_each_step_of_a_beat_has_its_attacks() -> None:
    clock, gatherer, chord = BeatClock(), StepGatherer(FRAME_S), Chord()
    clock.take(BeatEstimate(0, 0.0, PERIOD, 0, 4, 1.0, 1.0), 0.0)
    attacks, features = AttackGatherer(FRAME_S), np.full((160, 60), -3.0, np.float32)
    features[16::32] = 0.0  # the third step of each beat
    attacks.push(features)
    gatherer.push(posteriors(0, 160))
    bars(chord).update(clock, gatherer, attacks)
    steps = chord.beats_at(60 / PERIOD)[:, :-1].reshape(-1, STEPS, STEP_DIM)[..., SUMMARY_DIM:]
    assert len(steps) and steps[:, 2] == pytest.approx(3.0)
    assert not steps[:, [0, 1, 3]].any()


def follow(chord: Chord, seconds: float, period: float = PERIOD, bar: int = 4) -> BeatTracker:
    """A tracker on beats that are all alike, with the harmony of bars from the first one on."""
    tracker = BeatTracker(cast(Any, Silent()), bars=bars(chord))
    gatherer = StepGatherer(FRAME_S)
    rows = activations(np.arange(0, seconds, period), 1, seconds)
    rows[:, 1] = 0.27 * rows[:, 0]
    for k, (beat, downbeat) in enumerate(rows.tolist()):
        tracker.hear(beat, downbeat)
        gatherer.push(posteriors(k, 1, period, bar))
        tracker.push_posteriors(gatherer)
    return tracker


@pytest.mark.parametrize("bar", [3, 4])
def test_bars_begin_where_the_harmony_changes(bar: int) -> None:
    tracker = follow(Chord(), 20.0, bar=bar)
    clock = tracker.clock
    assert (clock.state, clock.metre) == (BeatState.LOCKED, bar)
    beat = math.floor(clock.position(19.9))
    true = round(clock.time_of(beat) / PERIOD)
    assert clock.beat_in_bar(beat) == true % bar


@pytest.mark.parametrize(("level", "factor"), [(HALF, 2.0), (TWICE, 0.5)])
def test_beats_that_are_too_slow_or_fast_are_counted_anew(level: int, factor: float) -> None:
    period = 0.768
    before = follow(Chord(), 14.0, period).clock
    assert before.bpm == pytest.approx(60 / period, rel=0.02)
    after = follow(Chord(level), 14.0, period).clock
    assert after.state is BeatState.LOCKED
    if level == HALF:
        assert after.bpm == pytest.approx(factor * 60 / period, rel=0.03)
    else:  # 39 beats a minute is slower than it counts
        assert after.bpm == pytest.approx(60 / period, rel=0.02)


@pytest.mark.parametrize(("odds", "seconds", "factor"), [(1.5, 14, 1), (1.5, 40, 2), (0.8, 60, 1)])
def test_a_little_evidence_counts_if_it_lasts(odds: float, seconds: float, factor: int) -> None:
    period, chord = 0.768, Chord(HALF)
    chord.odds = odds
    clock = follow(chord, seconds, period).clock
    assert clock.bpm == pytest.approx(factor * 60 / period, rel=0.03)


def test_evidence_of_a_level_is_forgotten_with_the_beats_that_it_was_of() -> None:
    clock, gatherer = BeatClock(), StepGatherer(FRAME_S)
    clock.take(BeatEstimate(0, 0.0, PERIOD, 0, 4, 1.0, 1.0), 0.0)
    tracker, found = bars(Chord()), []
    for first in range(0, 640, 4):
        if first == 320:
            clock.take(BeatEstimate(0, 0.0, 2 * PERIOD, 0, 4, 1.0, 1.0), first * FRAME_S)
        gatherer.push(posteriors(first, 4))
        found += tracker.update(clock, gatherer, AttackGatherer(FRAME_S))
    firsts = [k for k, each in enumerate(found) if each.is_first]
    assert len(firsts) == 2 and firsts[0] == 0 and 5 < firsts[1] < len(found) - 2


class Counts(Chord):
    """Log odds of ``HALF`` and of ``TWICE`` in each count; the slow ones in the order asked."""

    def __init__(self, period: float, **counts: tuple[float, float]) -> None:
        super().__init__()
        self.tempo, self.counts = math.log2(60 / period / 90), counts

    def step(
        self, beats: np.ndarray, state: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        downbeat, level, _ = super().step(beats)
        octaves = round(float(beats[0, -1]) - self.tempo)
        if state is None:
            self.n_slow = getattr(self, "n_slow", -1) + (octaves < 0)
            name = {0: "own", 1: "fast", -1: f"slow{self.n_slow}"}[octaves]
            state = np.array(list(self.counts).index(name), np.float32)
        level[:] = 0
        level[:, [HALF, TWICE]] = list(self.counts.values())[int(state)]
        return downbeat, level, state


def levels_of(model: Chord, period: float) -> list[np.ndarray]:
    """Log odds (7,) of levels of some beats."""
    clock, gatherer = BeatClock(), StepGatherer(FRAME_S)
    clock.take(BeatEstimate(0, 0.0, period, 0, 4, 1.0, 1.0), 0.0)
    tracker, found = bars(model), []
    for first in range(0, 640, 4):
        gatherer.push(posteriors(first, 4))
        found += tracker.update(clock, gatherer, AttackGatherer(FRAME_S))
    return [each.level for each in found]


def test_the_same_beats_counted_twice_as_fast_say_whether_they_are_too_slow() -> None:
    levels = levels_of(Counts(0.768, own=(1.0, -9.0), fast=(-9.0, -4.0)), 0.768)
    assert np.stack(levels)[:, HALF] == pytest.approx(1.0 + 4.0)
    assert np.stack(levels)[:, TWICE] == pytest.approx(-9.0)


def test_either_of_two_slow_counts_says_whether_beats_are_too_fast() -> None:
    counts = Counts(0.512, own=(-9.0, 1.0), slow0=(3.0, -9.0), slow1=(-5.0, -9.0))
    levels = np.stack(levels_of(counts, 0.512))
    assert levels[:, HALF] == pytest.approx(-9.0)
    assert levels[:3, TWICE] == pytest.approx([1.0, 1.0 - 3.0, 1.0 + 5.0])
    assert levels[3:, TWICE] == pytest.approx(1.0 + 5.0)


@pytest.mark.parametrize(("fast", "factor"), [((-9.0, 1.5), 1), ((-9.0, -4.0), 2)])
def test_counts_that_do_not_agree_leave_the_beats(fast: tuple[float, float], factor: int) -> None:
    clock = follow(Counts(0.768, own=(1.5, -9.0), fast=fast), 14.0, 0.768).clock
    assert clock.bpm == pytest.approx(factor * 60 / 0.768, rel=0.03)


class Dotted(Chord):
    """A song whose drums strike three times in two beats, and louder than the beats."""

    def step(
        self, beats: np.ndarray, state: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.level, self.odds = (LEVELS.index(1.5), 8.0) if beats[0, -1] > 0 else (RIGHT, 5.0)
        return super().step(beats, state)


def test_what_strikes_three_times_in_two_beats_is_not_the_beat() -> None:
    period, seconds = 0.768, 30.0
    tracker = BeatTracker(cast(Any, Silent()), bars=bars(Dotted()))
    gatherer, tempos = StepGatherer(FRAME_S), []
    drums = activations(np.arange(0, seconds, period / 1.5), 1, seconds)[:, 0]
    beats = activations(np.arange(0, seconds, period), 1, seconds)[:, 0]
    for k, beat in enumerate(np.maximum(drums, 0.7 * beats).tolist()):
        tracker.hear(beat, 0.27 * beat)
        gatherer.push(posteriors(k, 1, period))
        tracker.push_posteriors(gatherer)
        tempos.append(tracker.clock.bpm)
    assert max(tempos) == pytest.approx(1.5 * 60 / period, rel=0.02)
    assert tracker.clock.state is BeatState.LOCKED
    assert tracker.clock.bpm == pytest.approx(60 / period, rel=0.02)
    near = tracker.clock.position(seconds) - seconds / period
    assert near == pytest.approx(round(near), abs=0.1)


class Never(Chord):
    """A song in which each tempo seems the wrong one, a little."""

    def step(
        self, beats: np.ndarray, state: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        is_fast = beats[0, -1] > 0  # 3.5 in all, with the slow and the fast count
        self.level, self.odds = (TWICE, 5.5) if is_fast else (HALF, 2.0)
        if len(beats) > 1:
            self.level, self.odds = RIGHT, 1.5
        return super().step(beats, state)


def test_a_song_of_two_minds_goes_to_and_fro_once() -> None:
    tracker = BeatTracker(cast(Any, Silent()), bars=bars(Never()))
    gatherer, tempos = StepGatherer(FRAME_S), []
    rows = activations(np.arange(0, 90, 0.384), 1, 90.0)
    for k, (beat, downbeat) in enumerate(rows.tolist()):
        tracker.hear(beat, 0.27 * downbeat)
        gatherer.push(posteriors(k, 1, 0.768))
        tracker.push_posteriors(gatherer)
        tempos.append(tracker.clock.bpm)
    is_fast = np.array([tempo for tempo in tempos if tempo]) > 100
    assert np.abs(np.diff(is_fast.astype(int))).sum() == 2


def test_a_tempo_that_somebody_gave_stays() -> None:
    tracker = BeatTracker(cast(Any, Silent()), bars=bars(Chord(HALF)))
    gatherer = StepGatherer(FRAME_S)
    period = 0.768
    tracker.believe(tracker.settings.known(60 / period, None))
    for k, (beat, downbeat) in enumerate(activations(np.arange(0, 14, period), 4, 14.0).tolist()):
        tracker.hear(beat, downbeat)
        gatherer.push(posteriors(k, 1, period))
        tracker.push_posteriors(gatherer)
    assert tracker.clock.bpm == pytest.approx(60 / period, rel=0.02)
