"""``livecover together`` between real servers: a song plays to one output, livecover to another."""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from engine.audio.loopback.moved_streams import SINK
from tests.e2e.chain import COMMAND, private_env
from tests.e2e.processes import SAMPLE_RATE, Process, wait_until
from tests.e2e.servers import PulseServer, pulse_server
from tests.e2e.songs import Song

HEARD, SONG = "speakers", "hdmi"
"""The default output, and the one where the song's program plays."""
PLAYER = "paplay"
BLOCK = 2048  # bytes
LOUD = 0.01


@contextlib.contextmanager
def desk(work: Path) -> "Iterator[Desk]":
    """Run a PulseAudio whose outputs are as quick as a sound card."""
    with pulse_server(work, (HEARD, SONG), sink_options="norewinds=1") as pulse:
        yield Desk(work, pulse)


@dataclass
class Desk:
    """A server with two outputs, of which the song's program uses the one that is not default."""

    work: Path
    pulse: PulseServer

    @contextlib.contextmanager
    def song(self, song: Song) -> Iterator[None]:
        """Play a song again and again, for longer than any test."""
        path = self.work / "long.wav"
        soundfile.write(path, np.tile(song.samples, 30), SAMPLE_RATE)
        with self.pulse.playing(path, SONG):
            wait_until("it plays", lambda: PLAYER in self.places())
            yield

    @property
    def env(self) -> dict[str, str]:
        """What a livecover of this user gets."""
        state = {"XDG_STATE_HOME": str(self.work / "state")}
        return {**private_env(self.work, self.pulse.env), **state}

    @contextlib.contextmanager
    def together(self, *arguments: str) -> Iterator[Process]:
        """Run it; at the end it is killed if it still runs."""
        options = ["--midi-out", "together.mid", "--control", "off", *arguments]
        process = Process.start(
            f"together-{time.monotonic_ns()}", [*COMMAND, "together", *options], self.work, self.env
        )
        try:
            yield process
        finally:
            process.kill()

    def places(self) -> dict[str, str]:
        """Return the sink of each program's stream."""
        sinks = {line.split()[0]: line.split()[1] for line in self._list("sinks")}
        found = {}
        for text in self.pulse.list("sink-inputs").split("Sink Input #")[1:]:
            sink = next(line.split()[1] for line in text.splitlines() if "Sink: " in line)
            name = next(line for line in text.splitlines() if "application.name = " in line)
            if sink in sinks:  # PipeWire lists a stream before it has a sink
                found[name.split('"')[1]] = sinks[sink]
        return found

    def has_sink(self) -> bool:
        """Return whether the silent sink is there."""
        return any(SINK in line for line in self._list("sinks"))

    def is_put_back(self) -> bool:
        """Return whether everything is as it was."""
        is_there = self.places().get(PLAYER) == SONG
        left = list((self.work / "state").rglob("*.json"))
        return is_there and not self.has_sink() and not left

    def _list(self, what: str) -> list[str]:
        return self.pulse.list("short", what).splitlines()

    @contextlib.contextmanager
    def listening(self) -> "Iterator[Listener]":
        """Listen to the default output."""
        command = ["parec", f"--device={HEARD}.monitor", "--format=float32le", "--raw"]
        command += ["--latency-msec=10"]
        env = {**os.environ, **self.pulse.env}
        recorder = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
        listener = Listener(recorder)
        listener.start()
        try:
            yield listener
        finally:
            recorder.terminate()
            listener.join(60)
            recorder.wait(60)


class Listener(threading.Thread):
    """Notes when something is heard first."""

    def __init__(self, recorder: "subprocess.Popen[bytes]") -> None:
        super().__init__(daemon=True)
        self.first = 0.0
        self._recorder = recorder

    def run(self) -> None:
        assert self._recorder.stdout is not None
        while block := self._recorder.stdout.read(BLOCK):
            is_loud = np.abs(np.frombuffer(block, np.float32)).max() > LOUD
            if is_loud and not self.first:
                self.first = time.perf_counter()

    def wait(self, process: Process) -> float:
        """Return the ``perf_counter`` of the first sound."""
        wait_until("a sound", lambda: self.first > 0, 60, [process])
        return self.first
