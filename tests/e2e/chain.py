"""livecover between real servers: what hears the song, what records the port, and the command.

song -> PulseAudio null sink -> its monitor -> livecover -> JACK port -> recorder and FluidSynth
"""

import contextlib
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.e2e import takes
from tests.e2e.jack_server import JackServer, jack_server
from tests.e2e.pipewire import PipeWireServer, pipewire_server
from tests.e2e.processes import SAMPLE_RATE, Process, wait_until
from tests.e2e.servers import SINK, PulseServer, pulse_server
from tests.e2e.songs import Song

_serial = itertools.count()
RECORDER = Path(__file__).with_name("jack_recorder.py")
PORT = "livecover:LiveCover"
START_TIMEOUT = 60.0  # seconds for a start on a busy machine


def has_port(ports: Sequence[str]) -> bool:
    """Return whether livecover's port is there.

    A PipeWire that was started again may call its client by another name, as the audio has taken
    the first.
    """
    return any(port.endswith(":LiveCover") for port in ports)


@dataclass
class Recorder:
    """A running ``jack_recorder.py``."""

    process: Process
    folder: Path

    def messages(self) -> list[takes.Message]:
        """Return the notes that have come by now."""
        return takes.read_recording(self.folder / "midi.jsonl")

    def is_silenced(self) -> bool:
        """Return whether All Notes Off came after the last note."""
        return takes.is_silenced(self.folder / "midi.jsonl")

    def wait_for(
        self, what: str, holds: Callable[[list[takes.Message]], bool], timeout: float = 60.0
    ) -> list[takes.Message]:
        """Return the notes once ``holds`` of them is true."""
        wait_until(what, lambda: holds(self.messages()), timeout)
        return self.messages()

    def wait_until_connected(self, timeout: float = 60.0) -> None:
        """Return once livecover's port is connected to the one that records."""
        path = self.folder / "connections"
        wait_until(
            "the port is connected",
            lambda: path.exists() and has_port(path.read_text().splitlines()),
            timeout,
            [self.process],
        )

    def audio(self) -> NDArray[np.float32]:
        """Stop recording; return the sound (n,)."""
        self.process.stop()
        sound: NDArray[np.float32] = np.load(self.folder / "audio.npy")
        return sound


@contextlib.contextmanager
def recorder(work: Path, jack: JackServer, name: str = "recorder") -> Iterator[Recorder]:
    """Record: ports ``NAME:midi`` and ``NAME:audio``."""
    folder = work / name
    folder.mkdir(parents=True)
    command = [sys.executable, str(RECORDER), name, str(folder)]
    process = Process.start(f"{name}-{next(_serial)}", command, work, jack.env)
    try:
        jack.wait_for_port(f"{name}:midi", process)
        wait_until("the recording", (folder / "midi.jsonl").exists, processes=[process])
        yield Recorder(process, folder)
    finally:
        process.stop()


class Tap:
    """Hears the monitor beside livecover, to know when each moment of the song passed there."""

    def __init__(self, pulse: PulseServer, sink: str = SINK) -> None:
        command = ["parec", f"--device={sink}.monitor", "--format=float32le", "--channels=1"]
        command += [f"--rate={SAMPLE_RATE}", "--raw", "--latency-msec=10"]
        env = {**os.environ, **pulse.env}
        self._popen = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, bufsize=0)
        self._blocks: list[tuple[float, bytes]] = []
        self._thread = threading.Thread(target=self._read, name="tap", daemon=True)
        self._thread.start()
        wait_until("the tap hears", lambda: bool(self._blocks))

    def _read(self) -> None:
        assert self._popen.stdout is not None
        while block := self._popen.stdout.read(1 << 16):
            self._blocks.append((time.perf_counter(), block))

    def close(self) -> None:
        self._popen.terminate()
        self._popen.wait(60)
        self._thread.join(60)

    def start_of(self, song: Song) -> float:
        """Return the ``perf_counter`` at which the song's first sample passed the monitor.

        Found by correlation; blocks may come late but never early, so the earliest line through
        the arrivals is the true one.
        """
        blocks = list(self._blocks)
        ends = np.cumsum([len(b) for _, b in blocks]) // 4
        zero = min(t - n / SAMPLE_RATE for (t, _), n in zip(blocks, ends, strict=True))
        heard = np.frombuffer(b"".join(b for _, b in blocks), np.float32)
        assert len(heard) >= len(song.samples), "the song has not played to its end"
        return float(zero + place_of(song, heard) / SAMPLE_RATE)


