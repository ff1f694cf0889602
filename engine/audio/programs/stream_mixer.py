"""Mixes a program's streams to one, sample by sample as they come.

The streams of one sink come at one pace. Of two sinks the slower one sets the pace, and what the
other has too much is left out. Not here: recording them (``stream_recorder``).
"""

from collections.abc import Collection, Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LATE_AFTER = 0.1
"""Seconds without a sample after which a stream is not waited for."""
MAX_BACKLOG = 0.2
"""Seconds that a stream may be ahead of another before its oldest samples are left out."""


@dataclass(slots=True)
class _Backlog:
    """What a stream has delivered and is not mixed yet, (n, channels), and when it last did."""

    samples: NDArray[np.float32]
    came_at: float


class StreamMixer:
    """Adds the streams' samples; every method belongs to one thread.

    Parameters
    ----------
    sample_rate, n_channels
        Of every stream and of the mix: hertz; channels.
    """

    def __init__(self, sample_rate: int, n_channels: int) -> None:
        self._max_backlog = round(MAX_BACKLOG * sample_rate)
        self._n_channels = n_channels
        self._backlogs: dict[Hashable, _Backlog] = {}

    def keep(self, streams: Collection[Hashable]) -> None:
        """Forget the streams that are not among these, which have ended or pause."""
        for stream in self._backlogs.keys() - set(streams):
            del self._backlogs[stream]

    def push(self, stream: Hashable, block: NDArray[np.float32], now: float) -> None:
        """Take what a stream has delivered (n, channels), new ones included, at a time in s."""
        backlog = self._backlogs.get(stream)
        samples = block if backlog is None else np.concatenate((backlog.samples, block))
        self._backlogs[stream] = _Backlog(samples[-self._max_backlog :], now)

    def take(self, now: float) -> NDArray[np.float32] | None:
        """Return the mix (n, channels) of what all streams have delivered; None if nothing.

        A stream that is late adds what it has.
        """
        backlogs = self._backlogs.values()
        in_time = [len(b.samples) for b in backlogs if now - b.came_at <= LATE_AFTER]
        n_samples = min(in_time, default=0)
        if n_samples == 0:
            return None
        mix = np.zeros((n_samples, self._n_channels), np.float32)
        for backlog in backlogs:
            part, backlog.samples = np.split(backlog.samples, [n_samples])
            mix[: len(part)] += part
        return mix
