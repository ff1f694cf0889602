"""Measures how late something is heard that is played at a known time: the way out.

Clicks on an output of this program, or notes at a MIDI port, are heard back by a source: loopback
or a microphone. Host times are seconds of ``perf_counter``. Not here: finding them in the recording
(``engine.signal.clicks``), and where the result is kept (``livecover.settings``).
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio.devices.source import AudioSource
from engine.core.errors import DeviceError
from engine.core.notes import NoteEvent
from engine.playback.playback_thread import PlaybackThread
from engine.signal.clicks import WayOut, find_clicks, find_notes, make_click, summarise
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing

Array = NDArray[np.float32]

SETTLE_S = 2.5
"""Seconds that the clocks of input and output have before the first click."""
EVERY_S, WITHIN_S = 0.7, 0.5
"""Seconds from one to the next, and within which it is heard."""
N_CLICKS, N_NOTES = 12, 24
NOTE_S = 0.12
PITCH, VELOCITY = 84, 100
LEVEL = 0.5
NEAR_S = 0.35
"""Seconds around a moment whose earliest block counts: on a busy machine others come late."""
LAG_SHARE = 0.1
"""Of what the source said of its lag: after samples were lost it says too much for seconds."""
LEAST_SHARE = 0.6
"""Of what was played that must be heard."""


class NotePort(Protocol):
    """The part of a MIDI sink that is used."""

    @property
    def latency(self) -> float:
        """Seconds from ``send`` until receivers have it."""

    def send(self, event: NoteEvent) -> None:
        """Send one note-on or note-off now."""


class ClickPlayer:
    """A player of clicks, each at its host time."""

    name = "the clicks"

    def __init__(self, sample_rate: int, times: Sequence[float]) -> None:
        self._click = LEVEL * make_click(sample_rate)
        self._rate = sample_rate
        self._times = list(times)

    def render(self, n: int, host_time: float) -> Array:
        """Return (n, 2), heard from ``host_time`` on. On the playback thread."""
        block = np.zeros(n, np.float32)
        for due in self._times:
            start = round((due - host_time) * self._rate)
            first, last = max(0, start), min(n, start + len(self._click))
            if first < last:
                block[first:last] += self._click[first - start : last - start]
        return np.repeat(block[:, None], 2, axis=1)


class ArrivalClock(StreamClock):
    """A clock that keeps when each block came: seconds, and samples up to and with it."""

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate)
        self.arrivals: list[tuple[float, int]] = []

    def update(self, total_samples: int, arrival: float) -> None:
        """As any clock."""
        super().update(total_samples, arrival)
        self.arrivals.append((arrival, total_samples))


class Recording:
    """A source that is recorded from now on; ``stop`` gives the sound.

    When a sample was captured is told by when its block came, less the source's lag, which is the
    same all the time. The clock alone will not do: where a sound server loses a period (PipeWire's
    graph does so whenever it is late) it goes on for seconds as if nothing were missing.
    """

    def __init__(self, source: AudioSource, seconds: float) -> None:
        self._source = source
        self._ring = SampleRing(round(seconds * source.sample_rate), max(1, source.n_channels))
        self._clock = ArrivalClock(source.sample_rate)
        self._marks: list[tuple[float, float]] = []  # host times, and the first sample's by them
        self._came: NDArray[np.float64] = np.zeros((2, 0))  # host times, and the first sample's
        self._lag = 0.0
        source.start(self._ring, self._clock)

    def mark(self) -> None:
        """Keep what the source says now of when the sample that comes next was captured."""
        n_written = self._ring.total_written
        if self._clock.is_running:
            captured = self._clock.time_of(n_written) - self._source.latency
            self._marks.append((captured, captured - n_written / self._source.sample_rate))

    def stop(self) -> Array:
        """Return the sound (n,). Raises DeviceError if there is none."""
        error = self._source.error
        self._source.stop()
        if error is not None or not self._marks:
            raise DeviceError(error or f"nothing comes from {self._source.name}")
        came, n_samples = np.array(self._clock.arrivals, np.float64).T
        self._came = np.array([came, came - n_samples / self._source.sample_rate])
        lags = [self._first_came(captured) - first for captured, first in self._marks]
        self._lag = float(np.quantile(lags, LAG_SHARE))
        sound: Array = self._ring.read(self._ring.available).mean(axis=1, dtype=np.float32)
        return sound

    def seconds_of(self, host_time: float) -> float:
        """Return the second of the sound that was captured at a host time, after ``stop``."""
        return host_time - (self._first_came(host_time) - self._lag)

    def _first_came(self, host_time: float) -> float:
        """Return when the first sample came, or had come, as blocks around a time have it."""
        times, firsts = self._came
        distance = np.abs(times - host_time)
        return float(firsts[distance <= max(NEAR_S, distance.min())].min())


def measure_output(
    playback: PlaybackThread, source: AudioSource, stop: threading.Event, n_clicks: int = N_CLICKS
) -> WayOut:
    """Return how much later than it says an output is heard. Takes some ten seconds.

    Raises DeviceError if most clicks are not heard, the input is lost, or ``stop`` was set.
    """

    def play(recording: Recording) -> list[float]:
        first = time.perf_counter() + playback.latency + EVERY_S / 2
        times = [first + EVERY_S * number for number in range(n_clicks)]
        playback.play([ClickPlayer(playback.sample_rate, times)])
        for host_time in times:
            _wait(stop, host_time - time.perf_counter())
            recording.mark()
        return times

    return _measure(source, play, find_clicks, stop, n_clicks)


def measure_port(
    port: NotePort,
    source: AudioSource,
    stop: threading.Event,
    n_notes: int = N_NOTES,
    channel: int = 1,
) -> WayOut:
    """Return how long after a note is at a port it is heard. Takes some twenty seconds.

    Raises as ``measure_output``, and MidiError where the port is gone.
    """
    chance = random.Random(0)  # so that a graph's periods do not keep step with the notes

    def play(recording: Recording) -> list[float]:
        times = []
        for _ in range(n_notes):
            _wait(stop, EVERY_S - NOTE_S + chance.uniform(0.0, 0.05))
            recording.mark()
            times.append(time.perf_counter() + port.latency)
            port.send(NoteEvent(0.0, PITCH, VELOCITY, channel=channel))
            try:
                _wait(stop, NOTE_S)
            finally:
                port.send(NoteEvent(NOTE_S, PITCH, 0, channel=channel))
        return times

    return _measure(source, play, find_notes, stop, n_notes)


def _measure(
    source: AudioSource,
    play: Callable[[Recording], list[float]],
    find: Callable[[Array, int, Sequence[float], float], list[float]],
    stop: threading.Event,
    n_played: int,
) -> WayOut:
    recording = Recording(source, SETTLE_S + (n_played + 4) * (EVERY_S + 0.1))
    try:
        _wait(stop, SETTLE_S)
        times = play(recording)
        _wait(stop, WITHIN_S)
    except BaseException:
        source.stop()
        raise
    sound = recording.stop()
    wanted = [recording.seconds_of(host_time) for host_time in times]
    delays = find(sound, source.sample_rate, wanted, WITHIN_S)
    if len(delays) < LEAST_SHARE * n_played:
        raise DeviceError(
            f"{source.name} heard {len(delays)} of {n_played} only: turn up what plays them, be"
            " quiet meanwhile, and see that this input hears it (another one: --input)"
        )
    return summarise(delays)


def _wait(stop: threading.Event, seconds: float) -> None:
    if stop.wait(max(0.0, seconds)):
        raise DeviceError("the measurement was stopped: nothing has changed")
