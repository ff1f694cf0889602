"""The monitor of a real PulseAudio server: what comes back is what was played, whatever happens."""

import logging
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.devices.device import DeviceSource
from engine.audio.loopback.pulse import PulseMonitor
from engine.audio.loopback.pulse_server import list_monitors
from engine.audio.opening import list_inputs, open_source
from engine.core.errors import DeviceError
from engine.core.settings import AudioSettings
from engine.playback.outputs.pulse import PulseOutput
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing
from tests.e2e.processes import wait_until
from tests.e2e.servers import PulseServer, pulse_server
from tests.messages import refused
from tests.programs import needs

pytestmark = [pytest.mark.e2e, needs("pulseaudio", "pactl", "paplay")]
RATE = 44100


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseServer]:
    with pulse_server(tmp_path, sinks=("first", "second"), sample_rate=RATE) as running:
        for key, value in running.env.items():
            monkeypatch.setenv(key, value)
        yield running


class Capture:
    """A started monitor and everything that it wrote."""

    def __init__(self, source: PulseMonitor, seconds: float = 30.0) -> None:
        self.source = source
        self.ring = SampleRing(int(seconds * RATE), source.n_channels)
        self.clock = StreamClock(source.sample_rate)
        source.start(self.ring, self.clock)

    def wait_for(self, n_samples: int) -> None:
        goal = self.ring.total_written + n_samples
        timeout = 15 + n_samples / RATE
        wait_until("audio comes", lambda: self.ring.total_written >= goal, timeout)

    def audio(self) -> np.ndarray:
        return self.ring.read(self.ring.available)


