"""A real PipeWire without hardware, private to one test, which speaks PulseAudio and JACK too.

Nothing of it is JACK's own: the helpers find it by ``LD_LIBRARY_PATH``, as ``pw-jack`` does it, and
livecover has to find it by itself.
"""

import contextlib
import glob
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.jack_server import JackServer
from tests.e2e.processes import SAMPLE_RATE, Process, wait_until
from tests.e2e.servers import SINK, PulseServer

PROGRAMS = ("pipewire", "wireplumber", "pipewire-pulse", "dbus-daemon")


def library_folders() -> list[str]:
    """Return where PipeWire's libjack lies; none where it is not installed."""
    return [os.path.dirname(p) for p in glob.glob("/usr/lib*/*/pipewire-0.3/jack/libjack.so.0")]


@dataclass
class PipeWireServer:
    """PipeWire, its session manager and its PulseAudio server; a null sink is the default sink."""

    work: Path
    runtime: Path
    env: dict[str, str]
    pulse: PulseServer = field(init=False)
    jack: "PipeWireJack" = field(init=False)
    processes: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        pulse_env = {"PULSE_SERVER": f"unix:{self.runtime}/pulse/native"}
        self.env = {**self.env, **pulse_env}
        self.pulse = PulseServer(self.work, self.runtime, (SINK,), SAMPLE_RATE, self.env)
        jack_env = {**self.env, "LD_LIBRARY_PATH": library_folders()[0]}
        self.start()
        self.jack = PipeWireJack(self.work, (), SAMPLE_RATE, 1024, jack_env)

    def start(self) -> None:
        """Start all (again, after ``kill``), and wait until all answer."""
        bus = f"dbus-daemon --session --nofork --address=unix:path={self.runtime}/bus"
        commands = {  # with the socket that the next one needs
            bus: "bus",  # WirePlumber ends without one
            "pipewire": "pipewire-0",
            "wireplumber": None,
            "pipewire-pulse": "pulse/native",
        }
        for command, socket in commands.items():
            name, *_ = words = command.split()
            process = Process.start(name, words, self.work, self.env)
            self.processes.append(process)
            if socket is not None:
                wait_until(f"{name} listens", (self.runtime / socket).exists, processes=[process])
        wait_until("its PulseAudio answers", self.pulse.answers, processes=self.processes)
        self.pulse.load("module-null-sink", f"sink_name={SINK}", "channels=2")
        wait_until("it has a sink", lambda: self.pulse.set_default_sink(SINK))
        wait_until("PipeWire is ready", self.pulse.is_ready, processes=self.processes)

    def set(self, setting: str, value: int) -> None:
        """Set one of PipeWire's settings, as ``pw-metadata`` names it; 0 lets it choose."""
        command = ["pw-metadata", "-n", "settings", "0", f"clock.{setting}", str(value)]
        env = {**os.environ, **self.env}
        subprocess.run(command, env=env, check=True, capture_output=True, timeout=60)

    def kill(self) -> None:
        """Kill all, as a crash would."""
        for process in self.processes:
            process.kill()
        self.processes.clear()
        for socket in ("bus", "pipewire-0", "pulse/native", "pulse/pid"):
            (self.runtime / socket).unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop all."""
        for process in reversed(self.processes):
            process.stop()


class PipeWireJack(JackServer):
    """PipeWire as a JACK server; started and stopped with it."""

    def start(self) -> None:
        """Follow the ports of the server that runs now."""
        self.watch()
        self.process = self.watcher  # ends with the server

    def stop(self) -> None:
        """Follow them no more."""
        self.watcher.stop()

    def kill(self) -> None:
        """Do so before PipeWire is killed."""
        self.watcher.kill()


@contextlib.contextmanager
def pipewire_server(work: Path) -> Iterator[PipeWireServer]:
    """Run a private PipeWire, and wait until it answers."""
    with tempfile.TemporaryDirectory(prefix="lc-pw-") as folder:  # a socket's path must be short
        names = ("XDG_RUNTIME_DIR", "PIPEWIRE_RUNTIME_DIR", "XDG_STATE_HOME", "PULSE_RUNTIME_PATH")
        env = dict.fromkeys(names, folder)
        env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={folder}/bus"
        env["PULSE_RUNTIME_PATH"] = f"{folder}/pulse"
        server = PipeWireServer(work, Path(folder), env)
        try:
            yield server
        finally:
            server.jack.stop()
            server.stop()
