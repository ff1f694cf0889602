"""Real audio and MIDI servers without hardware, private to one test: PulseAudio, JACK, FluidSynth.

Every function here is a context manager that yields a running server, ready to be used, and stops
it at the end; nest them so that clients stop before their server. Sockets and files lie in the
folder given, a private runtime folder of short path, or (JACK) under a name of the test's own.
``server.env`` holds the variables that point a client at it: ``{**os.environ, **server.env}``.
Not here: the tests.
"""

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("jackd", "jack_connect", "jack_disconnect", "pulseaudio", "pactl", "paplay", "parec")
"""What everything here runs; FluidSynth apart."""

SAMPLE_RATE = 44100
SINK = "livecover_null"
SOUNDFONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
JACK_PERIOD = 1024  # at 256 a starved client misses a cycle, and the MIDI in that cycle is lost
WATCHER = Path(__file__).with_name("jack_watcher.py")
_serial = itertools.count()


def wait_until(
    what: str,
    condition: Callable[[], bool],
    timeout: float = 60.0,
    processes: Sequence["Process"] = (),
) -> None:
    """Return once ``condition()`` holds.

    Raises AssertionError after ``timeout`` seconds, or at once if one of ``processes`` died.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        for process in processes:
            code = process.popen.poll()
            assert code is None, f"{process.name} ended with {code} before {what}: {process.tail()}"
        assert time.monotonic() < deadline, f"{timeout:g} s passed without: {what}"
        time.sleep(0.02)  # between two looks at a condition of another process


@dataclass
class Process:
    """A program of the test's own, its output in ``NAME.log``."""

    name: str
    popen: "subprocess.Popen[bytes]"
    log: Path

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        work: Path,
        env: Mapping[str, str],
        stdin: int = subprocess.DEVNULL,
    ) -> "Process":
        """Start ``command`` in ``work`` with ``env`` on top of this process's environment."""
        log = work / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                command,
                cwd=work,
                env={**os.environ, **env},
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name, popen, log)

    def stop(self, timeout: float = 5.0) -> int:
        """End the program with SIGTERM, with SIGKILL after ``timeout`` seconds; return its code."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.popen.wait()

    def kill(self) -> None:
        """End the program with SIGKILL, as a crash would, and reap it."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()

    def wait(self, timeout: float = 60.0) -> int:
        """Return the program's code once it has ended by itself."""
        return self.popen.wait(timeout)

    def text(self) -> str:
        """Return all that the program wrote."""
        return self.log.read_text(errors="replace")

    def tail(self, n: int = 800) -> str:
        """Return the last ``n`` characters that the program wrote."""
        return self.text()[-n:]


