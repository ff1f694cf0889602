"""The tracker on the activations of a network that hears everything right."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.beat.tracker import REST_S
from engine.core.tempo import BeatState
from tests.engine.beat.activations_of import FRAME_S, activations, tracker

Rows = NDArray[np.float64]


def told(rows: Rows, ahead: float = 0.1) -> tuple[NDArray[np.float64], list[BeatState]]:
    """Beats as the clock tells them ahead, and its state at each frame."""
    beat_tracker, beats, states, coming = tracker(), [], [], 0
    for k, (beat, downbeat) in enumerate(rows.tolist()):
        beat_tracker.hear(beat, downbeat)
        clock, now = beat_tracker.clock, k * FRAME_S + beat_tracker.delay
        states.append(clock.state)
        if clock.state is BeatState.LOST:
            continue
        coming = max(coming, math.ceil(clock.position(now)))
        while (at := clock.time_of(coming)) <= now + ahead:
            beats.append(at)
            coming += 1
    return np.array(beats), states


def apart(beats: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.abs(beats[:, None] - true).min(1))


@settings(max_examples=12)
@given(st.floats(0.32, 1.0), st.floats(0, 1), st.sampled_from((3, 4)))
def test_a_click_is_locked_within_six_seconds(period: float, first: float, metre: int) -> None:
    true = np.arange(first, 14.0, period)
    beats, states = told(activations(true, metre, 10.0))
    assert states.index(BeatState.LOCKED) * FRAME_S < 6.0
    late = beats[beats > 7.0]
    assert len(late) >= int(3.0 / period) - 1
    assert apart(late, true).max() < 0.02  # two ticks and a half


@settings(max_examples=8)
@given(st.floats(-0.25, 0.25))
def test_a_tempo_that_changes_is_followed(change: float) -> None:
    """From 0.5 s a beat to a quarter more or less within twenty beats."""
    shares = np.clip((np.arange(80) - 16) / 20, 0, 1)
    true = np.cumsum(0.5 * np.exp(change * shares))
    beats, states = told(activations(true, 4, 32.0))
    assert BeatState.LOST not in states[states.index(BeatState.LOCKED) :]
    assert np.median(apart(beats, true)) < 0.02
    assert apart(beats[beats > 24], true).max() < 0.03


def test_the_beat_goes_on_through_silence_and_is_lost_after_long() -> None:
    true = np.arange(0.3, 60.0, 0.48)
    rows = activations(true, 4, 40.0)
    rows[round(10 / FRAME_S) :] = 0.001
    beats, states = told(rows)
    silent = beats[(beats > 11) & (beats < 16)]
    assert len(silent) == pytest.approx(5 / 0.48, abs=1)
    assert apart(silent, true).max() < 0.05
    assert states[round(14 / FRAME_S)] is BeatState.HOLDING
    assert states[-1] is BeatState.LOST


def test_it_locks_again_on_another_song() -> None:
    first, second = np.arange(0.3, 12.0, 0.5), np.arange(12.2, 40.0, 0.37)
    rows = activations(np.concatenate([first, second]), 4, 30.0)
    beats, states = told(rows)
    assert states[-1] is BeatState.LOCKED
    assert apart(beats[beats > 22], second).max() < 0.02


def test_the_position_never_goes_back_while_a_player_hesitates() -> None:
    rng = np.random.default_rng(3)
    true = np.cumsum(rng.uniform(0.35, 0.75, 80))
    rows, beat_tracker, before = activations(true, 4, 35.0), tracker(), 0.0
    for k, (beat, downbeat) in enumerate(rows.tolist()):
        beat_tracker.hear(beat, downbeat)
        position = beat_tracker.clock.position(k * FRAME_S + beat_tracker.delay)
        assert position >= before
        before = position


def test_a_long_silence_costs_nothing_and_the_beat_is_found_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    beat_tracker, pushed = tracker(), 0
    push = beat_tracker.filter.push

    def counted(beat: float, downbeat: float, is_heard: bool = True) -> None:
        nonlocal pushed
        pushed += 1
        push(beat, downbeat, is_heard)

    monkeypatch.setattr(beat_tracker.filter, "push", counted)
    n_silent, block = round(600 / FRAME_S), 7
    for _ in range(n_silent // block):
        beat_tracker.skip(block)
    assert pushed == pytest.approx(REST_S / FRAME_S, abs=2)
    begin = (n_silent // block) * block * FRAME_S
    true = np.arange(0.3, 14.0, 0.48)
    for beat, downbeat in activations(true, 4, 10.0).tolist():
        beat_tracker.hear(beat, downbeat)
    clock, now = beat_tracker.clock, begin + 10.0
    assert clock.state is BeatState.LOCKED
    coming = clock.time_of(math.ceil(clock.position(now)))
    assert apart(np.array([coming]), begin + true).max() < 0.02
