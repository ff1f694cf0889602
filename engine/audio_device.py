"""A microphone or line input through PortAudio (sounddevice).

``portaudio()`` is the only place that imports sounddevice; the rest takes what it returns.
"""

import contextlib
import difflib
import logging
import sys
import threading
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio_source import MAX_LIVE_CHANNELS, InputInfo, LiveFeed
from engine.clock import StreamClock
from engine.errors import DeviceError
from engine.rings import SampleRing

MIC = "mic"
_PREFERRED_APIS = ("Windows WASAPI", "Core Audio", "JACK Audio Connection Kit", "ALSA")
# ALSA's plugins to a sound server: with the least latency they stalled under PulseAudio.
_PLUGIN_DEVICES = ("default", "pulse", "pipewire", "sysdefault")
_INSTALL = {
    "linux": "install it with 'sudo apt install libportaudio2' (Debian, Ubuntu), 'sudo dnf install"
    " portaudio' (Fedora) or 'sudo pacman -S portaudio' (Arch)",
    "darwin": "install it with 'brew install portaudio'",
    "win32": "install the package again with 'pip install --force-reinstall sounddevice'",
}

_log = logging.getLogger(__name__)
_open_streams = 0  # while one is open, PortAudio must not be started again
_lock = threading.Lock()


def portaudio() -> ModuleType:
    """Return sounddevice. Raises DeviceError where the PortAudio library is missing."""
    try:
        import sounddevice
    except OSError as error:
        how = _INSTALL.get(sys.platform, "install PortAudio")
        raise DeviceError(f"audio input needs PortAudio, which was not found; {how}") from error
    module: ModuleType = sounddevice
    return module


def refresh_devices() -> None:
    """Make PortAudio look for devices again; it lists them only when it starts.

    Nothing happens while one of our streams is open. sounddevice documents no other way
    (``_terminate`` and ``_initialize``; its issue 6).
    """
    sd = portaudio()
    with _lock:
        if _open_streams == 0:
            sd._terminate()
            sd._initialize()


def count_streams(change: int) -> None:
    """Add to the number of open streams, which keep PortAudio from being started again."""
    global _open_streams
    with _lock:
        _open_streams += change


def list_devices() -> list[InputInfo]:
    """Return PortAudio's inputs. Raises DeviceError where PortAudio is missing."""
    refresh_devices()
    inputs = _inputs(portaudio())
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


def _inputs(sd: Any) -> list[dict[str, Any]]:
    """Return PortAudio's devices that have inputs, each with its host API's name as ``api``."""
    apis = [api["name"] for api in sd.query_hostapis()]
    return [
        {**device, "index": index, "api": apis[device["hostapi"]]}
        for index, device in enumerate(sd.query_devices())
        if device["max_input_channels"] > 0
    ]


def _what_to_type(inputs: list[dict[str, Any]], device: dict[str, Any]) -> str:
    """Return the device's name if it finds the device again, else its index."""
    found = matches(inputs, device["name"])
    is_clear = len(found) == 1 and found[0]["index"] == device["index"]
    return str(device["name"]) if is_clear else str(device["index"])


