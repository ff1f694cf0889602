"""The sync monitor on a real PulseAudio server: an impulse comes out its latency later."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.audio import open_source
from engine.clock import StreamClock
from engine.errors import DeviceError
from engine.monitor import Monitor
from engine.output import PulseOutput
from engine.rings import SampleRing
from engine.settings import AudioSettings
from engine.speaker import Speaker
from tests.e2e.conftest import require
from tests.e2e.delay import HEARD, SONG, Room, delays, room
from tests.e2e.servers import PROGRAMS

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

    def __init__(self, speaker: Speaker) -> None:
        super().__init__(daemon=True)
        self.speaker = speaker
        self.source = open_source(f"{SONG}.monitor", AudioSettings())
        self.ring = SampleRing(2 * self.source.sample_rate, self.source.n_channels)
        self.clock = StreamClock(self.source.sample_rate)
        self.stopped = threading.Event()

    def run(self) -> None:
        self.source.start(self.ring, self.clock)
        self.speaker.begin(self.source, 0.0, LATENCY)
        while not self.stopped.is_set():
            self.ring.wait(0.1)
            start = self.ring.total_read
            block = self.ring.read(2048)
            if len(block):
                moment = self.clock.time_of(start) - self.source.latency
                self.speaker.audio(block, start / self.source.sample_rate, moment)
        self.source.stop()


def test_an_impulse_is_heard_its_latency_later(place: Room) -> None:
    """How exactly, on a machine that has the time, says ``livecover.bench monitor``."""
    speaker = Speaker(PulseOutput(HEARD), lambda: PulseOutput(HEARD))
    speaker.play([Monitor(speaker.sample_rate)])
    ear = Ear(speaker)
    ear.start()
    with place.recording() as raw, place.pulse.playing(place.song(12), SONG) as player:
        assert player.wait(60) == 0
    ear.stopped.set()
    ear.join(5)
    speaker.shut_down()
    off = 1000 * (delays(raw) - LATENCY)
    print("ms off:", np.round(off, 2))
    assert len(off) >= 6
    assert abs(np.median(off)) < 10.0  # a busy machine loses blocks; half of them must be right


def test_an_output_that_is_heard_is_refused(place: Room) -> None:
    speaker = Speaker(PulseOutput(SONG), lambda: PulseOutput(SONG))
    try:
        with pytest.raises(DeviceError, match="would hear itself"):
            speaker.refuse_loop(f"{SONG}.monitor")
    finally:
        speaker.shut_down()


def test_an_output_that_is_not_there_is_named(place: Room) -> None:
    with pytest.raises(DeviceError, match=f"called 'none'; there are: .*{HEARD}"):
        PulseOutput("none")
