"""When a sound that a monitor gives back is heard in the room.

A monitor hands on what its sink has mixed, which the sink plays a little later: after what
its buffer holds at that moment, and the server tells how much that is. So the monitor is ahead of
the ear, and its latency as a source is negative.
"""

import collections
import time
from collections.abc import Callable
from typing import Any

from engine.signal.clock import StreamClock

PERIOD_S = 0.1
N_NEEDED, N_KEPT = 8, 60
FEW = 20
"""Of one answer in so many it is true that nothing was on its way, or in half a block."""
MAX_ASKING_S = 0.0015
"""An answer that took longer says little about the moment it is for."""
LIMITS_S = (-1.0, 0.1)
"""What a latency can be; a server that says else is not believed."""


class PulseEar:
    """Measures a monitor's latency as a source, a question at a time.

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
        self._ask_at = 0.0
        self._starts: collections.deque[float] = collections.deque(maxlen=N_KEPT)

    def measure(
        self, monitor: str, clock: StreamClock, n_samples: int, sample_rate: int
    ) -> float | None:
        """Return the latency in seconds where it was measured anew, else None.

        Call it when a block has just come: ``n_samples`` are there, ``clock`` knows it. What was
        mixed and is still on its way makes the ear seem late, so the earliest of the last seconds'
        answers count; a busy machine, which moves ``clock``, does not move the moments that clock
        and latency give together.
        """
        asked = self._now()
        if monitor != self._monitor:
            self._monitor, self._sink = monitor, self._find(monitor)
            self._starts.clear()
        if self._sink is None or asked < self._ask_at or not clock.is_running:
            return None
        self._ask_at = asked + PERIOD_S
        queued = self._pulse.sink_info(self._sink).latency / 1e6
        answered = self._now()
        played = n_samples / sample_rate
        if answered - asked < MAX_ASKING_S:
            self._starts.append((asked + answered) / 2 + queued - played)
        if len(self._starts) < N_NEEDED:
            return None
        start = sorted(self._starts)[len(self._starts) // FEW]
        latency = clock.time_of(n_samples) - (start + played)
        return latency if LIMITS_S[0] < latency < LIMITS_S[1] else None

    def _find(self, monitor: str) -> int | None:
        sinks = self._pulse.sink_list()
        return next((int(s.index) for s in sinks if s.monitor_source_name == monitor), None)
