"""The beat's past: known sooner than it was found, never going back, the clock's own at once."""

import numpy as np
import pytest

from engine.beat.clock import BeatClock
from engine.beat.estimate import BeatEstimate
from engine.beat.history import BeatHistory
from engine.core.tempo import BeatState

HOP = 0.016
PERIOD = 0.5


def told(time: float, period: float = PERIOD, start: float = 0.0) -> BeatEstimate:
    """Return what is true of a steady beat from ``start`` on."""
    beats = (time - start) / period
    place = int(np.floor(beats)) % 4
    return BeatEstimate(0, beats % 1.0, period, place, 4, 1.0, 0.9)


def hear(history: BeatHistory, clock: BeatClock, found: float, until: float, wait: float,
         lost: float = np.inf) -> list[tuple[float, BeatState, float]]:  # fmt: skip
    """Return (due, state, position) of every hop; a beat is found at one time, lost at another."""
    rows = []
    for k in range(round(until / HOP)):
        now = k * HOP
        if now >= lost:
            clock.lose()
        elif now >= found:
            clock.take(told(now), now)
        due = max(now - wait, 0.0)
        history.hear(now, due)
        rows.append((due, history.state, history.position(due)))
    return rows


@pytest.mark.parametrize("wait", [0.0, 0.3, 4.0])
def test_who_waits_knows_of_the_beat_before_it_was_found(wait: float) -> None:
    clock = BeatClock()
    rows = hear(BeatHistory(clock), clock, found=3.0, until=9.0, wait=wait)
    with_beat = [due for due, state, _ in rows if state is not BeatState.LOST]
    assert with_beat[0] == pytest.approx(max(3.0 - wait, 0.0), abs=0.05)
    assert len(with_beat) == len([due for due, *_ in rows if due >= with_beat[0]])
    phases = np.array([p % 1.0 for due, _, p in rows if due >= with_beat[0]])
    true = np.array([due / PERIOD % 1.0 for due, *_ in rows if due >= with_beat[0]])
    assert np.abs((phases - true + 0.5) % 1.0 - 0.5).max() < 1e-6


def test_positions_do_not_go_back_and_have_their_times() -> None:
    clock, rng = BeatClock(), np.random.default_rng(0)
    history = BeatHistory(clock)
    last = -np.inf
    for k in range(600):
        now = k * HOP
        period = PERIOD * (1 + 0.04 * np.sin(now)) * (1 + 0.01 * rng.standard_normal())
        clock.take(told(now + 0.01 * float(rng.standard_normal()), float(period)), now)
        due = max(now - 0.4, 0.0)
        history.hear(now, due)
        position = history.position(due)
        assert position >= last - 1e-9
        last = position
        assert history.position(history.time_of(position + 0.7)) == pytest.approx(position + 0.7)


def test_a_passage_without_a_beat_has_none() -> None:
    clock = BeatClock()
    history = BeatHistory(clock)
    rows = hear(history, clock, found=1.0, until=6.0, wait=2.0, lost=4.0)
    states = {round(due, 2): state for due, state, _ in rows}
    assert states[2.0] is BeatState.LOCKED
    assert max(due for due, state, _ in rows if state is not BeatState.LOST) < 4.0
    assert history.state is BeatState.LOST


def test_without_waiting_it_is_the_clock() -> None:
    clock = BeatClock()
    history = BeatHistory(clock)
    assert history.state is BeatState.LOST
    assert history.period == np.inf
    hear(history, clock, found=0.0, until=2.0, wait=0.0)
    assert history.position(1.984) == pytest.approx(clock.heard_position(1.984))
    assert (history.metre, history.beat_in_bar(5), history.period) == (4, 1, PERIOD)


def test_who_waits_longer_hears_a_steadier_beat() -> None:
    """What is said of a time a little later is truer than what is said at once."""

    def unsteady(wait: float) -> float:
        clock, rng = BeatClock(), np.random.default_rng(1)
        history = BeatHistory(clock)
        off = []
        for k in range(1200):
            now = k * HOP
            if k % 16 == 0:
                error = 0.02 * float(rng.standard_normal())
            clock.take(told(now + error), now)
            due = max(now - wait, 0.0)
            history.hear(now, due)
            off.append(history.position(due) - due / PERIOD)
        return float(np.std(off[200:]))

    assert unsteady(0.6) < unsteady(0.2)
