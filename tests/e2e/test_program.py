"""What one program plays, of two that play to one output: PulseAudio and PipeWire."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.loopback.together import list_players
from engine.audio.opening import is_file_input, list_inputs, open_source
from engine.audio.programs.program_source import ProgramSource
from engine.core.settings import AudioSettings
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing
from tests.e2e import pipewire
from tests.e2e.conftest import require
from tests.e2e.processes import Process, wait_until
from tests.e2e.servers import PulseServer, pulse_server

pytestmark = pytest.mark.e2e
WANTED, OTHER = 440, 1250  # Hz
Play = Callable[[str, int], contextlib.AbstractContextManager[Process]]


@pytest.fixture(params=["PulseAudio", "PipeWire"])
def server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PulseServer]:
    with contextlib.ExitStack() as stack:
        if request.param == "PipeWire":
            require(*pipewire.PROGRAMS, "pactl", "paplay")
            running = stack.enter_context(pipewire.pipewire_server(tmp_path)).pulse
        else:
            require("pulseaudio", "pactl", "paplay")
            running = stack.enter_context(pulse_server(tmp_path, sink_options="norewinds=1"))
        for key, value in running.env.items():
            monkeypatch.setenv(key, value)
        yield running


@pytest.fixture
def play(server: PulseServer, tmp_path: Path) -> Play:
    """Let a program of a name play a tone, until the end of the block."""

    @contextlib.contextmanager
    def player(name: str, hertz: int) -> Iterator[Process]:
        n_before = server.list("sink-inputs").count(f'"{name}"')
        path = tmp_path / f"{hertz}.wav"
        times = np.arange(60 * 44100) / 44100
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * times), 44100)
        icon = "--property=application.icon_name=player-icon"
        command = ["paplay", f"--client-name={name}", icon, str(path)]
        process = Process.start(f"player-{hertz}", command, tmp_path, server.env)
        try:
            wait_until(
                f"{name} plays", lambda: server.list("sink-inputs").count(f'"{name}"') > n_before
            )
            yield process
        finally:
            process.stop()

    return player


class Heard:
    """A started source, and which of the tones is in what it has just written."""

    def __init__(self, source: ProgramSource) -> None:
        self.source, self.ring = source, SampleRing(600 * source.sample_rate, 2)
        self.n_read = 0
        source.start(self.ring, StreamClock(source.sample_rate))

    def tones(self) -> set[int]:
        """Return the tones in the next quarter of a second."""
        n = self.source.sample_rate // 4
        self.ring.read(self.ring.available)
        wait_until("audio comes", lambda: self.ring.available >= n)
        audio = self.ring.read(n)[:, 0]
        times = np.arange(n) / self.source.sample_rate
        wave = {hertz: np.exp(-2j * np.pi * hertz * times) for hertz in (WANTED, OTHER)}
        return {hertz for hertz, w in wave.items() if abs(np.mean(audio * w)) > 0.05}


def test_one_program_is_heard_of_two(server: PulseServer, play: Play) -> None:
    with play("Other", OTHER):
        with play("Music Player", WANTED):
            names = {info.what_to_type for info in list_inputs()}
            assert {"app:Music Player", "app:Other"} <= names and "loopback" in names
            icons = {player.name: player.icons for player in list_players()}
            assert icons["Other"] == ("player-icon", "pacat", "Other")
            source = open_source("app:music", AudioSettings())
            assert isinstance(source, ProgramSource)
            heard = Heard(source)
            wait_until("it is heard", lambda: heard.tones() == {WANTED})
            assert heard.tones() == {WANTED}
        wait_until("silence follows", lambda: not heard.tones())
        with play("Music Player", WANTED):
            wait_until("its next song is heard", lambda: heard.tones() == {WANTED})
        assert source.is_alive() and source.error is None
        source.stop()
        assert not source.is_alive()


def test_all_streams_of_a_program_are_heard_mixed(server: PulseServer, play: Play) -> None:
    """Also one that appears later; where one ends the others go on."""
    with play("Browser", WANTED):
        heard = Heard(ProgramSource("Browser"))
        wait_until("the first is heard", lambda: heard.tones() == {WANTED})
        with play("Browser", OTHER):
            wait_until("both are heard", lambda: heard.tones() == {WANTED, OTHER})
            n = 2 * heard.source.sample_rate
            n_before, began = heard.ring.total_written, time.perf_counter()
            wait_until("time passes", lambda: heard.ring.total_written - n_before > n)
            assert heard.tones() == {WANTED, OTHER}
            seconds = (heard.ring.total_written - n_before) / heard.source.sample_rate
            assert seconds == pytest.approx(time.perf_counter() - began, abs=0.3)
        wait_until("the first alone is heard", lambda: heard.tones() == {WANTED})
        assert heard.source.is_alive() and heard.source.error is None
        heard.source.stop()


def test_a_program_that_plays_nothing_yet_is_waited_for(
    server: PulseServer, play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    assert not is_file_input("app:song.mp3 player")
    heard = Heard(ProgramSource("Later"))
    assert "Later plays nothing yet" in caplog.text
    assert not heard.tones()
    with play("Later", WANTED):
        wait_until("it is heard", lambda: heard.tones() == {WANTED})
    heard.source.stop()


def test_a_server_that_dies_is_a_loss(server: PulseServer, play: Play) -> None:
    if server.process is None:
        return  # PipeWire's is several
    with play("Player", WANTED):
        heard = Heard(ProgramSource("Player"))
        wait_until("it is heard", lambda: heard.tones() == {WANTED})
        server.kill()
        wait_until("the loss is told", lambda: not heard.source.is_alive())
        assert heard.source.error is not None
        heard.source.stop()
        server.start()
