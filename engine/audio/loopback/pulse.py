"""Loopback on Linux: the monitor source of a PulseAudio sink (PipeWire answers the same API).

Watched with pulsectl (``pulse_server``), recorded with ``pulse_simple``.
"""

import itertools
import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.devices.channels import ChannelPick
from engine.audio.devices.source import LiveFeed, LiveSource
from engine.audio.loopback.monitor_latency import MonitorLatencyEstimator
from engine.audio.loopback.pulse_server import (
    ask_server,
    connected,
    default_monitor,
    find_source,
)
from engine.audio.loopback.pulse_simple import PulseRecorder
from engine.core.errors import DeviceError
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing
from engine.system.bounded import join_thread

EVENT_TIMEOUT = 0.25  # seconds; how soon the watch sees a stop
JOIN_TIMEOUT = 0.25  # seconds; a reader in a server that hangs is abandoned

_log = logging.getLogger(__name__)
_serial = itertools.count()


class PulseMonitor(LiveSource):
    """What a sink plays, as a source.

    Parameters
    ----------
    source
        The monitor's name; None is the default sink's, and follows the default when it changes.
    block_size
        Samples in a block.
    sample_rate
        Hertz; None is the sink's own (the server resamples what differs).
    channels
        Those that are heard, from 1; None is the first two.

    Raises
    ------
    DeviceError
        libpulse is missing, no server answers, or there is no such monitor or channel.
    """

    def __init__(
        self,
        source: str | None = None,
        block_size: int = 256,
        sample_rate: int | None = None,
        channels: Sequence[int] | None = None,
    ) -> None:
        self._wanted = source
        found = ask_server(
            lambda pulse: default_monitor(pulse) if source is None else find_source(pulse, source)
        )
        self.name: str = found.name
        self.sample_rate: int = sample_rate or found.sample_rate
        self._pick = ChannelPick(channels, found.channel_count, self.name)
        self.n_channels = self._pick.n_picked
        # All where some are named: the server mixes what differs in number.
        self.n_opened: int = found.channel_count if channels else self._pick.n_opened
        self.block_size = block_size
        # A monitor is ahead of what is heard; ``MonitorLatencyEstimator`` measures by how much.
        # (libpulse's own figure swings by hundreds of milliseconds in its first second.)
        self.latency = 0.0
        self._stop = threading.Event()
        self._reader: _Reader | None = None
        self._lock = threading.Lock()  # held by the reader that pushes, and for the next one
        self._feed: LiveFeed | None = None

    @property
    def stream_name(self) -> str:
        """What mixers show of the stream; empty where there is none."""
        reader = self._reader
        return "" if reader is None else reader.stream_name

    def start(self, ring: SampleRing, clock: StreamClock) -> None:
        """Begin to record, on threads of its own. Raises DeviceError."""
        self.stop()
        self._locate()
        stop, feed = threading.Event(), LiveFeed(ring, clock, pick=self._pick)
        self._stop, self._feed = stop, feed
        self._record(self.name, feed, stop, ring, clock)

        def record(name: str) -> None:
            self._record(name, feed, stop, ring, clock)
            _log.warning("the default output changed: listening to %s", name)

        threading.Thread(
            target=self._follow, args=(feed, stop, record), name="pulse-watch", daemon=True
        ).start()

    def _locate(self) -> None:
        """Find out which monitor it is, at the start. Raises DeviceError."""
        if self._wanted is None:
            self.name = ask_server(lambda pulse: str(default_monitor(pulse).name))

    def _record(
        self,
        name: str,
        feed: LiveFeed,
        stop: threading.Event,
        ring: SampleRing,
        clock: StreamClock,
    ) -> None:
        """Record this monitor from now on, in place of another."""
        reader = _Reader(self, name, feed, ring, clock)
        with self._lock:
            is_stopped = stop.is_set()
            if not is_stopped:
                if self._reader is not None:
                    feed.begin_anew()
                self._reader, self.name = reader, name
        if is_stopped:
            reader.recorder.close()
        else:
            reader.start()

    def _follow(self, feed: LiveFeed, stop: threading.Event, record: Callable[[str], None]) -> None:
        """Open another stream whenever the default sink has changed.

        PulseAudio then moves streams of the default, also one that named its source. In a moved
        stream it is unknown where samples are missing: notes came at the wrong time.
        """
        try:
            with connected() as pulse:
                known = ""
                changed = threading.Event()
                changed.set()  # it may have changed since the stream was opened
                pulse.event_mask_set("server", "sink")
                pulse.event_callback_set(lambda event: changed.set())
                while not stop.is_set():
                    if changed.is_set():
                        changed.clear()
                        default = default_monitor(pulse).name
                        wanted = self._wanted or default
                        if default != known and not self._is_at(pulse, wanted):
                            record(wanted)
                        known = default
                    pulse.event_listen(EVENT_TIMEOUT)
        except DeviceError as error:
            if not stop.is_set():
                feed.fail(f"{self.name}: {error}")

    def _is_at(self, pulse: Any, monitor: str) -> bool:
        """Return whether our stream was opened at this monitor, and is there still."""
        reader = self._reader
        if reader is None or self.name != monitor:
            return reader is None
        places = {o.name: o.source for o in pulse.source_output_list()}
        return bool(places.get(reader.stream_name) == find_source(pulse, monitor).index)

    def stop(self) -> None:
        """End recording; calling it again does nothing."""
        with self._lock:  # no more blocks come from here on
            self._stop.set()
            reader, self._reader = self._reader, None
        if reader is not None:
            join_thread(reader, JOIN_TIMEOUT)

    def is_alive(self) -> bool:
        """True while blocks come."""
        if self._feed is None or self._stop.is_set():
            return False
        return self._feed.is_alive(self.name)


class _Reader(threading.Thread):
    """Writes the blocks of one stream to a feed, until another replaces it. Raises DeviceError."""

    def __init__(
        self,
        source: PulseMonitor,
        monitor: str,
        feed: LiveFeed,
        ring: SampleRing,
        clock: StreamClock,
    ) -> None:
        super().__init__(name="pulse-read", daemon=True)
        self.stream_name = f"livecover {os.getpid()}-{next(_serial)}"
        self.recorder = PulseRecorder(
            monitor, self.stream_name, source.sample_rate, source.n_opened, source.block_size
        )
        self._source, self._monitor = source, monitor
        self._feed, self._ring, self._clock = feed, ring, clock

    def run(self) -> None:
        """Read until another reader replaces it, or the server ends."""
        source = self._source
        try:
            with connected() as pulse:
                estimator = MonitorLatencyEstimator(pulse)
                while self._push(self.recorder.read()):
                    n = self._ring.total_written
                    latency = estimator.measure(self._monitor, self._clock, n, source.sample_rate)
                    if latency is not None:
                        source.latency = latency
        except DeviceError as error:
            if source._reader is self:
                self._feed.fail(
                    f"{self._monitor}: the sound server or the output is gone ({error})"
                )
        finally:
            self.recorder.close()

    def _push(self, block: NDArray[np.float32]) -> bool:
        """Write a block; return False if another reader has replaced this one."""
        source = self._source
        with source._lock:
            if source._reader is not self:
                return False
            self._feed.push(block)
            return True
