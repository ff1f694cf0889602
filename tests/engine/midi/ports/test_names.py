"""Ports through the real RtMidi, on a JACK server of the test's own."""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from engine.core.errors import MidiError
from engine.core.notes import NoteEvent
from engine.midi.port_sink import PortSink
from engine.midi.ports.names import CLIENT_NAME, list_ports, midi_system
from tests.e2e.jack_server import JackServer, jack_server
from tests.e2e.processes import wait_until
from tests.messages import refused
from tests.programs import needs

pytest.importorskip("jack")

pytestmark = [
    pytest.mark.e2e,
    needs("jackd", "jack_connect"),
    pytest.mark.skipif(
        os.path.exists("/dev/snd/seq"), reason="ports open in the ALSA sequencer, not in JACK"
    ),
]
TIMEOUT = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JackServer]:
    """One server for all."""
    with pytest.MonkeyPatch.context() as patch, jack_server(tmp_path_factory.mktemp("jack")) as run:
        for key, value in run.env.items():
            patch.setenv(key, value)
        yield run


KEYBOARD = """
import jack, sys
client = jack.Client("keyboard", no_start_server=True)
port = client.midi_inports.register("keys")
def process(n_samples):
    for _, data in port.incoming_midi_events():
        print(bytes(data).hex(), flush=True)
client.set_process_callback(process)
client.activate()
print("ready", flush=True)
sys.stdin.read()
client.deactivate()
client.close()
"""


class Keyboard:
    """A JACK client ``keyboard`` whose port ``keyboard:keys`` takes MIDI.

    A process of its own: RtMidi holds the GIL while it joins the server, which waits for clients.
    """

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-c", KEYBOARD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()
        assert self._lines.get(timeout=TIMEOUT) == "ready"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())

    def messages(self, n: int) -> list[bytes]:
        """Return the next ``n`` messages; queue.Empty if they do not come."""
        return [bytes.fromhex(self._lines.get(timeout=TIMEOUT)) for _ in range(n)]

    def close(self) -> None:
        """Leave the server."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(TIMEOUT)


@pytest.fixture(scope="module")
def keyboard(server: JackServer) -> Iterator[Keyboard]:
    client = Keyboard()
    yield client
    client.close()


def test_a_new_name_opens_a_virtual_port_of_that_name(
    server: JackServer, keyboard: Keyboard
) -> None:
    sink = PortSink("My Piano")
    assert sink.is_virtual
    port = f"{CLIENT_NAME}:My Piano"
    server.wait_for_port(port)
    server.connect(port, "keyboard:keys")
    sink.send(NoteEvent(0.0, 60, 100, channel=2))
    sink.send(NoteEvent(0.5, 60, 0, channel=2))
    sink.close()
    assert keyboard.messages(4) == [
        bytes((0x91, 60, 100)),
        bytes((0x81, 60, 0)),
        bytes((0xB1, 64, 0)),
        bytes((0xB1, 123, 0)),
    ]
    sink.close()
    wait_until("the port is gone", lambda: port not in server.ports())
    with refused(MidiError, "'My Piano'", "closed"):
        sink.send(NoteEvent(1.0, 60, 100))


@pytest.mark.parametrize("name", ["keyboard:keys", "Keyboard", "keys"])
def test_the_name_of_a_port_that_is_there_opens_that_port(keyboard: Keyboard, name: str) -> None:
    sink = PortSink(name)
    assert not sink.is_virtual
    sink.send(NoteEvent(0.0, 64, 80))
    sink.send(NoteEvent(0.1, 64, 0))
    assert keyboard.messages(2) == [bytes((0x90, 64, 80)), bytes((0x80, 64, 0))]
    sink.panic()
    assert keyboard.messages(64)[:4] == [bytes((0xB0, c, 0)) for c in (64, 120, 121, 123)]
    sink.close()


def test_ports_and_the_system_are_listed(keyboard: Keyboard) -> None:
    assert midi_system() == "JACK"
    assert "keyboard:keys" in list_ports()


def test_without_a_server_the_error_says_what_to_start() -> None:
    code = "from engine.midi.port_sink import PortSink; PortSink('LiveCover')"
    env = {**os.environ, "JACK_DEFAULT_SERVER": "livecover-none", "JACK_NO_START_SERVER": "1"}
    result = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60
    )
    last_line = result.stderr.splitlines()[-1]
    assert "MidiError: no MIDI system answers: expected" in last_line
    assert "start JACK or PipeWire" in last_line
