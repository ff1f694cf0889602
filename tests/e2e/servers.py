"""Real audio and MIDI servers without hardware, private to one test: PulseAudio, JACK, FluidSynth.

Every function here is a context manager that yields a running server, ready to be used, and stops
it at the end; nest them so that clients stop before their server. Sockets and files lie in the
folder given, a private runtime folder of short path, or (JACK) under a name of the test's own.
``server.env`` holds the variables that point a client at it: ``{**os.environ, **server.env}``.
Not here: the tests.
"""

import contextlib
import itertools
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.jack_server import JackServer
from tests.e2e.processes import SAMPLE_RATE, Process, wait_until

PROGRAMS = ("jackd", "jack_connect", "jack_disconnect", "pulseaudio", "pactl", "paplay", "parec")
"""What everything here runs; FluidSynth apart."""

SINK = "livecover_null"
SOUNDFONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
_serial = itertools.count()


@dataclass
class PulseServer:
    """A PulseAudio server with null sinks; ``sinks[0]`` is the default sink when it starts."""

    work: Path
    runtime: Path
    sinks: tuple[str, ...]
    sample_rate: int
    env: dict[str, str]
    sink_options: str = ""
    process: Process | None = None

    def start(self) -> None:
        """Start the server (again, after ``kill``) and wait until it answers and has its sinks."""
        socket = self.runtime / "pulse.sock"
        lines = [
            ".fail",
            f"load-module module-native-protocol-unix auth-anonymous=1 socket={socket}",
            *(
                f"load-module module-null-sink sink_name={sink} rate={self.sample_rate} channels=2"
                f" {self.sink_options}"
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

    def list(self, *what: str) -> str:
        """Return what the server lists of ``what``, as pactl prints it."""
        return self._pactl("list", *what).stdout

    def move(self, stream: str, sink: str) -> None:
        """Move the playing stream of this index to a sink."""
        self._pactl("move-sink-input", stream, sink)

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

    def suspend(self, sink: str, suspended: bool) -> None:
        """Let ``sink`` sleep, or wake it up."""
        self._pactl("suspend-sink", sink, "1" if suspended else "0")

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
    work: Path,
    sinks: Sequence[str] = (SINK,),
    sample_rate: int = SAMPLE_RATE,
    sink_options: str = "",
) -> Iterator[PulseServer]:
    """Run a private PulseAudio server with one null sink for each name in ``sinks``.

    ``sink_options`` "norewinds=1" makes them as quick as a sound card: else one that is idle plays
    two seconds ahead, and what comes is heard after those.
    """
    with tempfile.TemporaryDirectory(prefix="lc-pulse-") as folder:  # a socket's path must be short
        runtime = Path(folder)
        env = {
            "PULSE_SERVER": f"unix:{runtime}/pulse.sock",
            "PULSE_RUNTIME_PATH": str(runtime),
            "PULSE_STATE_PATH": str(runtime),
            "PULSE_COOKIE": str(runtime / "cookie"),
        }
        server = PulseServer(work, runtime, tuple(sinks), sample_rate, env, sink_options)
        try:
            server.start()
            yield server
        finally:
            server.stop()


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
