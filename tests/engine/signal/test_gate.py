"""The gate loses no sample, keeps their order, and lets every loud one through."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.core.settings import GateSettings
from engine.signal.gate import Gate

RATE = 1000
SETTINGS = GateSettings(threshold_dbfs=-40.0, hold=0.1, lead_in=0.02)
Array = NDArray[np.float32]


def silence(n: int) -> Array:
    return np.zeros(n, np.float32)


def loud(n: int) -> Array:
    return np.full(n, 0.02, np.float32)


def test_silence_shorter_than_the_hold_is_heard() -> None:
    gate = Gate(SETTINGS, RATE)
    for samples in (loud(10), silence(99), loud(1), silence(99)):
        skipped, heard = gate.push(samples)
        assert (len(skipped), len(heard)) == (0, len(samples))
        assert not gate.is_asleep


def test_after_the_hold_it_sleeps_and_keeps_the_lead_in() -> None:
    gate = Gate(SETTINGS, RATE)
    gate.push(silence(99))
    skipped, heard = gate.push(silence(30))
    assert gate.is_asleep
    assert (len(skipped), len(heard)) == (10, 0)
    assert [len(part) for part in gate.push(silence(7))] == [7, 0]


def test_a_loud_sample_wakes_it_with_the_lead_in_first() -> None:
    gate = Gate(SETTINGS, RATE)
    quiet = np.linspace(0, 0.009, 200, dtype=np.float32)
    gate.push(quiet)
    skipped, heard = gate.push(loud(5))
    assert not gate.is_asleep
    assert len(skipped) == 0
    np.testing.assert_array_equal(heard, np.concatenate((quiet[-20:], loud(5))))


def test_disabled_it_hears_everything() -> None:
    gate = Gate(GateSettings(enabled=False), RATE)
    assert [len(part) for part in gate.push(silence(10_000))] == [0, 10_000]
    assert not gate.is_asleep


def test_flush_gives_back_what_is_held_and_wakes() -> None:
    gate = Gate(SETTINGS, RATE)
    gate.push(silence(200))
    assert len(gate.flush()) == 20
    assert not gate.is_asleep
    assert len(gate.flush()) == 0


@given(
    st.lists(st.tuples(st.integers(0, 150), st.sampled_from([0.0, 0.005, 0.3])), max_size=30),
    st.sampled_from([0.0, 0.02, 0.5]),
)
def test_no_sample_is_lost_and_no_loud_one_skipped(
    blocks: list[tuple[int, float]], lead_in: float
) -> None:
    gate = Gate(GateSettings(threshold_dbfs=-40.0, hold=0.1, lead_in=lead_in), RATE)
    rng = np.random.default_rng(0)
    given_samples, order, skipped_samples = [], [], []
    for n, level in blocks:
        samples = (level * rng.uniform(0.5, 1.0, n)).astype(np.float32)
        skipped, heard = gate.push(samples)
        given_samples.append(samples)
        order += [skipped, heard]
        skipped_samples.append(skipped)
    held = gate.flush()
    order.append(held)
    np.testing.assert_array_equal(
        np.concatenate([silence(0), *order]), np.concatenate([silence(0), *given_samples])
    )
    assert all(np.abs(samples).max(initial=0.0) < 0.01 for samples in [*skipped_samples, held])
