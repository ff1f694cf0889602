"""PortAudio devices, against a stand-in for sounddevice that keeps to its documented interface."""

import builtins
import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.audio.devices import portaudio
from engine.audio.devices.device import DeviceSource, find_device, list_devices
from engine.audio.devices.portaudio import ask_portaudio
from engine.audio.devices.source import LOST_AFTER, START_GRACE, LiveFeed
from engine.audio.loopback.macos import HOW_TO, VirtualDevice, list_virtual_devices
from engine.core.errors import DeviceError
from engine.playback.outputs.device import DeviceOutput
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing
from engine.system.bounded import list_hung_calls
from tests.messages import refused


class PortAudioError(Exception):
    pass


class FakeStream:
    """A stream of a device that is there; one that has gone since PortAudio looked is refused."""

    write_available = 0

    def __init__(self, sd: "FakeSoundDevice", **arguments: Any) -> None:
        if sd.open_error:
            raise PortAudioError(sd.open_error)
        if sd.known[arguments["device"]] not in sd.listed:
            raise PortAudioError("Invalid device")
        self.arguments = arguments
        self.active = False
        self.latency = 0.0123
        self.is_closed = False
        sd.streams.append(self)

    def start(self) -> None:
        self.active = True

    def abort(self, ignore_errors: bool = True) -> None:
        self.active = False
        self.arguments.get("finished_callback", lambda: None)()

    def write(self, block: np.ndarray) -> None:
        assert not self.is_closed, "a write to a closed stream crashes"

    def close(self, ignore_errors: bool = True) -> None:
        self.is_closed = True

    def give(self, block: np.ndarray, input_overflow: bool = False) -> None:
        flags = SimpleNamespace(input_overflow=input_overflow)
        self.arguments["callback"](block, len(block), None, flags)


class FakeSoundDevice(ModuleType):
    """Devices are known as they were ``listed`` when it started; it ends under no open stream."""

    PortAudioError = PortAudioError

    def __init__(self, devices: list[tuple[str, str, int, float]]) -> None:
        super().__init__("sounddevice")
        self.listed = devices
        self.known = list(devices)
        self.apis = list(dict.fromkeys(api for _, api, _, _ in devices))
        self.default = SimpleNamespace(device=[0, 1])
        self.streams: list[FakeStream] = []
        self.n_initialized = 0
        self.open_error = ""
        self.refused_rates = {96000}

    def query_hostapis(self) -> tuple[dict[str, Any], ...]:
        return tuple({"name": api} for api in self.apis)

    def query_devices(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "index": index,
                "hostapi": self.apis.index(api),
                "max_input_channels": channels,
                "max_output_channels": 2 if name == "HDMI" else 0,
                "default_low_output_latency": 0.01,
                "default_samplerate": rate,
                "default_low_input_latency": 0.01,
                "default_high_input_latency": 0.04,
            }
            for index, (name, api, channels, rate) in enumerate(self.known)
        ]

    def check_input_settings(self, samplerate: float, **other: Any) -> None:
        if samplerate in self.refused_rates:
            raise PortAudioError("Invalid sample rate")

    def InputStream(self, **arguments: Any) -> FakeStream:  # noqa: N802
        return FakeStream(self, **arguments)

    OutputStream = InputStream

    def _terminate(self) -> None:
        assert all(stream.is_closed for stream in self.streams), "a stream is still open"
        self.n_initialized -= 1

    def _initialize(self) -> None:
        self.known = list(self.listed)
        self.n_initialized += 1


ALSA = [
    ("USB Microphone", "ALSA", 1, 48000.0),
    ("HDMI", "ALSA", 0, 44100.0),
    ("USB Mixer", "ALSA", 4, 44100.0),
    ("pulse", "ALSA", 32, 44100.0),
]


