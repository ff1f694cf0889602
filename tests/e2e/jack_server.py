"""A private JACK server with the dummy driver."""

import contextlib
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.processes import SAMPLE_RATE, Process, wait_until

JACK_PERIOD = 1024  # at 256 a starved client misses a cycle, and the MIDI in that cycle is lost
WATCHER = Path(__file__).with_name("jack_watcher.py")
_serial = itertools.count()


@dataclass
class JackServer:
    """A JACK server with the dummy driver, under a name of its own."""

    work: Path
    command: Sequence[str]
    sample_rate: int
    period: int
    env: dict[str, str]
    process: Process = field(init=False)
    watcher: Process = field(init=False)  # ``jack_watcher.py``

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start the server (again, after ``kill``); wait until it answers or has ended."""
        self.process = Process.start(f"jackd-{next(_serial)}", self.command, self.work, self.env)
        self.watch()
        wait_until("JACK answers or ends", self.is_up_or_over)

    def watch(self) -> None:
        """Follow the ports of the server that runs now."""
        watch = [sys.executable, str(WATCHER), "watcher"]
        self.watcher = Process.start(f"watcher-{next(_serial)}", watch, self.work, self.env)

    def stop(self) -> None:
        """Stop the server."""
        self.watcher.stop()
        self.process.stop()

    def _run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        env = {**os.environ, **self.env}
        try:
            return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30)
        except (
            subprocess.TimeoutExpired
        ) as error:  # a client's tool waits for ever for a dead server
            return subprocess.CompletedProcess(command, 124, "", str(error))

    def ports(self) -> list[str]:
        """Return the full names of all ports; none where there is no server, or no more."""
        whole = re.findall(r"^ports (\[.*\])\n", self.watcher.text(), re.MULTILINE)
        ports: list[str] = json.loads(whole[-1]) if whole else []
        return ports

    def has_ended(self) -> bool:
        """Return whether its process has."""
        return self.process.popen.poll() is not None

    def is_up_or_over(self) -> bool:
        """Return whether the server answers, or has ended."""
        return bool(self.ports()) or self.has_ended()

    def has_no_clients(self) -> bool:
        """Return whether no ports are left but the driver's own."""
        return all(port.startswith("system:") for port in self.ports())

    def wait_for_port(self, name: str, *clients: Process, timeout: float = 60.0) -> None:
        """Wait until the port of this full name exists; fail at once if a client dies."""
        processes = [self.process, *clients]
        try:
            wait_until(f"JACK port {name}", lambda: name in self.ports(), timeout, processes)
        except AssertionError as error:
            said = "; ".join(f"{client.name}: {client.tail()}" for client in clients)
            raise AssertionError(f"{error}; there are {self.ports()}; {said}") from error

    def connect(self, source: str, destination: str) -> None:
        """Connect two ports; raises AssertionError with JACK's words if it cannot."""
        result = self._run("jack_connect", source, destination)
        assert result.returncode == 0, f"{source} -> {destination}: {result.stderr}"

    def disconnect(self, source: str, destination: str) -> None:
        """Disconnect two ports."""
        result = self._run("jack_disconnect", source, destination)
        assert result.returncode == 0, f"{source} -> {destination}: {result.stderr}"

    def kill(self) -> None:
        """Kill the server, as a crash would."""
        self.watcher.stop()
        self.process.kill()


@contextlib.contextmanager
def jack_server(
    work: Path,
    sample_rate: int = SAMPLE_RATE,
    period: int = JACK_PERIOD,
    is_synchronous: bool = True,
) -> Iterator[JackServer]:
    """Run a private JACK server with the dummy driver, and wait until it answers.

    ``is_synchronous``: a cycle waits for a client that is late. Without it, a cycle that a client
    misses on a busy machine is lost, and the MIDI in it; but with it, the server may hang when a
    client is killed.
    """
    server = _start_jack(work, sample_rate, period, is_synchronous)
    try:
        yield server
    finally:
        with contextlib.suppress(AssertionError):  # it hangs on a client that is just leaving
            wait_until("clients have left", server.has_no_clients, 2, [server.process])
        server.stop()


def _start_jack(work: Path, sample_rate: int, period: int, is_synchronous: bool) -> JackServer:
    """Start jackd under the first free name.

    JACK knows eight servers by name, and gives the place of one that was killed to none but the
    next of that name: hence few names, used again and again.
    """
    for name in (f"livecover-test-{k}" for k in range(4)):
        env = {
            "JACK_DEFAULT_SERVER": name,
            "JACK_NO_START_SERVER": "1",
            "JACK_NO_AUDIO_RESERVATION": "1",
        }
        command = f"jackd -n {name} -r -t 5000 {'-S ' if is_synchronous else ''}"
        command += f"-d dummy -r {sample_rate} -p {period}"
        server = JackServer(work, command.split(), sample_rate, period, env)
        if not server.has_ended():
            return server
        server.watcher.stop()
        assert "already active" in server.process.text(), server.process.tail()
    raise AssertionError(f"four JACK servers run already: {server.process.tail()}")
