"""An output of PulseAudio or PipeWire, by its own API.

Not here: the API (``engine.audio.loopback``), and every other output (``device``).
"""

import contextlib
import itertools
import os
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.loopback.pulse_server import connected
from engine.audio.loopback.pulse_simple import ANSWER_S, CLOSE_S, HANGS, PulsePlayer
from engine.core.errors import DeviceError
from engine.playback.outputs.output import BLOCK_S, BUFFER_S, DEFAULT, N_CHANNELS
from engine.system.bounded import call_with_timeout, remaining_timeout

Array = NDArray[np.float32]

_serial = itertools.count()


class PulseOutput:
    """A sink of PulseAudio or PipeWire.

    Latency is what the server says waits in the stream and in the sink; libpulse's own figure,
    which it interpolates, was milliseconds off.

    Parameters
    ----------
    device
        ``default``, a sink's name, or a part of its description.

    Raises DeviceError where there is no such sink, or no server.
    """

    def __init__(self, device: str = DEFAULT) -> None:
        self._busy = threading.Lock()  # held while the server is asked
        self._undo = contextlib.ExitStack()
        try:
            call_with_timeout(
                ANSWER_S, "the sound server", lambda: self._open(device), lambda _: self.close()
            )
        except TimeoutError as error:
            raise DeviceError(HANGS) from error

    def _open(self, device: str) -> None:
        with contextlib.ExitStack() as stack:
            self._pulse = stack.enter_context(connected())
            sink = _find_sink(self._pulse, device)
            self.name: str = sink.name
            self._sink: int = sink.index
            self._monitor: str = sink.monitor_source_name
            self.sample_rate = _rate(self._pulse, self._monitor)
            stream = f"livecover monitor {os.getpid()}-{next(_serial)}"
            self._player = PulsePlayer(
                self.name,
                stream,
                self.sample_rate,
                N_CHANNELS,
                round(BUFFER_S * self.sample_rate),
                round(BLOCK_S * self.sample_rate),
            )
            stack.callback(self._player.close)
            inputs = self._pulse.sink_input_list()
            self._index: int = next(one.index for one in inputs if one.name == stream)
            self._undo = stack.pop_all()

    def write(self, block: Array) -> None:  # noqa: D102
        self._player.write(block)

    def latency(self) -> float | None:  # noqa: D102
        try:
            with self._busy:
                info = self._pulse.sink_input_info(self._index)
        except Exception as error:  # pulsectl has several, and none in common
            raise DeviceError(f"{self.name} is gone ({type(error).__name__} {error})") from error
        if info.sink != self._sink:  # as PulseAudio does with what plays to a default that changes
            raise DeviceError(f"the server has moved the sound away from {self.name}")
        if not info.buffer_usec:
            # PipeWire leaves both at 0; there libpulse's own figure is what one has.
            return None if info.sink_usec else self._player.latency() or None
        return float(info.buffer_usec + info.sink_usec) / 1e6

    def is_heard_in(self, source: str) -> bool:  # noqa: D102
        return source == self._monitor

    def close(self) -> None:  # noqa: D102
        if not self._busy.acquire(timeout=remaining_timeout(CLOSE_S)):
            return  # in a server that hangs: abandoned
        try:
            with contextlib.suppress(DeviceError):  # a server that is gone
                self._undo.close()
        finally:
            self._busy.release()


def _find_sink(pulse: Any, device: str) -> Any:
    """Return the sink that ``device`` means. Raises DeviceError naming those there are."""
    sinks = pulse.sink_list()
    wanted = pulse.server_info().default_sink_name if device == DEFAULT else device
    exact = [sink for sink in sinks if wanted in (sink.name, sink.description)]
    part = [sink for sink in sinks if wanted.casefold() in sink.description.casefold()]
    for found in (exact, part):
        if len(found) == 1:
            return found[0]
    names = ", ".join(sink.name for sink in sinks) or "none"
    raise DeviceError(
        f"no output, or more than one, is called {device!r}; there are: {names}. Give one of these"
        " names after --monitor"
    )


def _rate(pulse: Any, monitor: str) -> int:
    """Return the rate of the sink whose monitor this is."""
    return next(int(s.sample_rate) for s in pulse.source_list() if s.name == monitor)
