"""SampleRing and FeatureRing."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.signal.rings import FeatureRing, SampleRing


def ramp(
    start: int, n: int, n_channels: int = 2
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.stack([np.arange(start, start + n)] * n_channels, axis=1).astype(np.float32)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=60))
def test_samples_come_out_in_order_or_are_counted_as_dropped(moves: list[tuple[int, int]]) -> None:
    ring = SampleRing(7, 2)
    n_offered = 0
    kept: list[float] = []
    out: list[float] = []
    for n_write, n_read in moves:
        n_taken = ring.write(ramp(n_offered, n_write))
        assert n_taken == min(n_write, 7 - (len(kept) - len(out)))
        kept += range(n_offered, n_offered + n_taken)
        n_offered += n_write
        block = ring.read(n_read)
        assert block.shape == (min(n_read, len(kept) - len(out)), 2)
        out += block[:, 1].tolist()
    assert out == kept[: len(out)]
    assert (ring.total_written, ring.total_read) == (len(kept), len(out))
    assert ring.available == len(kept) - len(out)
    assert ring.overruns == n_offered - len(kept)


def test_what_is_read_is_a_copy() -> None:
    ring = SampleRing(4, 1)
    ring.write(ramp(1, 4, 1))
    block = ring.read(4)
    ring.write(ramp(10, 4, 1))
    assert block[:, 0].tolist() == [1, 2, 3, 4]


def test_wait_returns_at_once_when_samples_are_there() -> None:
    ring = SampleRing(4, 1)
    ring.write(ramp(0, 1, 1))
    assert ring.wait(60.0)


def test_wait_ends_without_samples_after_its_timeout_or_wake() -> None:
    ring = SampleRing(4, 1)
    assert not ring.wait(0.0)
    ring.write(ramp(0, 2, 1))
    ring.read(2)
    assert not ring.wait(0.001)  # the signal of that write is stale
    ring.wake()
    assert not ring.wait(60.0)
    assert not ring.wait(0.0)  # one wake ends one wait


@pytest.mark.parametrize("is_write", [True, False])
def test_a_sleeping_wait_is_ended_from_another_thread(is_write: bool) -> None:
    ring = SampleRing(4, 1)
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(ring.wait(60.0)))
    thread.start()
    if is_write:
        ring.write(ramp(0, 1, 1))
    else:
        ring.wake()
    thread.join(30.0)
    assert results == [is_write]


def test_a_stream_crosses_threads_whole() -> None:
    ring = SampleRing(64, 1)
    n_total = 20000
    read: list[float] = []

    def produce() -> None:
        n = 0
        while n < n_total:
            n += ring.write(ramp(n, min(17, n_total - n), 1))

    thread = threading.Thread(target=produce)
    thread.start()
    while len(read) < n_total and ring.wait(30.0):
        read += ring.read(23)[:, 0].tolist()
    thread.join(30.0)
    assert read == list(range(n_total))


@given(st.lists(st.integers(0, 12), max_size=30), st.integers(1, 5))
def test_the_last_rows_are_contiguous_and_in_order(pushes: list[int], size: int) -> None:
    ring = FeatureRing(size, (2, 1))
    expected = [0.0] * size
    n = 1
    for n_rows in pushes:
        values = np.arange(n, n + n_rows, dtype=np.float32)
        ring.push(np.repeat(values, 2).reshape(-1, 2, 1))
        expected += values.tolist()
        n += n_rows
    for n_last in range(size + 1):
        rows_last = ring.last(n_last)
        assert rows_last.flags.c_contiguous
        assert rows_last.shape == (n_last, 2, 1)
        assert rows_last[:, 1, 0].tolist() == expected[len(expected) - n_last :]
    assert len(ring) == size


def test_clear_fills_with_the_value_given() -> None:
    fill = np.array([1, 2, 3], np.float32)
    ring = FeatureRing(4, 3, fill=fill)
    ring.push(np.zeros((3, 3), np.float32))
    assert ring.last(4)[:, 0].tolist() == [1, 0, 0, 0]
    ring.clear()
    assert ring.last(4).tolist() == [[1, 2, 3]] * 4
