import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.beat.clock import HOLD_S, LOCK_S, BeatClock
from engine.beat.estimate import BeatEstimate
from engine.core.tempo import BeatState

STEP_S = 0.032
DELAY_S = 0.1


def estimate(time: float, period: float = 0.5, confidence: float = 0.9) -> BeatEstimate:
    position = time / period
    return BeatEstimate(
        0, position % 1.0, period, math.floor(position) % 4, 4, confidence, confidence
    )


def locked(seconds: float = 3.0) -> tuple[BeatClock, float]:
    clock, time = BeatClock(), 0.0
    while time < seconds:
        clock.update(estimate(time), time, time + DELAY_S, True)
        time += STEP_S
    return clock, time


def test_a_clock_that_heard_nothing_stands_still() -> None:
    clock = BeatClock()
    assert clock.state is BeatState.LOST
    assert clock.position(10.0) == 0.0
    assert math.isinf(clock.time_of(1.0))
    assert clock.bpm == 0.0


def test_steady_estimates_lock_it() -> None:
    clock, time = locked()
    assert clock.state is BeatState.LOCKED
    assert clock.bpm == pytest.approx(120)
    coming = math.ceil(clock.position(time + DELAY_S))
    assert clock.time_of(coming) / 0.5 == pytest.approx(round(clock.time_of(coming) / 0.5))
    assert clock.beat_in_bar(coming) == round(clock.time_of(coming) / 0.5) % 4


def test_estimates_that_jump_about_do_not_lock_it() -> None:
    clock = BeatClock()
    for k in range(100):
        clock.update(estimate(k * 0.2137), k * STEP_S, k * STEP_S + DELAY_S, True)
    assert clock.state is BeatState.LOST


def test_without_sure_estimates_it_holds_and_then_is_lost() -> None:
    clock, time = locked()
    at, coming = time + DELAY_S, math.ceil(clock.position(time + DELAY_S)) + 4
    promised = clock.time_of(coming)
    states = []
    while time < at + HOLD_S + 1:
        clock.update(estimate(time, confidence=0.1), time, time + DELAY_S, True)
        states.append(clock.state)
        time += STEP_S
    assert clock.time_of(coming) == pytest.approx(promised)
    assert [s for k, s in enumerate(states) if k == 0 or s is not states[k - 1]] == [
        BeatState.LOCKED,
        BeatState.HOLDING,
        BeatState.LOST,
    ]


def test_silence_counts_as_nothing_sure() -> None:
    clock, time = locked()
    for _ in range(round(2 * LOCK_S / STEP_S)):
        clock.update(estimate(time), time, time + DELAY_S, False)
        time += STEP_S
    assert clock.state is BeatState.HOLDING
    assert clock.confidence == 0.0


def test_another_bar_is_believed_once_it_is_named_for_a_while() -> None:
    clock, time = locked()
    beat = math.ceil(clock.position(time + DELAY_S))
    before = clock.beat_in_bar(beat)
    for k in range(80):
        found = estimate(time)
        later = BeatEstimate(0, found.phase, 0.5, (found.beat_in_bar + 1) % 4, 4, 0.9, 0.9)
        clock.update(later, time, time + DELAY_S, True)
        time += STEP_S
        if k == 5:
            assert clock.beat_in_bar(beat) == before
    assert clock.beat_in_bar(beat) == (before + 1) % 4


guesses = st.tuples(
    st.floats(0, 0.999),
    st.floats(0.28, 1.2),
    st.floats(0, 1),
    st.sampled_from([(3, 0), (3, 1), (3, 2), (4, 0), (4, 2), (4, 3)]),
    st.booleans(),
)


@given(st.lists(guesses, min_size=1, max_size=120), st.booleans())
def test_whatever_it_is_told_it_never_goes_back(
    told: list[tuple[float, float, float, tuple[int, int], bool]], begins_locked: bool
) -> None:
    clock, time = locked() if begins_locked else (BeatClock(), 0.0)
    before, bar = clock.position(time + DELAY_S), 0
    for phase, period, confidence, (metre, beat), is_heard in told:
        found = BeatEstimate(0, phase, period, beat, metre, confidence, confidence)
        clock.update(found, time, time + DELAY_S, is_heard)
        for later in (0.0, 0.01, STEP_S):
            position = clock.position(time + DELAY_S + later)
            assert position >= before - 1e-9
            before = position
            bar_now = clock.bar_of(math.floor(position))
            assert bar_now >= bar
            bar = bar_now
        coming = before + 0.7
        if clock.state is not BeatState.LOST:
            assert clock.position(clock.time_of(coming)) == pytest.approx(coming)
        time += STEP_S
