"""When samples written to an output will be heard, from its reported latency.

Host times are seconds of ``time.perf_counter``; blocks are (n, 2) float32.
"""

import collections
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.playback.outputs.output import BLOCK_S, BUFFER_S, N_CHANNELS, Output

Array = NDArray[np.float32]

SETTLE_S = 0.3
"""Seconds of silence written after opening, until the output's latency is steady."""
BLOCKS_PER_QUERY = 8
"""Blocks from one query of the output's latency to the next."""
ARRIVAL_S = 0.002
"""Seconds, a part of the buffer, until a server has what was written."""
N_LATENCIES = 75
"""Measured latencies that are kept, of 3 s."""
IDLE_ONE_IN = 10
"""One answer in so many came when nothing written was still on its way to the server."""
MAX_QUERY_S = 0.003
"""A query that took longer is not used: the time of its answer is uncertain."""


class PlaybackClock:
    """An output, and the host time at which the next sample written to it will be heard.

    One thread. ``clock`` is seconds of ``perf_counter``.
    """

    def __init__(
        self,
        output: Output,
        clock: Callable[[], float] = time.perf_counter,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.output = output
        self._now, self._pause = clock, pause
        self._n_written = 0
        self._n_blocks = 0
        self._starts: collections.deque[float] = collections.deque(maxlen=N_LATENCIES)
        self._start = 0.0  # when sample 0 would have been heard

    @property
    def host_time(self) -> float:
        """When the next sample will be heard."""
        if not self._starts:
            return self._now() + BUFFER_S
        return self._start + self._n_written / self.output.sample_rate

    def settle(self) -> float:
        """Write silence until the output's latency is steady; return it in seconds."""
        block = np.zeros((round(BLOCK_S * self.output.sample_rate), N_CHANNELS), np.float32)
        for _ in range(round(SETTLE_S / BLOCK_S)):
            self.write(block)
        self._starts.clear()
        leads = [BUFFER_S]  # where no query is answered in time
        for _ in range(8 * BLOCKS_PER_QUERY):
            self.write(block)
            if self._starts:
                leads.append(self.host_time - self._now())
        return float(np.median(leads))

    def write(self, block: Array) -> None:
        """Write a block (n, 2). Raises DeviceError once the device is gone."""
        self.output.write(block)
        self._n_written += len(block)
        self._n_blocks += 1
        if self._n_blocks % BLOCKS_PER_QUERY:
            return
        self._pause(ARRIVAL_S)
        asked = self._now()
        latency = self.output.latency()
        answered = self._now()
        if latency is not None and answered - asked < MAX_QUERY_S:
            heard = (asked + answered) / 2 + latency
            self._starts.append(heard - self._n_written / self.output.sample_rate)
            self._start = sorted(self._starts)[-1 - len(self._starts) // IDLE_ONE_IN]