@dataclass
class PulseServer:
    """A PulseAudio server with null sinks; ``sinks[0]`` is the default sink when it starts."""

    work: Path
    runtime: Path
    sinks: tuple[str, ...]
    sample_rate: int
    env: dict[str, str]
    process: Process | None = None

    def start(self) -> None:
        """Start the server (again, after ``kill``) and wait until it answers and has its sinks."""
        socket = self.runtime / "pulse.sock"
        lines = [
            ".fail",
            f"load-module module-native-protocol-unix auth-anonymous=1 socket={socket}",
            *(
                f"load-module module-null-sink sink_name={sink} rate={self.sample_rate} channels=2"
                for sink in self.sinks
            ),
            f"set-default-sink {self.sinks[0]}",
        ]
        script = self.work / "pulse.conf"
        script.write_text("\n".join(lines) + "\n")
        socket.unlink(missing_ok=True)  # a killed server leaves its socket and pid file
        (self.runtime / "pid").unlink(missing_ok=True)
        command = f"pulseaudio -n -F {script} --exit-idle-time=-1 --daemonize=no --disable-shm=yes"
        command += " --realtime=no --high-priority=no --use-pid-file=no"
        self.process = Process.start("pulseaudio", command.split(), self.work, self.env)
        wait_until("PulseAudio answers", self.is_ready, processes=[self.process])

    def is_ready(self) -> bool:
        """Return whether the server answers and has its default sink."""
        return f"Default Sink: {self.sinks[0]}" in self._pactl("info", check=False).stdout

    def answers(self) -> bool:
        """Return whether the server answers."""
        return self._pactl("info", check=False).returncode == 0

    def kill(self) -> None:
        """Kill the server, as a crash would."""
        assert self.process is not None
        self.process.kill()

    def stop(self) -> None:
        """Stop the server; nothing happens if it does not run."""
        if self.process is not None:
            self.process.stop()

    def _pactl(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        env = {**os.environ, **self.env, "LC_ALL": "C"}
        return subprocess.run(
            ["pactl", *arguments], env=env, capture_output=True, text=True, check=check, timeout=60
        )

    def load(self, module: str, *arguments: str) -> None:
        """Load a module of PulseAudio."""
        self._pactl("load-module", module, *arguments)

    def set_default_sink(self, sink: str) -> bool:
        """Make ``sink`` the default sink; return whether the server could."""
        return self._pactl("set-default-sink", sink, check=False).returncode == 0

    def is_heard_by(self, client: str) -> bool:
        """Return whether a client of this name records now."""
        return client in self._pactl("list", "source-outputs", check=False).stdout

    def source_of(self, stream: str) -> str:
        """Return the name of the source at which the recording stream of this name is."""
        names = {
            index: name
            for index, name, *_ in map(
                str.split, self._pactl("list", "short", "sources").stdout.splitlines()
            )
        }
        outputs = self._pactl("list", "source-outputs").stdout.split("Source Output #")
        (output,) = (text for text in outputs if f'media.name = "{stream}"' in text)
        found = re.search(r"Source: (\d+)", output)
        assert found is not None, output
        return names[found[1]]

    def set_mute(self, sink: str, muted: bool) -> None:
        """Mute ``sink`` or unmute it."""
        self._pactl("set-sink-mute", sink, "1" if muted else "0")

    def play_from_memory(self, path: Path, sink: str) -> None:
        """Have the server play an audio file of its own into ``sink``; return at once.

        No sample is lost or late, however busy the machine: there is no player to wait for.
        """
        self._pactl("upload-sample", str(path), path.stem)
        self._pactl("play-sample", path.stem, sink)

    @contextlib.contextmanager
    def playing(self, path: Path, sink: str | None = None) -> Iterator[Process]:
        """Play an audio file into ``sink`` (default: the default sink); stop it at the end.

        ``process.popen.wait()`` waits until it has played.
        """
        to = [] if sink is None else [f"--device={sink}"]
        player = Process.start(
            f"paplay-{next(_serial)}", ["paplay", *to, str(path)], self.work, self.env
        )
        try:
            yield player
        finally:
            player.stop()


@contextlib.contextmanager
def pulse_server(
    work: Path, sinks: Sequence[str] = (SINK,), sample_rate: int = SAMPLE_RATE
) -> Iterator[PulseServer]:
    """Run a private PulseAudio server with one null sink for each name in ``sinks``."""
    with tempfile.TemporaryDirectory(prefix="lc-pulse-") as folder:  # a socket's path must be short
        runtime = Path(folder)
        env = {
            "PULSE_SERVER": f"unix:{runtime}/pulse.sock",
            "PULSE_RUNTIME_PATH": str(runtime),
            "PULSE_STATE_PATH": str(runtime),
            "PULSE_COOKIE": str(runtime / "cookie"),
        }
        server = PulseServer(work, runtime, tuple(sinks), sample_rate, env)
        try:
            server.start()
            yield server
        finally:
            server.stop()


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


@contextlib.contextmanager
def fluidsynth(
    work: Path, jack: JackServer, name: str = "fluid", soundfont: Path = SOUNDFONT
) -> Iterator[Process]:
    """Run FluidSynth as JACK client: ``NAME:midi_00`` in, ``NAME:left`` and ``NAME:right`` out.

    Dry (no reverb, no chorus), so that a note's end can be heard.
    """
    options = {
        "audio.jack.id": name,
        "midi.jack.id": name,
        "synth.sample-rate": str(jack.sample_rate),
        "synth.reverb.active": "0",
        "synth.chorus.active": "0",
    }
    command = ["fluidsynth", "-a", "jack", "-m", "jack", "-g", "1.0"]
    for key, value in options.items():
        command += ["-o", f"{key}={value}"]
    command.append(str(soundfont))
    process = Process.start("fluidsynth", command, work, jack.env, stdin=subprocess.PIPE)
    try:
        jack.wait_for_port(f"{name}:midi_00", process)
        jack.wait_for_port(f"{name}:left", process)
        yield process
    finally:
        assert process.popen.stdin is not None
        process.popen.stdin.close()  # ends its shell, and it takes leave of JACK; SIGTERM kills it
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.stop()
