"""The song, delayed by exactly the session's latency, so that it sounds together with its notes.

The worker writes the input into a delay line; the playback thread reads it where the song stood
``latency`` before the host time at which a sample will be heard. Input and output have clocks of
their own, so the read position drifts: the speed corrects it, by at most ``MAX_BEND``, which is
inaudible, and where it is far off (a device came back) it jumps under a crossfade. Samples are
(n, channels) float32. Not here: the output (``engine.playback.outputs``), its thread
(``engine.playback.playback_thread``).
"""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.settings import EngineSettings
from engine.core.taps import Tap, TappedSource
from engine.signal.varispeed import Varispeed

Array = NDArray[np.float32]

N_CHANNELS = 2
SPARE_S = 2.0
"""Seconds that the line holds beyond the latency."""
MAX_BEND = 0.002
"""Share of the speed by which it is corrected at most: 3.5 cents."""
PULL = 1.0
"""Share of the distance that is made up for in a second."""
JUMP_S = 0.008
"""A distance from which on the place is taken at once, under a crossfade."""
FADE_S = 0.005
"""Seconds of a fade at the start, at a gap, at the end."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Anchor:
    """Sample ``sample`` was captured at ``host_time``; samples below ``written`` are there."""

    sample: int
    host_time: float
    written: int


class _Line:
    """The last seconds of one source, in stereo; the worker writes, the playback thread reads."""

    def __init__(self, sample_rate: int, seconds: float, output_rate: int) -> None:
        self.sample_rate = sample_rate
        self.step = sample_rate / output_rate
        self.varispeed = Varispeed(self.step)
        self._buffer: Array = np.zeros((round(seconds * sample_rate), N_CHANNELS), np.float32)
        self.anchor = _Anchor(0, 0.0, 0)

    @property
    def oldest(self) -> int:
        """The first sample that is surely there; a block may be on its way over those before."""
        spare = self.sample_rate // 2
        return max(0, self.anchor.written - len(self._buffer) + spare)

    def write(self, block: Array, host_time: float) -> None:
        """Append a block (n, c) whose first sample was captured at ``host_time``."""
        start = self.anchor.written
        stereo = block[:, :N_CHANNELS]  # one channel is spread over both
        place = (start + np.arange(len(block))) % len(self._buffer)
        self._buffer[place] = stereo
        self.anchor = _Anchor(start, host_time, start + len(block))

    def read(self, start: int, stop: int) -> Array:
        """Return samples ``start`` to ``stop``; what is not there yet is silence."""
        written = self.anchor.written
        block = self._buffer[np.arange(start, stop) % len(self._buffer)]
        if stop > written or start < 0:
            place = np.arange(start, stop)
            block[(place >= written) | (place < 0)] = 0.0
        return block


class Monitor(Tap):
    """A tap that plays the song back, delayed by ``latency``.

    Parameters
    ----------
    sample_rate
        Of the output.
    gain
        Factor.

    Attributes
    ----------
    extra_delay : float
        Seconds by which the song is later than ``latency``: what notes take that are heard
        elsewhere. May be set at any time.
    error : float
        Seconds that the song is behind; for measuring.
    n_jumps : int
        How often it jumped to its position.
    """

    name = "the song"

    def __init__(self, sample_rate: int, gain: float = 1.0) -> None:
        self.gain = gain
        self.extra_delay = 0.0
        self.error = 0.0
        self.n_jumps = 0
        self._sample_rate = sample_rate
        self._latency = 0.0
        self._line: _Line | None = None  # the worker's latest
        # the playback thread's own:
        self._playing: _Line | None = None
        self._position = 0.0  # in the line that plays, of the next sample
        self._n_fade = round(FADE_S * sample_rate)
        self._fade_in: Array = np.linspace(0, 1, self._n_fade, dtype=np.float32)[:, None]

    def begin(self, source: TappedSource, offset: float, latency: float) -> None:  # noqa: D102
        self._latency = latency
        seconds = latency + max(0.0, self.extra_delay) + SPARE_S
        self._line = _Line(source.sample_rate, seconds, self._sample_rate)

    def audio(self, block: Array, time: float, host_time: float) -> None:  # noqa: D102
        if self._line is not None:
            self._line.write(block, host_time)

    def changed(self, settings: EngineSettings, latency: float) -> None:  # noqa: D102
        if latency > self._latency and self._line is not None:
            self._line = _Line(self._line.sample_rate, latency + SPARE_S, self._sample_rate)
        self._latency = latency

    def render(self, n: int, host_time: float) -> Array:
        """Return (n, 2), heard from ``host_time`` on. On the playback thread."""
        line = self._line
        if self._playing is not None and self._playing is not line:
            return self._leave(self._playing, n)
        if line is None or not line.anchor.written:
            return np.zeros((n, N_CHANNELS), np.float32)
        wanted = self._wanted(line, host_time)
        if self._playing is None:
            return self._enter(line, n, wanted)
        self.error = (wanted - self._position) / line.sample_rate
        if abs(self.error) > JUMP_S:
            return self._jump(line, n, wanted)
        if not self._has(line, self._position, n + self._n_fade):
            return self._leave(line, n)
        return self._read(line, n)

    def _wanted(self, line: _Line, host_time: float) -> float:
        """Return the place in the line that is to be heard at ``host_time``."""
        anchor = line.anchor
        captured = host_time - self._latency - self.extra_delay
        return anchor.sample + (captured - anchor.host_time) * line.sample_rate

    def _enter(self, line: _Line, n: int, wanted: float) -> Array:
        """Begin at ``wanted``, if that is there."""
        if wanted < 0 or not self._has(line, wanted, n + self._n_fade):
            return np.zeros((n, N_CHANNELS), np.float32)
        self._playing, self._position, self.error = line, wanted, 0.0
        block = self._read(line, n)
        block[: self._n_fade] *= self._fade_in[:n]
        return block

    def _leave(self, line: _Line, n: int) -> Array:
        """Fade out, and be silent until there is something again."""
        block = self._read(line, n)
        block[: self._n_fade] *= 1 - self._fade_in[:n]
        block[self._n_fade :] = 0.0
        self._playing = None
        return block

    def _jump(self, line: _Line, n: int, wanted: float) -> Array:
        """Go to ``wanted`` under a crossfade; to silence where it is not there."""
        if wanted < 0 or not self._has(line, wanted, n + self._n_fade):
            return self._leave(line, n)
        self.n_jumps += 1
        old = self._read(line, n)
        self._position, self.error = wanted, 0.0
        ramp: Array = np.linspace(0, 1, n, dtype=np.float32)[:, None]
        return old * (1 - ramp) + self._read(line, n) * ramp

    def _has(self, line: _Line, position: float, n: int) -> bool:
        """Return whether the line holds what ``n`` output samples from ``position`` on need."""
        last = position + n * line.step * (1 + MAX_BEND)
        _, stop = line.varispeed.span(position, last)
        return line.oldest <= position and stop <= line.anchor.written

    def _read(self, line: _Line, n: int) -> Array:
        """Return the next ``n`` samples, at a speed that brings them to their place."""
        bend = min(max(PULL * self.error, -MAX_BEND), MAX_BEND)
        step = line.step * (1 + bend)
        positions = self._position + step * np.arange(n, dtype=np.float64)
        start, stop = line.varispeed.span(positions[0], positions[-1])
        block = line.varispeed.read(line.read(start, stop), positions - start)
        self._position += step * n
        block *= self.gain
        return block
