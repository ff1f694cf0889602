"""The latency of a sink's monitor as an audio source.

A monitor delivers what its sink has mixed, before the sink plays it: the sink's buffer, whose
length the server reports, comes first. So the latency is negative.
"""

import collections
import statistics
import time
from collections.abc import Callable
from typing import Any

from engine.signal.clock import StreamClock

PERIOD_S = 0.1
N_NEEDED, N_KEPT = 8, 60
N_ANEW = 15
"""Answers that all come later than half of those before them: the stream has lost a period."""
IDLE_ONE_IN = 20
"""One answer in so many came when nothing was on its way to the sink."""
MAX_QUERY_S = 0.0015
"""A query that took longer is not used: the time of its answer is uncertain."""
LIMITS_S = (-1.0, 0.1)
"""Latencies outside are taken for a server's fault."""


class MonitorLatencyEstimator:
    """Measures a monitor's latency as a source, a query at a time.

    Parameters
    ----------
    pulse
        A connected ``pulsectl.Pulse``, used from this thread alone.
    clock
        Seconds of ``perf_counter``.
    """

    def __init__(self, pulse: Any, clock: Callable[[], float] = time.perf_counter) -> None:
        self._pulse = pulse
        self._now = clock
        self._monitor = ""
        self._sink: int | None = None
        self._query_at = 0.0
        self._starts: collections.deque[float] = collections.deque(maxlen=N_KEPT)

    def measure(
        self, monitor: str, clock: StreamClock, n_samples: int, sample_rate: int
    ) -> float | None:
        """Return the latency in seconds where it was measured anew, else None.

        Call it when a block has just come: ``n_samples`` are there, ``clock`` knows it. What was
        mixed and is still on its way makes the latency seem long, so the earliest of the last
        seconds' answers count; where the stream has lost samples meanwhile, those since then.
        Jitter of ``clock`` cancels in the sum of clock and latency.
        """
        asked = self._now()
        if monitor != self._monitor:
            self._monitor, self._sink = monitor, self._find(monitor)
            self._starts.clear()
        if self._sink is None or asked < self._query_at or not clock.is_running:
            return None
        self._query_at = asked + PERIOD_S
        queued = self._pulse.sink_info(self._sink).latency / 1e6
        answered = self._now()
        played = n_samples / sample_rate
        if answered - asked < MAX_QUERY_S:
            self._take((asked + answered) / 2 + queued - played)
        if len(self._starts) < N_NEEDED:
            return None
        start = sorted(self._starts)[len(self._starts) // IDLE_ONE_IN]
        latency = clock.time_of(n_samples) - (start + played)
        return latency if LIMITS_S[0] < latency < LIMITS_S[1] else None

    def _take(self, start: float) -> None:
        """Keep an answer: when the stream's first sample would have been heard, as it seems."""
        starts = self._starts
        starts.append(start)
        before, newest = list(starts)[:-N_ANEW], list(starts)[-N_ANEW:]
        if len(before) >= N_ANEW and min(newest) > statistics.median(before):
            starts.clear()
            starts.extend(newest)

    def _find(self, monitor: str) -> int | None:
        sinks = self._pulse.sink_list()
        return next((int(s.index) for s in sinks if s.monitor_source_name == monitor), None)
