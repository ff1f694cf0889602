"""An output of PortAudio.

Not here: PortAudio itself (``engine.audio.devices.portaudio``), and sinks of PulseAudio
(``pulse``).
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

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
from engine.audio.loopback.pulse_simple import CLOSE_S
from engine.core.errors import DeviceError
from engine.playback.outputs.output import BUFFER_S, DEFAULT, N_CHANNELS
from engine.system.bounded import remaining_timeout

Array = NDArray[np.float32]


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
        info = with_new_devices(lambda: find_output(self._sd, device))
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


def find_output(sd: Any, text: str) -> dict[str, Any]:
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
