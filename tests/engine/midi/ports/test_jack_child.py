"""The process of a JACK client, with a client and a server of the test's own."""

import io
import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from engine.midi.ports import jack_child

pytest.importorskip("rtmidi")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="JACK clients of Linux")


class Server:
    """A server that begins a cycle of 64 frames at every second look at its time."""

    def __init__(self, *_: object) -> None:
        self.n_looks = 0

    def frame(self) -> int:
        self.n_looks += 1
        return 64 * (self.n_looks // 2)

    def ports(self) -> set[str]:
        return set()

    def close(self) -> None:
        pass


class Output:
    """Notes in which cycle a message was sent and the port closed."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.sent: list[int] = []
        self.deleted: int | None = None

    def get_ports(self) -> list[str]:
        return []

    def send_message(self, _: object) -> None:
        self.sent.append(self._server.n_looks // 2)

    def delete(self) -> None:
        self.deleted = self._server.n_looks // 2


def test_a_port_closes_once_the_last_note_off_was_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server()
    output = Output(server)
    rtmidi: Any = SimpleNamespace(API_UNIX_JACK=2, MidiOut=lambda **_: output)
    monkeypatch.setitem(sys.modules, "rtmidi", rtmidi)
    monkeypatch.setattr(jack_child, "JackWatch", lambda *_: server)
    monkeypatch.setattr(jack_child, "CHECK_EVERY_S", 60.0)
    lines = b"".join(
        json.dumps(line).encode() + b"\n" for line in (["send", 0x80, 60, 0], ["close"])
    )
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(lines)))
    jack_child.Child("output", "LiveCover", "libjack.so.0").serve()
    assert len(output.sent) == 1 and output.deleted is not None
    assert output.deleted - output.sent[0] >= 2