def place_of(song: Song, heard: NDArray[np.float32]) -> int:
    """Return the sample at which a song begins in what was heard (n,)."""
    n = 1 << (len(heard) + len(song.samples) - 1).bit_length()
    spectrum = np.fft.rfft(heard, n) * np.conj(np.fft.rfft(song.samples, n))
    return int(np.argmax(np.fft.irfft(spectrum, n)[: len(heard)]))


@dataclass
class Chain:
    """All of it, running; ``livecover`` is started by ``start_livecover``."""

    work: Path
    pulse: PulseServer
    jack: JackServer
    recorder: Recorder
    env: dict[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def livecover(self, *arguments: str, name: str = "livecover") -> Iterator[Process]:
        """Run ``livecover --input loopback --midi-out LiveCover ARGUMENTS``, heard and recorded."""
        command = [*COMMAND, "--input", "loopback", "--midi-out", "LiveCover", *arguments]
        process = Process.start(name, command, self.work, self.env)
        try:
            self.jack.wait_for_port(PORT, process, timeout=START_TIMEOUT)
            self.jack.connect(PORT, "recorder:midi")
            self.wait_until_heard(process)
            yield process
        finally:
            process.stop(timeout=60)

    def wait_until_heard(self, livecover: Process) -> None:
        """Wait until livecover records the monitor."""
        wait_until(
            "livecover records",
            lambda: self.pulse.is_heard_by("livecover"),
            START_TIMEOUT,
            processes=[livecover],
        )

    def play(self, song: Song) -> None:
        """Play the song to its end."""
        with self.pulse.playing(song.path) as player:
            assert player.wait(song.duration + 30) == 0, player.tail()


@dataclass
class PipeWireChain(Chain):
    """The same, where one server is both."""

    pipewire: PipeWireServer = field(kw_only=True)


COMMAND = (sys.executable, "-m", "livecover")


@contextlib.contextmanager
def chain(
    work: Path, is_synchronous: bool = True, sinks: Sequence[str] = (SINK,)
) -> Iterator[Chain]:
    """Run PulseAudio, JACK (see ``jack_server``) and the recorder in ``work``."""
    with (
        pulse_server(work, sinks) as pulse,
        jack_server(work, is_synchronous=is_synchronous) as jack,
        recorder(work, jack) as rec,
    ):
        yield Chain(work, pulse, jack, rec, private_env(work, pulse.env, jack.env))


@contextlib.contextmanager
def pipewire_chain(work: Path) -> Iterator[PipeWireChain]:
    """Run a PipeWire that is all servers at once, and the recorder, in ``work``."""
    with pipewire_server(work) as pipewire, recorder(work, pipewire.jack) as rec:
        env = private_env(work, pipewire.env)
        yield PipeWireChain(work, pipewire.pulse, pipewire.jack, rec, env, pipewire=pipewire)


def private_env(work: Path, *envs: dict[str, str]) -> dict[str, str]:
    """Return ``envs`` together, and a home of its own so that no user's settings are read."""
    merged = {"HOME": str(work), "XDG_CONFIG_HOME": str(work / "config")}
    for env in envs:
        merged.update(env)
    return merged


def run_livecover(
    work: Path, *arguments: str, env: dict[str, str] | None = None, timeout: float = 120.0
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end in the folder ``work``."""
    environment = {**os.environ, **private_env(work, env or {})}
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def cover_file(work: Path, song: Song, take: Path, *arguments: str) -> Sequence[takes.Message]:
    """Return the notes of the file-to-file cover of ``song``, the quickest way there is."""
    result = run_livecover(work, "--input", str(song.path), "--midi-out", str(take), *arguments)
    assert result.returncode == 0, result.stderr
    return takes.read_midi_file(take)
