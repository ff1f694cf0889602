"""A microphone or line input through PortAudio.

Not here: PortAudio itself (``engine.audio.devices.portaudio``).
"""

import difflib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.devices.channels import ChannelPick
from engine.audio.devices.portaudio import (
    close_stream,
    devices,
    matches,
    open_stream,
    portaudio,
    refresh_devices,
    started,
    with_new_devices,
)
from engine.audio.devices.source import InputInfo, LiveFeed, LiveSource
from engine.core.errors import DeviceError
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing
from engine.system.paths import did_you_mean

MIC = "mic"
# ALSA's plugins to a sound server: with the least latency they stalled under PulseAudio.
_PLUGIN_DEVICES = ("default", "pulse", "pipewire", "sysdefault")

_log = logging.getLogger(__name__)


def list_devices() -> list[InputInfo]:
    """Return PortAudio's inputs. Raises DeviceError where PortAudio is missing."""
    refresh_devices()
    inputs = devices(portaudio(), "input")
    return [
        InputInfo(
            index=device["index"],
            name=device["name"],
            n_channels=device["max_input_channels"],
            sample_rate=round(device["default_samplerate"]),
            is_loopback=False,
            what_to_type=_what_to_type(inputs, device),
        )
        for device in inputs
    ]


def _what_to_type(inputs: list[dict[str, Any]], device: dict[str, Any]) -> str:
    """Return the device's name if it finds the device again, else its index."""
    found = matches(inputs, device["name"])
    is_clear = len(found) == 1 and found[0]["index"] == device["index"]
    return str(device["name"]) if is_clear else str(device["index"])


def find_device(text: str) -> dict[str, Any]:
    """Return the input that ``text`` means: ``mic``, an index, a name or a part of one.

    Raises DeviceError if there is none, or more than one.
    """
    sd = portaudio()
    inputs = devices(sd, "input")
    look = "'livecover devices' lists what there is"
    if not inputs:
        what = "" if text == MIC or text.isdecimal() else f"no file is called {text!r}, and "
        raise DeviceError(f"{what}this machine has no audio input; connect one, then try again")
    if text == MIC:
        default = sd.default.device[0]
        found = [d for d in inputs if d["index"] == default]
        if not found:
            raise DeviceError(f"the system has no default input; name one ({look})")
        return found[0]
    if text.isdecimal():
        found = [d for d in inputs if d["index"] == int(text)]
        if not found:
            indices = ", ".join(str(d["index"]) for d in inputs)
            raise DeviceError(f"device {text} is not an input; inputs are {indices} ({look})")
        return found[0]
    found = matches(inputs, text)
    if len(found) > 1:
        names = "; ".join(f"{d['index']}: {d['name']}" for d in found)
        raise DeviceError(f"{text!r} means more than one input ({names}); give the index")
    if not found:
        names_all = [d["name"] for d in inputs]
        near = difflib.get_close_matches(text, names_all, n=3, cutoff=0.4)
        devices_near = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        hint = did_you_mean(Path(text)) or devices_near
        raise DeviceError(f"no file and no input is called {text!r}{hint} ({look})")
    return found[0]


class DeviceSource(LiveSource):
    """An input device as a source.

    Parameters
    ----------
    device
        ``mic`` (the default input), an index, a name or a part of one.
    block_size
        Samples in a block.
    sample_rate
        Hertz wished for; the device's own is taken where it is None or refused.
    channels
        Those that are heard, from 1; None is the first two.

    Raises
    ------
    DeviceError
        PortAudio is missing, ``device`` does not mean one input, or it has no such channel.
    """

    def __init__(
        self,
        device: str = MIC,
        block_size: int = 256,
        sample_rate: int | None = None,
        channels: Sequence[int] | None = None,
    ) -> None:
        info = with_new_devices(lambda: find_device(device))
        self._sd: Any = portaudio()
        self._device = device
        self.name: str = info["name"]
        self._pick = ChannelPick(channels, info["max_input_channels"], self.name)
        self.n_channels = self._pick.n_picked
        self.block_size = block_size
        self.sample_rate = self._negotiate(info, sample_rate)
        is_plugin = info["api"] == "ALSA" and self.name in _PLUGIN_DEVICES
        self._latency_wish = "high" if is_plugin else "low"
        self.latency: float = info[f"default_{self._latency_wish}_input_latency"]
        self._feed: LiveFeed | None = None
        self._stream: Any = None

    def _negotiate(self, info: dict[str, Any], wished: int | None) -> int:
        """Return ``wished`` if the device takes it, else its own sample rate."""
        own: int = round(info["default_samplerate"])
        if wished is None or wished == own:
            return own
        try:
            self._sd.check_input_settings(
                device=info["index"],
                channels=self._pick.n_opened,
                dtype="float32",
                samplerate=wished,
            )
        except (self._sd.PortAudioError, ValueError):
            _log.warning("%s does not take %d Hz; using its own %d Hz", self.name, wished, own)
            return own
        return wished

    def start(self, ring: SampleRing, clock: StreamClock) -> None:
        """Open the device, found anew by name where it was lost. Raises DeviceError."""
        self.stop()
        feed = LiveFeed(ring, clock, pick=self._pick)
        self._feed = feed
        self._stream = with_new_devices(lambda: self._open(feed))
        self.latency = self._stream.latency

    def _open(self, feed: LiveFeed) -> Any:
        """Return a started stream that feeds ``feed``."""

        def on_finished() -> None:
            if self._stream is not None:  # not our own stop
                feed.fail(f"{self.name}: the device was lost")

        def on_block(block: NDArray[np.float32], n: int, times: object, flags: Any) -> None:
            feed.push(block, bool(flags.input_overflow))

        def open_it() -> Any:
            stream = self._sd.InputStream(
                device=find_device(self._device)["index"],
                channels=self._pick.n_opened,
                samplerate=self.sample_rate,
                blocksize=self.block_size,
                dtype="float32",
                latency=self._latency_wish,
                callback=on_block,
                finished_callback=on_finished,
            )
            return started(stream)

        try:
            return open_stream(open_it)
        except (self._sd.PortAudioError, ValueError) as error:
            raise DeviceError(
                f"{self.name} cannot be opened ({error}); is another program using it?"
            ) from error

    def stop(self) -> None:
        """Close the device; calling it again does nothing."""
        stream, self._stream = self._stream, None
        if stream is not None:
            close_stream(stream)

    def is_alive(self) -> bool:
        """True while blocks come."""
        if self._feed is None or self._stream is None:
            return False
        if not self._stream.active:
            self._feed.fail(f"{self.name}: the device was lost")
        return self._feed.is_alive(self.name)
