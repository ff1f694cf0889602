"""Loopback on systems that are not at hand, and what ``--input`` may be.

SoundCard's stand-in keeps to the interface of SoundCard 0.4.6 (``mediafoundation.py``).
"""

import builtins
import sys
import threading
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import numpy as np
import pytest

from engine.audio import opening as audio
from engine.audio.files.file_source import FileSource
from engine.audio.loopback import opening as loopback
from engine.audio.loopback.pulse import PulseMonitor
from engine.audio.loopback.windows import CHECK_EVERY, WasapiLoopback, list_speakers
from engine.audio.opening import (
    DeviceSource,
    InputInfo,
    is_file_input,
    list_inputs,
    open_source,
)
from engine.core.errors import DeviceError
from engine.core.settings import AudioSettings
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing
from tests.messages import refused


class FakeSpeaker:
    def __init__(self, id: str, name: str, channels: int = 2) -> None:
        self.id, self.name, self.channels = id, name, channels


class FakeRecorder:
    """Gives the blocks put into it, one by one; then silence until it is told to fail."""

    def __init__(self, card: "FakeSoundCard", **arguments: Any) -> None:
        self.card = card
        self.arguments = arguments
        self.is_open = False
        card.recorders.append(self)

    deviceperiod = (0.01, 0.003)

    def __enter__(self) -> "FakeRecorder":
        if self.card.open_failure:
            raise RuntimeError(self.card.open_failure)
        self.is_open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.is_open = False

    def record(self, numframes: int | None = None) -> np.ndarray:
        assert numframes is None
        if self.card.blocks:
            block: np.ndarray = self.card.blocks.pop(0)
            return block
        self.card.is_drained.set()
        self.card.may_go_on.wait(10)
        if self.card.failure:
            raise RuntimeError(self.card.failure)
        return np.zeros((0, self.arguments["channels"]), np.float32)


class FakeMicrophone:
    def __init__(self, card: "FakeSoundCard", id: str) -> None:
        self.card, self.id = card, id

    def recorder(self, samplerate: int, channels: int, blocksize: int) -> FakeRecorder:
        arguments = {"samplerate": samplerate, "channels": channels, "blocksize": blocksize}
        return FakeRecorder(self.card, **arguments)


class FakeSoundCard(ModuleType):
    def __init__(self) -> None:
        super().__init__("soundcard")
        self.speaker: FakeSpeaker | None = FakeSpeaker("{1}", "Speakers (Realtek)", 6)
        self.recorders: list[FakeRecorder] = []
        self.blocks: list[np.ndarray] = []
        self.is_drained = threading.Event()
        self.may_go_on = threading.Event()
        self.failure = self.open_failure = ""

    def default_speaker(self) -> FakeSpeaker:
        if self.speaker is None:
            raise RuntimeError("Error 0x80070490")
        return self.speaker

    def get_microphone(self, id: str, include_loopback: bool = False) -> FakeMicrophone:
        assert include_loopback
        if self.speaker is None or id != self.speaker.id:
            raise IndexError(f"no device with id {id}")
        return FakeMicrophone(self, id)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> FakeSoundCard:
    fake = FakeSoundCard()
    monkeypatch.setitem(sys.modules, "soundcard", fake)
    return fake


def test_windows_records_what_the_default_speaker_plays(card: FakeSoundCard) -> None:
    rng = np.random.default_rng(0)
    card.blocks = [rng.random((n, 2), np.float32) for n in (441, 100, 480)]
    expected = np.concatenate(card.blocks)
    source = WasapiLoopback(block_size=128)
    assert (source.name, source.n_channels) == ("Loopback of Speakers (Realtek)", 2)
    assert source.sample_rate == 48000 and not source.is_alive()
    ring = SampleRing(10000, 2)
    source.start(ring, StreamClock(48000))
    assert source.latency == pytest.approx(0.01 + 128 / 48000)  # as soon as it has started
    assert card.is_drained.wait(10)
    assert source.is_alive() and source.error is None
    assert card.recorders[0].arguments == {"samplerate": 48000, "channels": 2, "blocksize": 128}
    np.testing.assert_array_equal(ring.read(10000), expected)
    thread = source._thread
    assert thread is not None
    source._stop.set()
    card.may_go_on.set()
    source.stop()
    thread.join(10)
    assert not card.recorders[0].is_open and not source.is_alive()


def ended(source: WasapiLoopback, card: FakeSoundCard) -> str | None:
    card.may_go_on.set()
    assert source._thread is not None
    source._thread.join(10)
    assert not source._thread.is_alive() and not source.is_alive()
    return source.error


def test_windows_device_lost(card: FakeSoundCard) -> None:
    source = WasapiLoopback()
    source.start(SampleRing(1000, 2), StreamClock(48000))
    card.failure = "Error 0x88890004"
    expected = "Loopback of Speakers (Realtek): the device was lost (Error 0x88890004)"
    assert ended(source, card) == expected


