"""StreamClock: arrivals are computed here, no clock is read."""

import numpy as np
import pytest

from engine.signal.clock import StreamClock

RATE = 48000
BLOCK = 480


def arrivals(
    n_blocks: int, rate: float = RATE, jitter_s: float = 0.0, start: float = 100.0
) -> tuple[
    np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.int64]]
]:
    """Arrival times of blocks, late by up to ``jitter_s``, and the sample counts after them."""
    rng = np.random.default_rng(3)
    totals = np.arange(1, n_blocks + 1, dtype=np.int64) * BLOCK
    return start + totals / rate + rng.uniform(0, jitter_s, n_blocks), totals


def errors_ms(clock: StreamClock, times: object, totals: object, rate: float) -> list[float]:
    """Feed the blocks; after each, the clock's error at its last sample, in ms."""
    out = []
    for time, total in zip(times, totals, strict=True):  # type: ignore[call-overload]
        clock.update(int(total), float(time))
        out.append(1000 * (clock.time_of(int(total)) - 100.0 - int(total) / rate))
    return out


def test_regular_blocks_give_exact_times() -> None:
    clock = StreamClock(RATE)
    errors = errors_ms(clock, *arrivals(1000), RATE)
    assert max(map(abs, errors)) < 1e-6
    assert clock.time_of(0) == pytest.approx(100.0, abs=1e-9)
    assert clock.time_of(RATE * 20) == pytest.approx(120.0, abs=1e-9)


def test_jitter_is_removed() -> None:
    errors = np.array(errors_ms(StreamClock(RATE), *arrivals(3000, jitter_s=0.008), RATE))[1000:]
    assert abs(errors.mean() - 4.0) < 0.3  # the mean delay stays
    assert np.ptp(errors) < 1.5  # of 8 ms of jitter
    assert np.abs(np.diff(errors)).max() < 0.1  # from block to block, what a note would feel


def test_drift_is_followed() -> None:
    rate = RATE * (1 + 200e-6)  # far off for a sound card
    errors = errors_ms(StreamClock(RATE), *arrivals(6000, rate), rate)
    assert max(map(abs, errors)) < 0.3
    assert abs(errors[-1]) < 0.001  # no lag once the period is learnt: the loop is of second order


def test_blocks_of_any_length_agree() -> None:
    clock = StreamClock(RATE)
    total = 0
    for n in [1, 7, 4096, 256, 48000, 96000, 3] * 20:
        total += n
        clock.update(total, 5.0 + total / RATE)
    assert clock.time_of(0) == pytest.approx(5.0, abs=1e-6)


def test_one_late_block_moves_nothing() -> None:
    times, totals = arrivals(500)
    times[300:305] = times[305]  # a stall of 50 ms, then five blocks at once
    times[400:420] += 0.3
    errors = errors_ms(StreamClock(RATE), times, totals, RATE)
    assert max(map(abs, errors)) < 15.0
    assert max(abs(np.array(errors[400:420]) - errors[399])) < 1.0  # coasted


@pytest.mark.parametrize(("jump_s", "within_blocks"), [(0.3, 52), (-0.3, 52), (5.0, 1)])
def test_a_lasting_jump_restarts_the_loop(jump_s: float, within_blocks: int) -> None:
    clock = StreamClock(RATE)
    times, totals = arrivals(1000)
    times[500:] += jump_s
    errors = errors_ms(clock, times, totals, RATE)
    assert clock.n_restarts == 1
    assert abs(errors[499]) < 0.001
    assert all(abs(e - 1000 * jump_s) < 0.001 for e in errors[500 + within_blocks :])


def test_reset_starts_again() -> None:
    clock = StreamClock(RATE)
    clock.update(480, 1.0)
    clock.reset()
    assert not clock.is_running
    clock.update(480, 50.0)
    assert clock.is_running
    assert clock.time_of(480) == 50.0
    assert clock.n_restarts == 0


def test_a_count_that_does_not_rise_is_ignored() -> None:
    clock = StreamClock(RATE)
    clock.update(480, 1.0)
    clock.update(480, 9.0)
    assert clock.time_of(480) == 1.0


def test_no_time_before_the_first_block() -> None:
    with pytest.raises(RuntimeError, match="first update"):
        StreamClock(RATE).time_of(0)


@pytest.mark.parametrize(("pause", "moved"), [(30.0, 30.0), (0.3, 0.0)])
def test_a_pause_of_the_program_moves_time_on(pause: float, moved: float) -> None:
    clock = StreamClock(RATE)
    clock.shift(30.0)  # before any block there is nothing to move
    times, totals = arrivals(100)
    errors_ms(clock, times, totals, RATE)
    before = clock.time_of(0)
    clock.shift(pause)
    assert clock.time_of(0) - before == pytest.approx(moved)
