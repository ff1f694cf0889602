"""A monitor's latency by what a server answers, of which little came while nothing was queued."""

import random
from types import SimpleNamespace

import pytest

from engine.audio.loopback.monitor_latency import MonitorLatencyEstimator
from engine.signal.clock import StreamClock

RATE = 48000
BUFFER_S = 0.05


class Stream:
    """A monitor of a sink; blocks of 20 ms, whose arrival is that of their last sample."""

    def __init__(self) -> None:
        self.now, self.n_samples, self.mixed_s = 100.0, 0, 0.0
        self.clock = StreamClock(RATE)
        self.chance = random.Random(1)
        info = SimpleNamespace(index=3, monitor_source_name="null.monitor")
        self.estimator = MonitorLatencyEstimator(
            SimpleNamespace(
                sink_list=lambda: [info],
                sink_info=lambda index: SimpleNamespace(latency=self._queued() * 1e6),
            ),
            lambda: self.now,
        )

    def _queued(self) -> float:
        """Return the sink's buffer, and what it has mixed since the block."""
        return BUFFER_S + self.chance.uniform(0.0, self.mixed_s)

    def run(self, seconds: float) -> float:
        """Return when the last sample is heard, by the last latency, after the true time."""
        latency = None
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            self.n_samples += round(0.02 * RATE)
            self.clock.update(self.n_samples, self.now)
            found = self.estimator.measure("null.monitor", self.clock, self.n_samples, RATE)
            latency = latency if found is None else found
        assert latency is not None
        return self.clock.time_of(self.n_samples) - latency - (self.now + BUFFER_S)


@pytest.mark.parametrize("mixed_s", [0.0, 0.003, 0.02])
def test_what_is_mixed_and_not_heard_yet_is_told_from_the_buffer(mixed_s: float) -> None:
    stream = Stream()
    stream.mixed_s = mixed_s
    assert stream.run(6.0) == pytest.approx(0.0, abs=0.1 * mixed_s + 1e-6)


@pytest.mark.parametrize("lost_s", [0.0053, 0.0213])
def test_a_lost_period_is_known_two_seconds_later(lost_s: float) -> None:
    stream = Stream()
    stream.mixed_s = 0.003
    stream.run(10.0)
    stream.now += lost_s  # its samples never come
    assert stream.run(2.0) == pytest.approx(0.0, abs=0.001)


def test_a_period_too_much_is_known_sooner() -> None:
    stream = Stream()
    stream.run(10.0)
    stream.now -= 0.0213
    assert stream.run(0.6) == pytest.approx(0.0, abs=0.001)
