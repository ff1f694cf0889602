"""RtMidi's clients of JACK, each in a process of its own, with RtMidi's own methods.

A JACK server that dies or stands still takes the process of its client with it: RtMidi fills a ring
that nobody empties and then waits with the interpreter's lock held, libjack frees clients that are
in use, and closing one waits for a server that does not answer. Here that costs a process which is
ended and started again, and no call waits for long. Linux; elsewhere, and for ALSA, RtMidi serves
in this process. Not here: what runs in that process (``engine.midi.ports.jack_child``).
"""

import collections
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rtmidi

from engine.system.bounded import get_with_timeout

START_S = 6.0
"""Seconds that a server has to let a client in."""
ANSWER_S = 3.0
CLOSE_S = 0.75
"""Seconds for what was sent last to leave; a process that needs longer goes on by itself."""

_ROOT = str(Path(__file__).parents[3])
_CODE = (
    "import sys; sys.path.append(sys.argv.pop(1));"
    "from engine.midi.ports.jack_child import main; main(*sys.argv[1:])"
)


class JackClient:
    """What input and output have in common.

    Raises ``rtmidi.SystemError``, as each method does once the server is gone.

    Attributes
    ----------
    connections : tuple of str
        The ports that this one is connected to, or shall be once they are there.
    system : str
        JACK, or PipeWire in its stead.
    period : float
        Seconds of the graph's period: a message waits for its end.
    """

    kind: str

    def __init__(self, name: str) -> None:
        self.connections: tuple[str, ...] = ()
        self.period = 0.0
        self._asking = threading.Lock()
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._heard: collections.deque[tuple[list[int], float]] = collections.deque(maxlen=4096)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CODE, _ROOT, self.kind, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us: it ends once the notes have
        )
        assert self._process.stdin is not None
        self._to = self._process.stdin.fileno()
        os.set_blocking(self._to, False)
        threading.Thread(target=self._read, name=f"jack-{self.kind}", daemon=True).start()
        try:
            self.system = str(self._answer(START_S))
        except rtmidi.SystemError:
            self.delete()
            raise

    def get_ports(self) -> list[str]:
        """Return the names of the ports that this one can be connected to."""
        return list(self._ask("ports"))

    def open_port(self, port: int, name: str) -> None:
        """Open a port called ``name`` and connect it."""
        self._ask("open", port, name)

    def open_virtual_port(self, name: str) -> None:
        """Open a port for others to connect to."""
        self._ask("open", None, name)

    def reconnect(self, ports: Sequence[str]) -> None:
        """Connect to these ports, as soon as each is there."""
        self.connections = tuple(ports)  # to be remembered, though none should come in time
        self._ask("reconnect", *ports)

    def get_current_api(self) -> int:
        """Return RtMidi's number for JACK."""
        return int(rtmidi.API_UNIX_JACK)

    def delete(self) -> None:
        """Close the port and leave the server; wait for that for ``CLOSE_S`` at most.

        Then the process goes on leaving by itself, for ``jack_child.HANG_S`` at most: a server that
        waits for each client would hang on one that was killed.
        """
        with contextlib.suppress(rtmidi.SystemError):
            self._write("close")
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            threading.Thread(target=self._process.wait, name="jack-leaves", daemon=True).start()

    def _write(self, *words: object) -> None:
        """Write a line. Never waits: a line goes as a whole or not at all (pipe(7))."""
        try:
            os.write(self._to, json.dumps(words).encode() + b"\n")
        except BlockingIOError:
            raise rtmidi.SystemError("the JACK server does not answer") from None
        except OSError:
            raise rtmidi.SystemError("the JACK server is gone") from None

    def _ask(self, *words: object) -> Any:
        with self._asking:
            self._write(*words)
            return self._answer(ANSWER_S)

    def _answer(self, timeout: float) -> Any:
        """Return the answer to what was asked; a process that gives none is killed."""
        try:
            answer = get_with_timeout(self._answers, timeout)
        except TimeoutError:
            self._process.kill()
            self._process.wait()
            raise rtmidi.SystemError("the JACK server does not answer") from None
        if answer is None:
            self._answers.put(None)  # nor will there be another
            self._process.wait()
            raise rtmidi.SystemError("the JACK server is gone")
        if "error" in answer:
            raise rtmidi.SystemError(answer["error"])
        return answer["reply"]

    def _read(self) -> None:
        """Dispatch the process's output, until it ends. On a thread of its own."""
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                said = json.loads(line)
                if "received" in said:
                    message, since_last = said["received"]
                    self._heard.append((message, since_last))
                elif "period" in said:
                    self.period = float(said["period"])
                elif "connections" in said:
                    self.connections = tuple(said["connections"])
                else:
                    self._answers.put(said)
        self._answers.put(None)


class JackOutput(JackClient):
    """As ``rtmidi.MidiOut``."""

    kind = "output"

    def send_message(self, message: Sequence[int]) -> None:
        """Send; never waits."""
        self._write("send", *message)


class JackInput(JackClient):
    """As ``rtmidi.MidiIn``."""

    kind = "input"

    def ignore_types(self, sysex: bool, timing: bool, active_sense: bool) -> None:
        """Choose which messages are ignored."""
        self._ask("ignore", sysex, timing, active_sense)

    def get_message(self) -> tuple[list[int], float] | None:
        """Return a message and the seconds since the one before; None where there is none."""
        return self._heard.popleft() if self._heard else None
