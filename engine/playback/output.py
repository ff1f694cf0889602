"""Outputs for sound: PulseAudio by its own API, everything else through PortAudio.

Samples are (n, 2) float32. An output is written to by one thread, which waits there for room. Not
here: what is played (``engine.playback.playback_thread``).
"""

import contextlib
import itertools
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio.devices.portaudio import (
    close_stream,
    devices,
    matches,
    open_stream,
    portaudio,
    started,
    with_new_devices,
)
from engine.audio.loopback.macos import VIRTUAL_DEVICES
from engine.audio.loopback.pulse_server import connected
from engine.audio.loopback.pulse_simple import ANSWER_S, CLOSE_S, HANGS, PulsePlayer
from engine.audio.loopback.together import is_virtual
from engine.core.errors import DeviceError
from engine.system.bounded import call_with_timeout, remaining_timeout

Array = NDArray[np.float32]

DEFAULT = "default"
N_CHANNELS = 2
BLOCK_S = 0.005
"""Seconds written at once."""
BUFFER_S = 0.03
"""Seconds that the output keeps, so that a late block is not heard as a gap."""

_serial = itertools.count()


class Output(Protocol):
    """An open output; one thread writes and asks, any may close it."""

    name: str
    sample_rate: int

    def write(self, block: Array) -> None:
        """Hand over a block (n, 2); waits for room. DeviceError once the device is gone."""

    def latency(self) -> float | None:
        """Return the seconds until a sample written now is heard.

        Too little where what was written is still on its way, None where nothing waits: what was
        written came too late. DeviceError as above.
        """

    def is_heard_in(self, source: str) -> bool:
        """Return whether the input called ``source`` is what this output plays."""

    def close(self) -> None:
        """Close it; a second call does nothing."""


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


class DeviceOutput:
    """A device of PortAudio, written to without a callback.

    How late it is, PortAudio reports; a driver that is wrong about it (Bluetooth often is) is
    heard late by as much.

    Parameters
    ----------
    device
        ``default``, an index, a name or a part of one.

    Raises DeviceError where PortAudio is missing, or the device is or cannot be opened.
    """

    def __init__(self, device: str = DEFAULT) -> None:
        self._sd: Any = portaudio()
        self._busy = threading.Lock()  # held during a call: to close under one would crash
        self._stream: Any = None
        info = with_new_devices(lambda: _find_output(self._sd, device))
        self.name: str = info["name"]
        self.sample_rate = round(info["default_samplerate"])
        try:
            self._stream = open_stream(lambda: started(self._make(info)), self)
        except (self._sd.PortAudioError, ValueError) as error:
            raise DeviceError(
                f"{self.name} cannot be opened ({error}); is another program using it?"
            ) from error

    def _make(self, info: dict[str, Any]) -> Any:
        return self._sd.OutputStream(
            device=info["index"],
            channels=N_CHANNELS,
            samplerate=self.sample_rate,
            dtype="float32",
            latency=max(BUFFER_S, info["default_low_output_latency"]),
        )

    def write(self, block: Array) -> None:  # noqa: D102
        with self._in_use() as stream:
            stream.write(np.ascontiguousarray(block, np.float32))

    def latency(self) -> float | None:  # noqa: D102
        with self._in_use() as stream:
            # What PortAudio reports is for a full buffer; a part of it may be empty.
            empty: float = stream.write_available / self.sample_rate
            return float(stream.latency) - empty

    def is_heard_in(self, source: str) -> bool:  # noqa: D102
        name = self.name.casefold()
        is_virtual = any(known.casefold() in name for known in VIRTUAL_DEVICES)
        return source == f"Loopback of {self.name}" or (is_virtual and source == self.name)

    def close(self) -> None:  # noqa: D102
        if not self._busy.acquire(timeout=remaining_timeout(CLOSE_S)):
            return  # in a driver that hangs: abandoned, and still open
        try:
            stream, self._stream = self._stream, None
            if stream is not None:
                close_stream(stream, self)
        finally:
            self._busy.release()

    interrupt = close

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[Any]:
        """Give the stream, open within the block. Raises DeviceError once it is not, or is gone."""
        with self._busy:
            if self._stream is None:
                raise DeviceError(f"{self.name} is closed while PortAudio looks for devices")
            try:
                yield self._stream
            except self._sd.PortAudioError as error:
                raise DeviceError(f"{self.name} is gone ({error})") from error


def _find_output(sd: Any, text: str) -> dict[str, Any]:
    """Return PortAudio's output that ``text`` means. Raises DeviceError naming those there are."""
    outputs = devices(sd, "output", N_CHANNELS)
    index = sd.default.device[1] if text == DEFAULT else text
    found = [device for device in outputs if str(device["index"]) == str(index)]
    found = found or matches(outputs, text)
    if len(found) != 1:
        names = "; ".join(f"{d['index']}: {d['name']}" for d in outputs) or "none"
        raise DeviceError(
            f"no output, or more than one, is called {text!r}; there are: {names}. Give one of"
            " these names or numbers after --monitor"
        )
    return found[0]


def audible_output(platform: str = sys.platform) -> str:
    """Return the default output, or another where nobody hears that: as ``open_output`` takes it.

    On Linux it is the default, which stays one that is heard. Raises DeviceError as
    ``DeviceOutput``.
    """
    if platform == "linux":
        return DEFAULT
    sd = portaudio()
    if not is_virtual(str(_find_output(sd, DEFAULT)["name"])):
        return DEFAULT
    for device in devices(sd, "output", N_CHANNELS):
        if not is_virtual(device["name"]):
            return str(device["name"])
    raise DeviceError("there is no output but virtual ones: connect speakers or headphones")


def open_output(device: str, platform: str = sys.platform) -> Output:
    """Return the output that ``device`` means: ``default``, a name or an index.

    Raises
    ------
    DeviceError
        There is none such, or it cannot be opened.
    """
    if platform != "linux" or device.isdecimal():
        return DeviceOutput(device)
    return PulseOutput(device)


@dataclass(frozen=True, slots=True)
class OutputInfo:
    """An output as ``livecover devices`` and the panel list it."""

    name: str
    """As ``open_output`` takes it."""
    text: str
    """As its system calls it."""


def list_outputs(platform: str = sys.platform) -> list[OutputInfo]:
    """Return the outputs that ``open_output`` opens by name. Raises DeviceError."""
    if platform != "linux":
        sd = portaudio()
        outputs = with_new_devices(lambda: devices(sd, "output", N_CHANNELS))
        return [OutputInfo(name, name) for name in dict.fromkeys(d["name"] for d in outputs)]
    try:
        return call_with_timeout(ANSWER_S, "the sound server", _list_sinks)
    except TimeoutError as error:
        raise DeviceError(HANGS) from error


def _list_sinks() -> list[OutputInfo]:
    with connected() as pulse:
        return [OutputInfo(sink.name, sink.description) for sink in pulse.sink_list()]