def test_windows_default_speaker_changed(card: FakeSoundCard) -> None:
    now = [0.0]
    source = WasapiLoopback(now=lambda: now[0])
    source.start(SampleRing(1000, 2), StreamClock(48000))
    assert card.is_drained.wait(10)
    card.speaker = FakeSpeaker("{2}", "Headphones")
    now[0] += CHECK_EVERY
    expected = "Loopback of Speakers (Realtek): the default output is now Headphones"
    assert ended(source, card) == expected
    card.blocks, card.failure = [np.zeros((1, 2), np.float32)], "end"
    source.start(SampleRing(1000, 2), StreamClock(48000))
    assert source.name == "Loopback of Headphones"
    source.stop()


def test_windows_without_output(card: FakeSoundCard) -> None:
    card.speaker = None
    with refused(DeviceError, "no default output"):
        WasapiLoopback()


def test_windows_output_gone_before_start(card: FakeSoundCard) -> None:
    source = WasapiLoopback()

    def no_device(id: str, include_loopback: bool = False) -> FakeMicrophone:
        raise IndexError("no device with id {1}")

    card.get_microphone = no_device  # type: ignore[method-assign]
    with refused(DeviceError, "cannot be opened", "still there?"):
        source.start(SampleRing(1000, 2), StreamClock(48000))


def test_windows_output_that_does_not_open(card: FakeSoundCard) -> None:
    card.open_failure = "Error 0x8889000a"
    source = WasapiLoopback()
    with refused(DeviceError, "cannot be opened", "Error 0x8889000a", "still"):
        source.start(SampleRing(1000, 2), StreamClock(48000))
    assert not source.is_alive()


def test_windows_without_soundcard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundcard", None)
    with refused(DeviceError, "needs SoundCard", " soundcard", "--input"):
        WasapiLoopback()


def test_windows_list(card: FakeSoundCard) -> None:
    name = "Loopback of Speakers (Realtek)"
    assert list_speakers() == [InputInfo(None, name, 6, 48000, True, "loopback")]
    assert loopback.list_loopbacks("win32") == list_speakers()
    assert isinstance(loopback.open_loopback(AudioSettings(), platform="win32"), WasapiLoopback)


def test_linux_without_libpulse(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def no_libpulse(name: str, *arguments: Any, **named: Any) -> ModuleType:
        if name == "pulsectl":
            raise OSError("libpulse.so.0: cannot open shared object file")
        module: ModuleType = real_import(name, *arguments, **named)
        return module

    monkeypatch.setattr(builtins, "__import__", no_libpulse)
    with pytest.raises(DeviceError, match="sudo apt install libpulse0"):
        loopback.open_loopback(AudioSettings(), platform="linux")


@pytest.mark.parametrize(
    ("text", "is_file"),
    [
        ("loopback", False),
        ("mic", False),
        ("3", False),
        ("Focusrite USB", False),
        ("alsa_output.pci.analog-stereo.monitor", False),
        ("song.MP3", True),
        ("/no/such/thing", True),
        ("./song", True),
    ],
)
def test_what_means_a_file(
    text: str, is_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_file_input(text) is is_file


def test_a_file_that_is_there_needs_no_suffix(tmp_path: Path) -> None:
    (tmp_path / "song").touch()
    assert is_file_input(str(tmp_path / "song"))


def test_open_source_takes_each_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[Any, ...]] = []

    def record(way: str) -> Any:
        return lambda *arguments: opened.append((way, *arguments))

    for way in ("open_song", "DeviceSource", "open_loopback"):
        monkeypatch.setattr(audio, way, record(way))
    settings = AudioSettings(block_size=512, sample_rate=48000, channels=(2,))
    for text in ("loopback", "mic", "2", "a.monitor"):
        open_source(text, settings)
    open_source("a.wav", settings, paced=False)
    assert opened == [
        ("open_loopback", settings),
        ("DeviceSource", "mic", 512, 48000, (2,)),
        ("DeviceSource", "2", 512, 48000, (2,)),
        ("open_loopback", settings, "a.monitor"),
        ("open_song", Path("a.wav"), False, 512),
    ]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no such file: .*no.wav"):
        open_source(str(tmp_path / "no.wav"), AudioSettings())


def test_list_inputs_leaves_out_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    info = InputInfo(0, "Mic", 1, 48000, False, "Mic")

    def missing() -> list[InputInfo]:
        raise DeviceError("no server answers")

    monkeypatch.setattr(audio, "list_loopbacks", missing)
    monkeypatch.setattr(audio, "list_devices", lambda: [info])
    assert list_inputs() == [info]
    assert "no server answers" in caplog.text
    monkeypatch.setattr(audio, "list_devices", missing)
    with refused(DeviceError, "no server answers", "no server answers"):
        list_inputs()


def test_every_source_is_one() -> None:
    sources: list[type[audio.AudioSource]] = [
        FileSource,
        DeviceSource,
        PulseMonitor,
        WasapiLoopback,
    ]
    assert all(source.__doc__ for source in sources)
