"""What one program plays, as a source, through PulseAudio or PipeWire.

The program goes on playing where it does. All its streams are heard, mixed, as of a browser's tabs;
they come and go with its songs, and while there is none there is silence. Not here: which streams
are a program's (``engine.audio.loopback.players``).
"""

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.audio.devices.channels import ChannelPick
from engine.audio.devices.source import LiveFeed, LiveSource, ThreadedSource
from engine.audio.loopback.monitor_latency import MonitorLatencyEstimator
from engine.audio.loopback.players import PlayerChoice, players_of
from engine.audio.loopback.pulse_server import ask_server, connected, default_monitor
from engine.audio.programs.stream_mixer import StreamMixer
from engine.audio.programs.stream_recorder import ProgramStream, StreamRecorder
from engine.core.errors import DeviceError
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing

N_CHANNELS = 2
EVENT_TIMEOUT = 0.25  # seconds; how soon the watch sees a stop
READ_TIMEOUT = 0.05
SILENT_AFTER = 0.15
"""Seconds without a sample after which silence takes its place."""

Playing = dict[ProgramStream, bool]
"""A program's streams, the oldest first, and whether each plays rather than pauses."""

_log = logging.getLogger(__name__)


class ProgramSource(LiveSource, ThreadedSource):
    """What a program plays.

    Parameters
    ----------
    program
        Its name or a part of it, as mixers show it, or its file's. It need not play yet.
    block_size
        Samples in a block.
    sample_rate
        Hertz; None is the default output's.
    channels
        Those that are heard, from 1; None is both.

    Raises
    ------
    DeviceError
        libpulse is missing, no server answers, or there is no such channel.
    """

    def __init__(
        self,
        program: str,
        block_size: int = 256,
        sample_rate: int | None = None,
        channels: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.name = program
        own = ask_server(lambda pulse: int(default_monitor(pulse).sample_rate))
        self.sample_rate = sample_rate or own
        self._pick = ChannelPick(channels, N_CHANNELS, program)
        self.n_channels = self._pick.n_picked
        self.block_size = block_size
        self.latency = 0.0  # as PulseMonitor's
        self._playing: Playing = {}  # what to record; the watch replaces it

    def start(self, ring: SampleRing, clock: StreamClock) -> None:
        """Begin to record, on threads of its own. Raises DeviceError."""
        self.stop()
        playing = ask_server(lambda pulse: players_of(pulse.sink_input_list()))
        self._playing = ask_server(self._find)
        if not self._playing:
            _log.warning(
                "%s plays nothing yet; it is waited for (%s)",
                self.name,
                f"now {', '.join(p.name for p in playing)}" if playing else "nothing plays now",
            )
        stop, feed = threading.Event(), LiveFeed(ring, clock, pick=self._pick)
        self._stop, self._feed = stop, feed
        self._thread = threading.Thread(
            target=self._record, args=(feed, stop, ring, clock), name="program-read", daemon=True
        )
        self._thread.start()
        threading.Thread(
            target=self._watch, args=(feed, stop), name="program-watch", daemon=True
        ).start()

    def is_alive(self) -> bool:
        """True while blocks come."""
        if self._feed is None or self._stop.is_set():
            return False
        return self._feed.is_alive(self.name)

    def _find(self, pulse: Any) -> Playing:
        """Return the program's streams."""
        streams = PlayerChoice(self.name).choose(pulse.sink_input_list())
        monitors = {sink.index: str(sink.monitor_source_name) for sink in pulse.sink_list()}
        return {
            ProgramStream(int(stream.index), monitors[stream.sink]): not stream.corked
            for stream in sorted(streams, key=lambda stream: int(stream.index))
            if stream.sink in monitors
        }

    def _watch(self, feed: LiveFeed, stop: threading.Event) -> None:
        """Look for the program's streams whenever streams come, go or are moved."""
        try:
            with connected() as pulse:
                changed = threading.Event()
                changed.set()
                pulse.event_mask_set("sink_input")
                pulse.event_callback_set(lambda event: changed.set())
                while not stop.is_set():
                    if changed.is_set():
                        changed.clear()
                        self._playing = self._find(pulse)
                    pulse.event_listen(EVENT_TIMEOUT)
        except DeviceError as error:
            if not stop.is_set():
                feed.fail(f"{self.name}: {error}")

    def _record(
        self, feed: LiveFeed, stop: threading.Event, ring: SampleRing, clock: StreamClock
    ) -> None:
        """Write what the program plays, and silence where it plays nothing."""
        filler = _Silence(feed, clock, self.sample_rate)
        mixer = StreamMixer(self.sample_rate, N_CHANNELS)
        try:
            with (
                connected() as pulse,
                contextlib.closing(
                    StreamRecorder(self.sample_rate, N_CHANNELS, self.block_size)
                ) as recorder,
            ):
                estimator = MonitorLatencyEstimator(pulse)
                while not stop.is_set():
                    playing = self._playing
                    recorder.choose(playing)
                    mixer.keep({stream for stream, plays in playing.items() if plays})
                    for stream, block in recorder.read(READ_TIMEOUT):
                        if playing[stream]:
                            mixer.push(stream, block, time.perf_counter())
                    mix = mixer.take(time.perf_counter())
                    if stop.is_set():
                        return
                    filler.push(mix)
                    if mix is None or not playing:
                        continue
                    latency = estimator.measure(
                        next(iter(playing)).monitor, clock, ring.total_written, self.sample_rate
                    )
                    self.latency = self.latency if latency is None else latency
        except DeviceError as error:
            if not stop.is_set():
                feed.fail(f"{self.name}: {error}")


class _Silence:
    """Hands blocks on, and silence for the time in which none come."""

    def __init__(self, feed: LiveFeed, clock: StreamClock, sample_rate: int) -> None:
        self._feed, self._clock, self._rate = feed, clock, sample_rate
        self._until = time.perf_counter()
        """Up to when there are samples."""
        self._is_silent = False

    def push(self, block: "np.ndarray[Any, np.dtype[np.float32]] | None") -> None:
        """Take what came, or None."""
        now = time.perf_counter()
        if block is not None:
            if self._is_silent:
                self._clock.reset()  # its samples count from another moment
            self._is_silent, self._until = False, now
            self._feed.push(block)
        elif self._is_silent or now - self._until > SILENT_AFTER:
            if not self._is_silent:
                self._clock.reset()
            self._is_silent = True
            n_samples = round((now - self._until) * self._rate)
            self._until += n_samples / self._rate
            self._feed.push(np.zeros((n_samples, N_CHANNELS), np.float32))