@pytest.fixture
def sd(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    fake = FakeSoundDevice(list(ALSA))
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr(portaudio, "_streams", portaudio._Streams())
    return fake


@pytest.mark.parametrize(
    ("text", "index"),
    [("mic", 0), ("2", 2), ("USB Mixer", 2), ("usb mixer", 2), ("mixer", 2), ("pulse", 3)],
)
def test_a_device_is_found(sd: FakeSoundDevice, text: str, index: int) -> None:
    assert find_device(text)["index"] == index


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("usb", ("0: USB Microphone", "2: USB Mixer", "index")),
        ("USB Microfon", ("'USB Microfon'", "did you mean", "'USB Microphone'")),
        ("zzz", ("'zzz'", "livecover devices")),
        ("1", ("1", "0, 2, 3", "livecover devices")),
    ],
)
def test_a_device_is_not_found(sd: FakeSoundDevice, text: str, message: tuple[str, ...]) -> None:
    with refused(DeviceError, *message):
        find_device(text)


def test_no_default_input(sd: FakeSoundDevice) -> None:
    sd.default.device[0] = -1
    with refused(DeviceError, "no default input", "name"):
        find_device("mic")


def test_no_input_at_all(sd: FakeSoundDevice) -> None:
    sd.listed = sd.known = [("HDMI", "ALSA", 0, 44100.0)]
    with refused(DeviceError, "no audio input"):
        find_device("mic")


