"""The sync monitor on a real PulseAudio server: an impulse comes out its latency later."""

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.opening import open_source
from engine.core.errors import DeviceError
from engine.core.settings import AudioSettings
from engine.playback.monitor import Monitor
from engine.playback.outputs.pulse import PulseOutput
from engine.playback.playback_thread import PlaybackThread
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing
from tests.e2e.chain import COMMAND, private_env, run_livecover
from tests.e2e.conftest import require
from tests.e2e.delay import HEARD, SONG, Room, delays, room
from tests.e2e.processes import Process, wait_until
from tests.e2e.servers import PROGRAMS, pulse_server
from tests.e2e.songs import Song

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
LATENCY = 0.25


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    require(*PROGRAMS)
    with room(tmp_path) as running:
        for key, value in running.pulse.env.items():
            monkeypatch.setenv(key, value)
        yield running


class Ear(threading.Thread):
    """Hands a source's blocks to a tap, as the engine's worker does."""

    def __init__(self, playback: PlaybackThread) -> None:
        super().__init__(daemon=True)
        self.playback = playback
        self.source = open_source(f"{SONG}.monitor", AudioSettings())
        self.ring = SampleRing(2 * self.source.sample_rate, self.source.n_channels)
        self.clock = StreamClock(self.source.sample_rate)
        self.stopped = threading.Event()

    def run(self) -> None:
        self.source.start(self.ring, self.clock)
        self.playback.begin(self.source, 0.0, LATENCY)
        while not self.stopped.is_set():
            self.ring.wait(0.1)
            start = self.ring.total_read
            block = self.ring.read(2048)
            if len(block):
                host_time = self.clock.time_of(start) - self.source.latency
                self.playback.audio(block, start / self.source.sample_rate, host_time)
        self.source.stop()


def test_an_impulse_is_heard_its_latency_later(place: Room) -> None:
    """How exactly, on a machine that has the time, says ``livecover.bench monitor``."""
    playback = PlaybackThread(PulseOutput(HEARD), lambda: PulseOutput(HEARD))
    playback.play([Monitor(playback.sample_rate)])
    ear = Ear(playback)
    ear.start()
    with place.recording() as raw, place.pulse.playing(place.song(12), SONG) as player:
        assert player.wait(60) == 0
    ear.stopped.set()
    ear.join(60)
    playback.shut_down()
    off = 1000 * (delays(raw) - LATENCY)
    print("ms off:", np.round(off, 2))
    assert len(off) >= 6
    assert abs(np.median(off)) < 10.0  # a busy machine loses blocks; half of them must be right


def test_an_output_that_is_heard_is_refused(place: Room) -> None:
    playback = PlaybackThread(PulseOutput(SONG), lambda: PulseOutput(SONG))
    try:
        with pytest.raises(DeviceError, match="would hear itself"):
            playback.refuse_loop(f"{SONG}.monitor")
    finally:
        playback.shut_down()


def test_an_output_that_is_not_there_is_named(place: Room) -> None:
    with pytest.raises(DeviceError, match=f"called 'none'; there are: .*{HEARD}"):
        PulseOutput("none")


def rendered(folder: Path, name: str) -> Path:
    """Return a sound that is made of a take, once it is there: perhaps after the end."""
    wait_until(f"the {name}", lambda: any(folder.glob(f"* {name}.flac")))
    (path,) = folder.glob(f"* {name}.flac")
    return path


def test_song_and_piano_sound_at_another_output_and_are_kept(tmp_path: Path, tune: Song) -> None:
    require(*PROGRAMS)
    # a busy machine is late, and plays all the same
    (tmp_path / "livecover.toml").write_text("[time]\nlate_tolerance = 5.0\nbacklog = 30.0\n")
    command = [*COMMAND, "--midi-out", "a.mid", "--piano", "--record", "takes"]
    with pulse_server(tmp_path, ("first", "second")) as pulse:
        env = private_env(tmp_path, pulse.env)
        refused = run_livecover(tmp_path, *command[3:], "--monitor", "first", env=pulse.env)
        assert refused.returncode == 2 and "would hear itself" in refused.stderr, refused
        raw = tmp_path / "second.raw"
        record = ["parec", "--device=second.monitor", "--format=float32le", "--raw"]
        with raw.open("wb") as file:
            recorder = subprocess.Popen(record, env={**os.environ, **env}, stdout=file)
            livecover = Process.start("livecover", [*command, "--monitor", "second"], tmp_path, env)
            try:
                wait_until("livecover records", lambda: pulse.is_heard_by("livecover"), 60)
                with pulse.playing(tune.path, "first") as player:
                    assert player.wait(60) == 0
                code = livecover.stop(timeout=60)
            finally:
                livecover.kill()
                recorder.terminate()
                recorder.wait(60)
    assert code == 0, livecover.tail()
    assert np.abs(np.fromfile(raw, np.float32)).max() > 0.05
    piano, mix = (rendered(tmp_path / "takes", name) for name in ("piano", "mix"))
    played, rate = soundfile.read(piano)
    both, _ = soundfile.read(mix)
    assert np.abs(played).max() > 0.01 and len(both) == len(played)
    assert not np.allclose(both, played)