def noise(path: Path, seconds: float, seed: int = 1) -> np.ndarray:
    """Write and return noise after a moment of silence.

    PulseAudio loses some samples of a stream that starts in a block it had already mixed.
    """
    audio = np.random.default_rng(seed).uniform(-0.5, 0.5, (int(seconds * RATE), 2))
    audio[: RATE // 4] = 0
    soundfile.write(path, audio, RATE, subtype="PCM_16")
    read, _ = soundfile.read(path, dtype="float32")
    result: np.ndarray = read
    return result


def place_of(song: np.ndarray, heard: np.ndarray) -> int:
    """Return the sample of ``heard`` at which ``song`` begins, by cross-correlation."""
    n = 1 << (len(song) + len(heard)).bit_length()
    product = np.fft.rfft(heard[:, 0], n) * np.conj(np.fft.rfft(song[:, 0], n))
    return int(np.argmax(np.fft.irfft(product, n)[: len(heard)]))


@pytest.mark.slow
def test_ten_seconds_come_back_sample_for_sample(server: PulseServer, tmp_path: Path) -> None:
    song = noise(tmp_path / "song.wav", 10.0)
    source = PulseMonitor()
    assert (source.name, source.sample_rate, source.n_channels) == ("first.monitor", RATE, 2)
    capture = Capture(source)
    capture.wait_for(1)
    server.play_from_memory(tmp_path / "song.wav", "first")
    capture.wait_for(len(song) + RATE)
    assert source.is_alive() and source.error is None
    source.stop()
    assert capture.ring.overruns == 0
    heard = capture.audio()
    start = place_of(song, heard)
    # one lost or doubled sample anywhere would put noise on noise
    np.testing.assert_allclose(heard[start : start + len(song)], song, atol=2 / 32768)


def test_a_muted_sink_is_silent(server: PulseServer, tmp_path: Path) -> None:
    noise(tmp_path / "song.wav", 0.5)
    server.set_mute("first", True)
    capture = Capture(PulseMonitor())
    with server.playing(tmp_path / "song.wav") as player:
        player.popen.wait(30)
    capture.source.stop()
    heard = capture.audio()
    assert len(heard) and not heard.any()


def test_a_killed_server_is_noticed_and_a_new_one_heard(
    server: PulseServer, tmp_path: Path
) -> None:
    capture = Capture(PulseMonitor())
    capture.wait_for(1000)
    assert capture.source.is_alive()
    server.kill()
    wait_until("the loss is noticed", lambda: not capture.source.is_alive())
    assert capture.source.error is not None
    assert capture.source.error.startswith("first.monitor: the sound server")
    before = time.monotonic()
    capture.source.stop()
    assert time.monotonic() - before < 5  # a thread that hangs would take longer
    with refused(DeviceError, "PulseAudio", "PipeWire", "start"):
        PulseMonitor()
    with refused(DeviceError, "PulseAudio", "PipeWire"):
        capture.source.start(capture.ring, capture.clock)
    server.start()
    song = noise(tmp_path / "song.wav", 1.0)
    for source in (PulseMonitor(), capture.source):  # a new one, and the old one again
        again = Capture(source)
        again.wait_for(1)
        server.play_from_memory(tmp_path / "song.wav", "first")
        again.wait_for(len(song) + RATE)
        source.stop()
        heard = again.audio()
        start = place_of(song, heard)
        np.testing.assert_allclose(heard[start : start + RATE], song, atol=2 / 32768)


def test_it_follows_the_default_sink(
    server: PulseServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    song = noise(tmp_path / "song.wav", 1.0)
    capture = Capture(PulseMonitor())
    capture.wait_for(1000)
    with caplog.at_level(logging.WARNING):
        server.set_default_sink("second")
        words = "the default output changed: listening to second.monitor"
        wait_until("the stream moves and says so", lambda: words in caplog.text)
    assert capture.source.name == "second.monitor"
    server.play_from_memory(tmp_path / "song.wav", "second")
    capture.wait_for(len(song) + RATE)
    assert capture.source.is_alive()
    capture.source.stop()
    heard = capture.audio()
    start = place_of(song, heard)
    np.testing.assert_allclose(heard[start : start + RATE], song, atol=2 / 32768)


def test_a_default_that_goes_and_comes_back_is_two_gaps_and_no_loss(
    server: PulseServer, tmp_path: Path
) -> None:
    song = noise(tmp_path / "song.wav", 1.0)
    capture = Capture(PulseMonitor())
    capture.wait_for(1000)
    # What plays to both in large blocks keeps a new stream waiting, and a moved one too.
    with server.playing(tmp_path / "song.wav", "first"), server.playing(tmp_path / "song.wav"):
        for sink in ("second", "first"):
            server.set_default_sink(sink)
            wait_until("it is heard", lambda s=sink: capture.source.name == f"{s}.monitor")  # type: ignore[misc]
    capture.wait_for(1000)
    assert capture.source.n_overflows == 2 and capture.source.error is None
    capture.audio()
    server.play_from_memory(tmp_path / "song.wav", "first")
    capture.wait_for(len(song) + RATE)
    assert capture.source.is_alive() and capture.clock.n_restarts == 0
    capture.source.stop()
    heard = capture.audio()
    start = place_of(song, heard)
    np.testing.assert_allclose(heard[start : start + len(song)], song, atol=2 / 32768)


def test_a_monitor_by_name_stays_though_the_server_moves_it(server: PulseServer) -> None:
    source = PulseMonitor("first.monitor")
    capture = Capture(source)
    capture.wait_for(1000)
    server.set_default_sink("second")
    wait_until("it is back", lambda: source.n_overflows == 1)
    capture.wait_for(1000)
    assert source.name == "first.monitor" and source.is_alive()
    assert server.source_of(source.stream_name) == "first.monitor"
    source.stop()


def test_an_output_by_name_is_told_when_the_server_moves_it(server: PulseServer) -> None:
    server.set_default_sink("second")
    output = PulseOutput("second")
    block = np.zeros((round(0.005 * output.sample_rate), 2), np.float32)

    def is_moved() -> bool:
        output.write(block)
        try:
            output.latency()
        except DeviceError as error:
            return str(error) == "the server has moved the sound away from second"
        return False

    assert not is_moved()
    server.set_default_sink("first")
    wait_until("it is told", is_moved)
    output.close()
    again = PulseOutput("second")
    assert again.name == "second"
    again.close()


def test_a_server_that_hangs_is_told_and_holds_nothing(server: PulseServer) -> None:
    source = PulseMonitor()
    capture = Capture(source)
    capture.wait_for(1000)
    assert server.process is not None
    server.process.popen.send_signal(signal.SIGSTOP)
    try:
        wait_until("the loss is noticed", lambda: not source.is_alive())
        before = time.monotonic()
        source.stop()
        assert time.monotonic() - before < 2  # that it hangs would take for ever
        for attempt in (PulseMonitor, list_monitors, PulseOutput):
            with refused(DeviceError, "sound server", "not answer"):
                attempt()
    finally:
        server.process.popen.send_signal(signal.SIGCONT)
    again = Capture(PulseMonitor())
    again.wait_for(1000)
    again.source.stop()


def test_a_monitor_by_name_stays(server: PulseServer) -> None:
    source = open_source("second.monitor", AudioSettings(sample_rate=16000))
    assert isinstance(source, PulseMonitor)
    assert (source.name, source.sample_rate) == ("second.monitor", 16000)
    capture = Capture(source)
    server.set_default_sink("second")
    server.set_default_sink("first")
    capture.wait_for(1000)
    assert source.name == "second.monitor" and source.is_alive()
    source.stop()
    assert not source.is_alive()


def test_an_unknown_monitor_is_named(server: PulseServer) -> None:
    with pytest.raises(DeviceError) as caught:
        PulseMonitor("third.monitor")
    message = "no source is called 'third.monitor'; there are: first.monitor, second.monitor"
    assert str(caught.value).startswith(message)


def test_monitors_are_listed_with_what_to_type(server: PulseServer) -> None:
    server.set_default_sink("second")
    listed = [(i.what_to_type, i.n_channels, i.sample_rate) for i in list_monitors()]
    assert listed == [("loopback", 2, RATE), ("first.monitor", 2, RATE)]
    inputs = list_inputs()
    assert [i.is_loopback for i in inputs[:2]] == [True, True]
    assert "pulse" in [i.what_to_type for i in inputs if not i.is_loopback]


def test_a_portaudio_device_hears_the_server_and_its_end(
    server: PulseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_SOURCE", "first.monitor")
    source = DeviceSource("pulse")
    ring = SampleRing(30 * source.sample_rate, source.n_channels)
    source.start(ring, StreamClock(source.sample_rate))
    wait_until("audio comes", lambda: ring.total_written > 10000)
    assert source.is_alive()
    server.kill()
    wait_until("the loss is noticed", lambda: not source.is_alive())
    source.stop()
    with pytest.raises(DeviceError):
        source.start(ring, StreamClock(source.sample_rate))
    server.start()
    n = ring.total_written
    source.start(ring, StreamClock(source.sample_rate))
    wait_until("audio comes again", lambda: ring.total_written > n)
    source.stop()
