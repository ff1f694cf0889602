"""Level and load meters, and the engine's status in numbers."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.song_place import SongPlace
from engine.core.tempo import Beat
from engine.signal.tuning import A4_HZ

Array = NDArray[np.float32]

SILENCE_DBFS = -120.0
LOUDEST_DBFS = 60.0
"""Shown for anything louder: a meter's numbers are finite."""
FALL_DB = 26.0
"""Decibels a second by which a level falls."""
HOLD_S = 1.6
"""Seconds for which a peak is held."""
CLIP_S = 2.0
"""Seconds for which clipping is shown after the last clipped sample."""
FULL_SCALE = np.float32(32767 / 32768)
"""The largest sample of 16 bits; samples from there on count as clipped."""
LOAD_SMOOTHING_S = 2.0


@dataclass(frozen=True, slots=True)
class Level:
    """How loud a channel of the input is, in dB below full scale."""

    peak_dbfs: float  # of now, falling by FALL_DB a second
    hold_dbfs: float  # the highest of the last HOLD_S seconds
    n_clipped: int = 0  # samples at full scale or beyond, since the input was opened


@dataclass(frozen=True, slots=True)
class Status:
    """The engine's state at one time. Counts are since the start."""

    seconds: float = 0.0  # since the start
    peak_dbfs: float = SILENCE_DBFS  # of the loudest channel
    latency: float = 0.0
    load: float = 0.0  # computing time for each second of audio, over the last seconds
    max_load: float = 0.0
    n_notes: int = 0  # note-ons sent
    n_late: int = 0
    n_dropped: int = 0  # too late, or refused by a full queue
    n_overruns: int = 0  # gaps in the audio: lost by the device, or by a full ring
    n_skipped_frames: int = 0  # passed over because the machine was too slow
    n_losses: int = 0  # of the source
    n_midi_losses: int = 0  # of MIDI ports
    a4_hz: float = A4_HZ  # estimated tuning
    n_refused: int = 0  # MIDI messages, while a port was gone
    is_asleep: bool = False
    is_connected: bool = False
    is_midi_connected: bool = True
    levels: tuple[Level, ...] = ()  # of each channel of the input, before they are mixed
    n_clipped: int = 0  # samples at full scale or beyond
    is_clipping: bool = False  # within the last seconds
    beat: Beat = Beat()  # host times
    song: SongPlace | None = None  # None where it is no file
    accompanist: str = ""  # listening, playing or resting; nothing where a cover is played


_Shown = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]
_NOTHING: _Shown = (np.zeros(0), np.zeros(0), np.zeros(0, np.int64))


class LevelMeter:
    """Peaks of each channel of the input, as it came, with fall-off and hold.

    Blocks are taken on the worker's thread; the rest on any. After Ardour's ``PeakMeter``
    (libs/ardour/meter.cc).
    """

    def __init__(self) -> None:
        self.n_clipped = 0
        self.is_clipping = False
        self._clip_left = 0.0  # seconds
        self._hold_left: NDArray[np.float64] = np.zeros(0)
        self._clipped: NDArray[np.int64] = np.zeros(0, np.int64)
        self._shown = _NOTHING

    @property
    def levels(self) -> tuple[Level, ...]:
        """Of each channel."""
        rows = zip(*(part.tolist() for part in self._shown), strict=True)
        return tuple(Level(_dbfs(peak), _dbfs(hold), n) for peak, hold, n in rows)

    def update(self, block: Array, seconds: float, gain: float = 1.0) -> None:
        """Take a block (n, c), of so many seconds, as it came.

        It is shown with its gain; what clips before that has clipped.
        """
        if not len(block):
            return
        size = np.abs(block)
        clipped = np.count_nonzero(size >= FULL_SCALE, axis=0)
        n_clipped = int(clipped.sum())
        self.n_clipped += n_clipped
        self._clip_left = CLIP_S if n_clipped else max(0.0, self._clip_left - seconds)
        self.is_clipping = self._clip_left > 0
        peaks = np.fmax.reduce(size, axis=0, initial=0.0)  # NaN is no peak
        peaks = gain * peaks.astype(np.float64)
        level, hold, _ = self._shown
        if len(level) != len(peaks):
            level = hold = self._hold_left = np.zeros(len(peaks))
            self._clipped = np.zeros(len(peaks), np.int64)
        self._clipped = self._clipped + clipped
        fall = 10 ** (-FALL_DB * seconds / 20)
        level = np.maximum(peaks, level * fall)
        self._hold_left = np.where(peaks >= hold, HOLD_S, self._hold_left - seconds)
        hold = np.maximum(level, np.where(self._hold_left > 0, hold, hold * fall))
        self._shown = (level, hold, self._clipped)

    def reset(self) -> None:
        """Show nothing: there is no input, or another one."""
        self._hold_left = np.zeros(0)
        self._shown = _NOTHING
        self._clip_left, self.is_clipping = 0.0, False


def _dbfs(amplitude: float) -> float:
    """Return dB below full scale, from ``SILENCE_DBFS`` to ``LOUDEST_DBFS``."""
    if amplitude <= 0:
        return SILENCE_DBFS
    return min(LOUDEST_DBFS, max(SILENCE_DBFS, 20 * math.log10(amplitude)))


class LoadMeter:
    """Computing time for each second of audio: smoothed, and at most."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.load = self.highest = 0.0
        self._clock = clock
        self._start = 0.0

    def begin(self) -> None:
        """Start timing a step."""
        self._start = self._clock()

    def end(self, seconds: float) -> None:
        """End timing a step of so many seconds of audio."""
        share = min(1.0, seconds / LOAD_SMOOTHING_S)
        self.load += share * ((self._clock() - self._start) / seconds - self.load)
        self.highest = max(self.highest, self.load)