def test_of_several_host_apis_the_best_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeSoundDevice(
        [("Line In", "MME", 2, 44100.0), ("Line In", "Windows WASAPI", 2, 48000.0)]
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    assert find_device("line in")["index"] == 1
    assert [info.what_to_type for info in list_devices()] == ["0", "Line In"]


@pytest.mark.parametrize(
    ("platform", "words"), [("linux", "libportaudio2"), ("darwin", "brew"), ("win32", "pip")]
)
def test_missing_portaudio(monkeypatch: pytest.MonkeyPatch, platform: str, words: str) -> None:
    real_import = builtins.__import__

    def no_portaudio(name: str, *arguments: Any, **named: Any) -> ModuleType:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        module: ModuleType = real_import(name, *arguments, **named)
        return module

    monkeypatch.setattr(builtins, "__import__", no_portaudio)
    monkeypatch.setattr(sys, "platform", platform)
    with refused(DeviceError, "needs PortAudio") as caught:
        DeviceSource("mic")
    assert words in str(caught.value)


@pytest.mark.parametrize(("wished", "got"), [(None, 48000), (16000, 16000), (96000, 48000)])
def test_sample_rate_is_negotiated(sd: FakeSoundDevice, wished: int | None, got: int) -> None:
    assert DeviceSource("mic", 256, wished).sample_rate == got


def test_channels_of_an_interface_are_chosen(sd: FakeSoundDevice) -> None:
    source = DeviceSource("mixer", 64, channels=(4, 3))
    assert source.n_channels == 2
    ring = SampleRing(1000, 2)
    source.start(ring, StreamClock(44100))
    assert sd.streams[0].arguments["channels"] == 4
    sd.streams[0].give(np.tile(np.array([0.1, 0.2, 0.3, 0.4], np.float32), (64, 1)))
    np.testing.assert_allclose(ring.read(1000), np.tile([0.4, 0.3], (64, 1)), atol=1e-6)
    source.stop()
    with pytest.raises(DeviceError, match="USB Mixer has 4 channels"):
        DeviceSource("mixer", channels=(5,))


def test_blocks_arrive_and_stop_ends_them(sd: FakeSoundDevice) -> None:
    source = DeviceSource("mixer", 64)
    assert (source.n_channels, source.latency, source.is_alive()) == (2, 0.01, False)
    ring = SampleRing(1000, 2)
    source.start(ring, StreamClock(44100))
    stream = sd.streams[0]
    assert stream.arguments["blocksize"] == 64 and stream.arguments["latency"] == "low"
    assert source.latency == 0.0123
    block = np.full((64, 2), 0.25, np.float32)
    stream.give(block)
    block[:] = 0  # PortAudio uses its buffer again
    assert np.all(ring.read(1000) == 0.25)
    stream.give(block, input_overflow=True)
    assert source.n_overflows == 1 and source.is_alive() and source.error is None
    source.stop()
    source.stop()
    assert stream.is_closed and not source.is_alive() and source.error is None


def test_a_plugin_to_a_sound_server_gets_a_larger_buffer(sd: FakeSoundDevice) -> None:
    source = DeviceSource("pulse")
    source.start(SampleRing(1000, 2), StreamClock(44100))
    assert sd.streams[0].arguments["latency"] == "high"
    source.stop()


def test_a_finished_stream_is_lost(sd: FakeSoundDevice) -> None:
    source = DeviceSource("mic")
    source.start(SampleRing(1000, 1), StreamClock(48000))
    sd.streams[0].arguments["finished_callback"]()
    assert not source.is_alive() and source.error == "USB Microphone: the device was lost"
    source.stop()


def test_an_inactive_stream_is_lost(sd: FakeSoundDevice) -> None:
    source = DeviceSource("mic")
    source.start(SampleRing(1000, 1), StreamClock(48000))
    sd.streams[0].active = False
    assert not source.is_alive() and source.error == "USB Microphone: the device was lost"
    source.stop()


def test_a_device_that_returns_elsewhere_is_found_again(sd: FakeSoundDevice) -> None:
    source = DeviceSource("USB Mixer")
    source.start(SampleRing(1000, 2), StreamClock(44100))
    source.stop()
    sd.listed = [("New", "ALSA", 1, 48000.0), *ALSA]
    source.start(SampleRing(1000, 2), StreamClock(44100))
    assert sd.streams[-1].arguments["device"] == 3 and source.is_alive()
    source.stop()


def test_portaudio_is_not_restarted_under_an_open_stream(sd: FakeSoundDevice) -> None:
    started: list[int] = []
    sd._initialize = lambda: started.append(1)  # type: ignore[method-assign]
    source = DeviceSource("mic")
    source.start(SampleRing(1000, 1), StreamClock(48000))
    n = len(started)
    assert n == 2
    list_devices()
    assert len(started) == n
    source.stop()
    list_devices()
    assert len(started) == n + 1


def test_a_device_that_cannot_be_opened(sd: FakeSoundDevice) -> None:
    source = DeviceSource("mic")
    sd.open_error = "Device unavailable"
    with pytest.raises(DeviceError) as caught:
        source.start(SampleRing(1000, 1), StreamClock(48000))
    expected = "USB Microphone cannot be opened (Device unavailable); is another program using it?"
    assert str(caught.value) == expected
    assert portaudio._streams.n_open == 0


def test_a_lost_input_returns_while_an_output_is_open(sd: FakeSoundDevice) -> None:
    output = DeviceOutput("HDMI")
    source = DeviceSource("USB Mixer")
    source.start(SampleRing(1000, 2), StreamClock(44100))
    sd.listed = [device for device in ALSA if device[0] != "USB Mixer"]
    sd.streams[-1].active = False
    assert not source.is_alive()
    source.stop()
    for _ in range(2):  # it is away: PortAudio knows it still, then no more
        with pytest.raises(DeviceError):
            DeviceSource("USB Mixer").start(SampleRing(1000, 2), StreamClock(44100))
        with refused(DeviceError, "HDMI", "closed"):
            output.write(np.zeros((8, 2), np.float32))
        output.close()
        output = DeviceOutput("HDMI")  # as its speaker opens it again
    sd.listed = [("New", "ALSA", 1, 48000.0), *ALSA]
    again = DeviceSource("USB Mixer")
    again.start(SampleRing(1000, 2), StreamClock(44100))
    assert again.is_alive() and sd.known == sd.listed
    output = DeviceOutput("HDMI")
    output.write(np.zeros((8, 2), np.float32))
    assert output.latency() == 0.0123
    for end in (again.stop, output.close):
        end()
    assert portaudio._streams.n_open == 0 and not portaudio._streams.outputs


def test_a_new_device_interrupts_no_input(sd: FakeSoundDevice) -> None:
    source, output = DeviceSource("USB Mixer"), DeviceOutput("HDMI")
    source.start(SampleRing(1000, 2), StreamClock(44100))
    sd.listed = [("New", "ALSA", 1, 48000.0), *ALSA]
    with refused(DeviceError, "'New'"):
        DeviceSource("New")
    output.write(np.zeros((8, 2), np.float32))
    assert source.is_alive()
    source.stop()
    assert DeviceSource("New").name == "New"
    output.close()


def test_an_output_in_a_driver_that_hangs_is_left_as_it_is(sd: FakeSoundDevice) -> None:
    output = DeviceOutput("HDMI")
    sd.listed = [("New", "ALSA", 1, 48000.0), *ALSA]
    with output._busy:  # a write that does not return
        with refused(DeviceError, "'New'"):
            DeviceSource("New")
        output.close()
    output.write(np.zeros((8, 2), np.float32))
    output.close()


def test_a_call_that_hangs_is_left_behind_and_no_other_begun(
    sd: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portaudio, "NAME", "PortAudio that hangs")
    may_answer = threading.Event()
    with refused(DeviceError, "PortAudio", "not answer", "server"):
        ask_portaudio(lambda: may_answer.wait(20.0), 0.0)
    assert "PortAudio that hangs" in list_hung_calls()
    with refused(DeviceError, "PortAudio", "not answer"):
        list_devices()
    may_answer.set()


def feed_at(moments: list[float]) -> LiveFeed:
    return LiveFeed(SampleRing(1000, 1), StreamClock(48000), lambda: moments[0])


def test_no_block_for_long_is_a_loss() -> None:
    now = [10.0]
    feed = feed_at(now)
    now[0] += START_GRACE
    assert feed.is_alive("Mic")  # it may still be starting
    feed.push(np.zeros((10, 1), np.float32))
    now[0] += LOST_AFTER
    assert feed.is_alive("Mic")
    now[0] += 0.01
    assert not feed.is_alive("Mic")
    assert feed.error == "Mic: no audio came for more than 1 s; is it still there?"


def test_not_finite_live_samples_become_zero_and_are_counted() -> None:
    ring = SampleRing(1000, 2)
    feed = LiveFeed(ring, StreamClock(48000))
    block = np.array([[0.5, np.nan], [np.inf, -np.inf], [0.25, 0.125]], np.float32)
    feed.push(block)
    np.testing.assert_array_equal(ring.read(10), [[0.5, 0], [0, 0], [0.25, 0.125]])
    assert feed.n_bad_samples == 3


@pytest.mark.parametrize(
    ("n", "has_overflowed", "n_resets"), [(8, False, 0), (8, True, 1), (20, False, 1)]
)
def test_the_clock_starts_anew_where_samples_are_missing(
    n: int, has_overflowed: bool, n_resets: int
) -> None:
    resets: list[int] = []

    class CountingClock(StreamClock):
        def reset(self) -> None:
            resets.append(1)
            super().reset()

    clock = CountingClock(48000)
    feed = LiveFeed(SampleRing(16, 1), clock)
    resets.clear()
    feed.push(np.zeros((n, 1), np.float32), has_overflowed)
    assert len(resets) == n_resets


def test_macos_takes_the_virtual_device(sd: FakeSoundDevice) -> None:
    sd.listed = [("MacBook Microphone", "Core Audio", 1, 48000.0)]
    sd.apis = ["Core Audio"]
    with pytest.raises(DeviceError) as caught:
        VirtualDevice()
    assert str(caught.value) == HOW_TO
    sd.listed += [
        ("BlackHole 2ch", "Core Audio", 2, 48000.0),
        ("Soundflower", "Core Audio", 2, 44100.0),
    ]
    source = VirtualDevice(128)
    assert (source.name, source.n_channels, source.sample_rate) == ("BlackHole 2ch", 2, 48000)
    listed = [(info.name, info.is_loopback, info.what_to_type) for info in list_virtual_devices()]
    assert listed == [("BlackHole 2ch", True, "loopback"), ("Soundflower", True, "Soundflower")]
