"""What the engine is doing, in numbers."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from engine.stream import SILENCE_DBFS

LOAD_SMOOTHING_S = 2.0


@dataclass(frozen=True, slots=True)
class Status:
    """What the engine is doing, at one moment. Counts are since the start."""

    seconds: float = 0.0  # since the start
    peak_dbfs: float = SILENCE_DBFS  # of the last block
    latency: float = 0.0
    load: float = 0.0  # computing time for each second of audio, over the last seconds
    max_load: float = 0.0
    n_notes: int = 0  # note-ons sent
    n_late: int = 0
    n_dropped: int = 0  # too late, or refused by a full queue
    n_overruns: int = 0  # gaps in the audio: lost by the device, or by a full ring
    n_skipped_frames: int = 0  # passed over because the machine was too slow
    n_losses: int = 0  # of the source
    is_asleep: bool = False
    is_connected: bool = False


class LoadMeter:
    """Computing time for each second of audio: smoothed, and at most."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.load = self.highest = 0.0
        self._clock = clock
        self._start = 0.0

    def begin(self) -> None:
        """A step begins."""
        self._start = self._clock()

    def end(self, seconds: float) -> None:
        """It ends; it was of so many seconds of audio."""
        share = min(1.0, seconds / LOAD_SMOOTHING_S)
        self.load += share * ((self._clock() - self._start) / seconds - self.load)
        self.highest = max(self.highest, self.load)