def matches(devices: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Return the devices that ``text`` means: by full name, else by a part of it.

    Windows lists a device once for each host API; the best of them stands for all.
    """
    wanted = text.casefold()
    found = [d for d in devices if d["name"].casefold() == wanted]
    found = found or [d for d in devices if wanted in d["name"].casefold()]
    for api in _PREFERRED_APIS:
        preferred = [d for d in found if d["api"] == api]
        if preferred:
            return preferred
    return found


def find_device(text: str) -> dict[str, Any]:
    """Return the input that ``text`` means: ``mic``, an index, a name or a part of one.

    Raises DeviceError if there is none, or more than one.
    """
    sd = portaudio()
    inputs = _inputs(sd)
    look = "'livecover devices' lists what there is"
    if not inputs:
        raise DeviceError(f"this machine has no audio input; connect one, then try {text!r} again")
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
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise DeviceError(f"no file and no input is called {text!r}{hint} ({look})")
    return found[0]


class DeviceSource:
    """An input device as a source.

    Parameters
    ----------
    device
        ``mic`` (the default input), an index, a name or a part of one.
    block_size
        Samples in a block.
    sample_rate
        Hertz wished for; the device's own is taken where it is None or refused.

    Raises
    ------
    DeviceError
        PortAudio is missing, or ``device`` does not mean one input.
    """

    is_realtime = True
    is_finished = False

    def __init__(
        self, device: str = MIC, block_size: int = 256, sample_rate: int | None = None
    ) -> None:
        refresh_devices()
        info = find_device(device)
        self._sd: Any = portaudio()
        self._device = device
        self._index: int = info["index"]
        self.name: str = info["name"]
        self.n_channels: int = min(info["max_input_channels"], MAX_LIVE_CHANNELS)
        self.block_size = block_size
        self.sample_rate = self._negotiate(sample_rate, round(info["default_samplerate"]))
        is_plugin = info["api"] == "ALSA" and self.name in _PLUGIN_DEVICES
        self._latency_wish = "high" if is_plugin else "low"
        self.latency: float = info[f"default_{self._latency_wish}_input_latency"]
        self._feed: LiveFeed | None = None
        self._stream: Any = None

    def _negotiate(self, wished: int | None, own: int) -> int:
        """Return ``wished`` if the device takes it, else its own sample rate."""
        if wished is None or wished == own:
            return own
        try:
            self._sd.check_input_settings(
                device=self._index, channels=self.n_channels, dtype="float32", samplerate=wished
            )
        except (self._sd.PortAudioError, ValueError):
            _log.warning("%s does not take %d Hz; using its own %d Hz", self.name, wished, own)
            return own
        return wished

    @property
    def error(self) -> str | None:
        """Why the device is not alive."""
        return self._feed.error if self._feed else None

    @property
    def n_overflows(self) -> int:
        """Blocks before which the device lost samples."""
        return self._feed.n_overflows if self._feed else 0

    @property
    def n_bad_samples(self) -> int:
        """Samples that were not finite and became 0."""
        return self._feed.n_bad_samples if self._feed else 0

    def start(self, ring: SampleRing, clock: StreamClock) -> None:
        """Open the device, found anew by name where it was lost. Raises DeviceError."""
        self.stop()
        refresh_devices()
        feed = LiveFeed(ring, clock)

        def on_finished() -> None:
            if self._stream is not None:  # not our own stop
                feed.fail(f"{self.name}: the device was lost")

        def on_block(block: NDArray[np.float32], n: int, times: object, flags: Any) -> None:
            feed.push(block, bool(flags.input_overflow))

        try:
            with contextlib.ExitStack() as undo:
                count_streams(1)  # before it opens: nobody may start PortAudio again meanwhile
                undo.callback(count_streams, -1)
                self._index = find_device(self._device)["index"]
                stream = self._sd.InputStream(
                    device=self._index,
                    channels=self.n_channels,
                    samplerate=self.sample_rate,
                    blocksize=self.block_size,
                    dtype="float32",
                    latency=self._latency_wish,
                    callback=on_block,
                    finished_callback=on_finished,
                )
                undo.pop_all()
            self._feed, self._stream = feed, stream
            stream.start()
        except (self._sd.PortAudioError, ValueError) as error:
            self.stop()
            raise DeviceError(
                f"{self.name} cannot be opened ({error}); is another program using it?"
            ) from error
        self.latency = stream.latency

    def stop(self) -> None:
        """Close the device; calling it again does nothing."""
        if self._stream is None:
            return
        stream, self._stream = self._stream, None
        try:
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)
        finally:
            count_streams(-1)

    def is_alive(self) -> bool:
        """True while blocks come."""
        if self._feed is None or self._stream is None:
            return False
        if not self._stream.active:
            self._feed.fail(f"{self.name}: the device was lost")
        return self._feed.is_alive(self.name)
