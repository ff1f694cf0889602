"""Ways to end a session in mid-song while a server hangs, and what was left behind by it.

A server hangs by SIGSTOP: it answers nothing, and what it was asked never returns. Not here: what
must be true of it (``test_ways_out``), and a table of it (``livecover.bench.endings``).
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import songs, takes
from tests.e2e.chain import COMMAND, PORT, START_TIMEOUT, Chain, chain
from tests.e2e.processes import Process, wait_until
from tests.e2e.terminal import at_terminal

HANGING = ("nothing", "PulseAudio", "jackd", "both")
SINKS = ("livecover_null", "room")
GIVE_UP_S = 20.0  # far above what any takes


@dataclass(frozen=True, slots=True)
class Way:
    """A way out."""

    name: str
    leave: Callable[[Process, Chain], None]
    options: tuple[str, ...] = ()
    input: str = "loopback"
    keys: str = ""
    """What is typed; else there is no terminal."""
    needs: tuple[str, ...] = HANGING
    """What may hang meanwhile."""


@dataclass(frozen=True, slots=True)
class Left:
    """What an ended session has left."""

    seconds: float  # from the way out to the process's end
    code: int | None  # None: it had to be killed
    n_notes: int  # in the MIDI file, all of them ended
    n_take: int  # notes of the recorded take
    is_whole: bool  # whether the take says so
    n_stuck: int | None  # notes still on at the port; None where its server hung
    said: str


def _signal(number: signal.Signals) -> Callable[[Process, Chain], None]:
    return lambda process, chain: process.popen.send_signal(number)


def _lose_the_device(process: Process, chain: Chain) -> None:
    chain.pulse.kill()
    wait_until("word of the loss", lambda: "trying again" in process.text(), 10, [process])


def _nothing(process: Process, chain: Chain) -> None:
    pass


WAYS = (
    Way("Ctrl-C", _signal(signal.SIGINT)),
    Way("SIGTERM", _signal(signal.SIGTERM)),
    Way("SIGHUP", _signal(signal.SIGHUP)),
    Way("q", _nothing, ("--tui",), keys="q"),
    Way("Ctrl-C with the panel open", _signal(signal.SIGINT), ("--panel", "--panel-port", "0")),
    Way("end of the file", _nothing, input="file"),
    Way("Ctrl-C after a loss", _signal(signal.SIGINT), needs=("nothing", "jackd")),
)


def end(work: Path, way: Way, hanging: str, *arguments: str) -> Left:
    """Play a song, let a server hang in mid-note, leave, and look."""
    song = songs.tune_song(work / "tune.wav")
    if way.input == "loopback":
        song = songs.long_note_song(work / "chords.wav")
    with chain(work, is_synchronous=False, sinks=SINKS) as running, contextlib.ExitStack() as stack:
        process, terminal = stack.enter_context(_started(way, song, running, arguments))
        running.jack.wait_for_port(PORT, process, timeout=START_TIMEOUT)
        running.jack.connect(PORT, "recorder:midi")
        if "panel" in way.name:
            stack.enter_context(_page(process))
        if way.input == "loopback":
            running.wait_until_heard(process)
            stack.enter_context(running.pulse.playing(song.path))
        running.recorder.wait_for("notes", lambda heard: len(takes.ons(heard)) >= 4)
        at = time.monotonic()
        if "loss" in way.name:
            _lose_the_device(process, running)
        with _hung(running, hanging):
            if way.input == "file":  # 4 of its notes have come, and the rest of it is to come
                at += song.duration - song.onsets[3][0]
            else:
                at = time.monotonic()
            way.leave(process, running)
            os.write(terminal, way.keys.encode())
            code = _wait(process)
            seconds = time.monotonic() - at
        return _look(running, process, hanging, code, seconds)


def _wait(process: Process) -> int | None:
    """Return the exit code, None where the process had to be killed."""
    try:
        return process.popen.wait(GIVE_UP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return None


def _look(running: Chain, process: Process, hanging: str, code: int | None, seconds: float) -> Left:
    """Return what was left."""
    file = takes.read_midi_file(running.work / "take.mid")
    (about,) = (running.work / "takes").glob("*.json")
    (midi,) = (running.work / "takes").glob("*.mid")
    take = takes.read_midi_file(midi)
    assert takes.has_pairs_only(file) and takes.has_pairs_only(take)
    n_stuck = None
    if hanging not in ("jackd", "both"):
        n_stuck = len(takes.unended(running.recorder.messages()))
    is_whole = bool(json.loads(about.read_text())["is_whole"])
    n_file, n_take = len(takes.ons(file)), len(takes.ons(take))
    return Left(seconds, code, n_file, n_take, is_whole, n_stuck, process.text())


@contextlib.contextmanager
def _started(
    way: Way, song: songs.Song, running: Chain, arguments: Sequence[str]
) -> Iterator[tuple[Process, int]]:
    """Run livecover at a terminal of its own; give it and the terminal's other side."""
    source = str(song.path) if way.input == "file" else way.input
    command = [*COMMAND, "--input", source, "--midi-out", "LiveCover", "--midi-out", "take.mid"]
    command += ["--record", "takes", "--monitor", "room", *way.options, *arguments]
    with at_terminal("livecover", command, running.work, running.env) as opened:
        yield opened


@contextlib.contextmanager
def _page(process: Process) -> Iterator[None]:
    """Have a page of the panel open."""
    wait_until("the panel", lambda: "panel at " in process.text(), START_TIMEOUT, [process])
    found = re.search(r"panel at (http\S+)", process.text())
    assert found is not None, process.tail()
    command = [sys.executable, "-m", "livecover.bench.panel_reader", found[1]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as page:
        assert page.stdout is not None and page.stdin is not None
        assert page.stdout.readline() == b"open\n"
        try:
            yield
        finally:
            page.kill()


@contextlib.contextmanager
def _hung(running: Chain, hanging: str) -> Iterator[None]:
    """Let a server, or both, hang within the block."""
    assert running.pulse.process is not None
    pulse, jack = running.pulse.process.popen, running.jack.process.popen
    stopped = {"nothing": [], "PulseAudio": [pulse], "jackd": [jack], "both": [pulse, jack]}
    try:
        for server in stopped[hanging]:
            server.send_signal(signal.SIGSTOP)
        yield
    finally:
        for server in stopped[hanging]:
            server.send_signal(signal.SIGCONT)
