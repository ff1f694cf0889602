"""The capture time of input samples, without the jitter of block arrival.

No audio device and no clock of its own here: arrival times are passed in.
"""

import math
from dataclasses import dataclass

START_BANDWIDTH_HZ = 1.0
BANDWIDTH_HZ = 0.1
SETTLING_S = 2.0  # the loop narrows from the first bandwidth to the second over this time

MAX_OMEGA = 0.5  # a loop updated more rarely than this follows its own noise
MAX_JITTER_S = 0.1  # a block this far from its time is not jitter
RESTART_JUMP_S = 1.0  # a jump of this size restarts the loop at once
RESTART_AFTER_S = 0.5  # a smaller one restarts it when it lasts this long


@dataclass(frozen=True, slots=True)
class _Line:
    """Sample ``sample`` was captured at ``time``; samples are ``period`` seconds apart."""

    sample: int
    time: float
    period: float


class StreamClock:
    """A delay-locked loop from sample counts to the time of ``perf_counter``.

    Second order, after F. Adriaensen, "Using a DLL to filter time", Linux Audio Conference 2005:
    with e the arrival of a block minus the arrival predicted, the prediction moves by b e and the
    period by c e, where omega = 2 pi B T, b = sqrt(2) omega, c = omega ** 2 and T is the length of
    the block. Here the length may differ from block to block, the bandwidth B starts wide and
    narrows, and a block far from its time (a stalled process, samples lost) is not fed to the loop:
    if the distance stays, the loop starts again from there.

    ``update`` is called by one thread, ``time_of`` by any: the line is replaced as a whole.

    Parameters
    ----------
    sample_rate : int
        Nominal rate of the device, hertz.
    """

    def __init__(self, sample_rate: int) -> None:
        assert sample_rate > 0
        self._nominal_period = 1.0 / sample_rate
        self._line: _Line | None = None
        self._locked_s = 0.0
        self._outlier_s = 0.0
        self._n_restarts = 0

    @property
    def is_running(self) -> bool:
        """True from the first ``update`` on."""
        return self._line is not None

    @property
    def n_restarts(self) -> int:
        """How often the stream jumped and the loop started again."""
        return self._n_restarts

    def reset(self) -> None:
        """Begin a new stream; the next ``update`` starts the loop."""
        self._line = None
        self._locked_s = 0.0
        self._outlier_s = 0.0

    def update(self, total_samples: int, arrival: float) -> None:
        """Note that sample ``total_samples`` (the one after the block) was due at ``arrival``.

        Called for each block, before or after it goes into the ring. Audio callback; never waits.

        Parameters
        ----------
        total_samples : int
            Samples of the stream up to and with this block; a count that did not rise is ignored.
        arrival : float
            ``perf_counter`` seconds at which the block arrived.
        """
        line = self._line
        if line is None:
            self._start(total_samples, arrival)
            return
        n_block = total_samples - line.sample
        if n_block <= 0:
            return
        predicted = line.time + n_block * line.period
        error = arrival - predicted
        block_s = n_block * self._nominal_period
        if abs(error) > MAX_JITTER_S:
            self._outlier_s += block_s
            if abs(error) > RESTART_JUMP_S or self._outlier_s > RESTART_AFTER_S:
                self._start(total_samples, arrival)
                self._n_restarts += 1
            else:
                self._line = _Line(total_samples, predicted, line.period)
            return
        self._outlier_s = 0.0
        self._locked_s += block_s
        omega = min(MAX_OMEGA, 2 * math.pi * self._bandwidth() * block_s)
        self._line = _Line(
            total_samples,
            predicted + math.sqrt(2.0) * omega * error,
            line.period + omega * omega * error / n_block,
        )

    def shift(self, seconds: float) -> None:
        """Shift by a pause of the whole program without samples; a short one counts as jitter.

        Any thread.
        """
        line = self._line
        if line is not None and seconds > RESTART_JUMP_S:
            self._line = _Line(line.sample, line.time + seconds, line.period)

    def time_of(self, sample: float) -> float:
        """Return the ``perf_counter`` seconds of a sample; raise RuntimeError before any block.

        Sample 0 is the first of the stream. Earlier and later samples are extrapolated.
        """
        line = self._line
        if line is None:
            raise RuntimeError("StreamClock.time_of needs a first update")
        return line.time + (sample - line.sample) * line.period

    def _start(self, total_samples: int, arrival: float) -> None:
        self._line = _Line(total_samples, arrival, self._nominal_period)
        self._locked_s = 0.0
        self._outlier_s = 0.0

    def _bandwidth(self) -> float:
        settled = min(1.0, self._locked_s / SETTLING_S)
        return START_BANDWIDTH_HZ * math.pow(BANDWIDTH_HZ / START_BANDWIDTH_HZ, settled)
