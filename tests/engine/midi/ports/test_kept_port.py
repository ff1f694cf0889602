"""A port that goes and comes back, on a stand-in for RtMidi; who looks is the test."""

import logging
import threading
from collections.abc import Iterator, Sequence

import pytest
import rtmidi

from engine.core.errors import MidiError
from engine.core.notes import NoteEvent
from engine.midi.ports import kept_port
from engine.midi.ports.kept_port import KeptPort
from engine.midi.ports.names import MidiOutput
from engine.midi.sinks import PortSink
from tests.engine.midi_fakes import HARDWARE, Client
from tests.messages import refused

PIANO = "Yamaha P-125:Yamaha P-125 MIDI 1 20:0"
NOTE = NoteEvent(0.0, 60, 100)


def sink_of(name: str, clients: Sequence[Client]) -> PortSink:
    """Return a sink that takes one client after the other."""
    remaining: Iterator[MidiOutput] = iter(clients)
    return PortSink(name, connect=lambda: next(remaining), check_every=None)


def test_a_virtual_port_that_breaks_is_made_again(caplog: pytest.LogCaptureFixture) -> None:
    clients = [Client(), Client(), Client(["other:LiveCover"])]
    sink = sink_of("LiveCover", clients)
    clients[0].error = rtmidi.SystemError("the JACK server is gone")
    with refused(MidiError, "'LiveCover'", "gone", "JACK server"):
        sink.send(NOTE)
    assert not sink.is_there and sink.n_losses == 1
    assert not clients[0].is_deleted  # closing may take long: not on the thread that sends
    with pytest.raises(MidiError, match="still gone"):
        sink.send(NOTE)
    clients[1].has_server = False
    sink.port.check()
    assert clients[0].is_deleted and clients[1].is_deleted and not sink.is_there
    sink.port.check()
    sink.send(NOTE)
    assert clients[2].opened == (None, "LiveCover")  # what it was it stays
    assert clients[2].sent == [(0x90, 60, 100)]
    assert [r.message.split(" (")[0] for r in caplog.records if r.levelno >= logging.WARNING] == [
        "MIDI port 'LiveCover' is gone",
        "MIDI port 'LiveCover' is back",
    ]
    assert sink.is_there and sink.n_losses == 1


def test_hardware_that_has_left_is_waited_for_and_never_made() -> None:
    without = [port for port in HARDWARE if port != PIANO]
    clients = [Client(HARDWARE), Client(without), Client([*without, PIANO.replace("20:0", "28:0")])]
    sink = sink_of("yamaha", clients)
    sink.port.check()
    sink.send(NOTE)
    clients[0].ports = without  # ALSA takes what is sent to nobody without a word
    sink.port.check()
    assert not sink.is_there and sink.n_losses == 1
    assert clients[1].opened is None and clients[1].is_deleted
    with refused(MidiError, "'yamaha'", "gone"):
        sink.send(NOTE)
    sink.port.check()
    assert sink.is_there and not sink.is_virtual
    assert clients[2].opened == (len(without), "yamaha")


def test_a_server_that_ends_is_seen_though_nothing_is_sent() -> None:
    clients = [Client(), Client()]
    sink = sink_of("LiveCover", clients)
    clients[0].has_server = False
    sink.port.check()
    assert clients[0].is_deleted
    assert sink.is_there and sink.n_losses == 1


def test_no_client_is_deleted_while_it_sends() -> None:
    class Slow(Client):
        """Sends until told to go on."""

        def __init__(self) -> None:
            super().__init__()
            self.is_sending, self.may_go_on = threading.Event(), threading.Event()

        def send_message(self, message: Sequence[int]) -> None:
            self.is_sending.set()
            assert self.may_go_on.wait(20.0)
            assert not self.is_deleted

    client = Slow()
    port: KeptPort[Client] = KeptPort("LiveCover", lambda: client, check_every=None)
    sender = threading.Thread(target=port.use, args=(lambda c: c.send_message((0x90, 60, 1)),))
    sender.start()
    assert client.is_sending.wait(20.0)
    closer = threading.Thread(target=port.close)
    closer.start()
    client.may_go_on.set()
    sender.join(20.0)
    closer.join(20.0)
    assert client.is_deleted and not port.is_there


def test_closing_waits_for_no_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Client):
        """Never closes of itself."""

        may_close = threading.Event()

        def delete(self) -> None:
            assert self.may_close.wait(20.0)
            super().delete()

    monkeypatch.setattr(kept_port, "CLOSE_S", 0.01)
    client = Hanging()
    sink = PortSink("LiveCover", connect=lambda: client)
    sink.close()
    assert not client.is_deleted
    client.may_close.set()


def test_a_port_that_is_gone_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asks, may_answer, first = threading.Event(), threading.Event(), Client()
    clients = iter([first])

    def connect() -> MidiOutput:
        if (client := next(clients, None)) is not None:
            return client
        asks.set()
        assert may_answer.wait(60)
        raise rtmidi.SystemError("the JACK server does not answer")

    port = KeptPort("LiveCover", connect, check_every=0.001)
    first.has_server = False
    assert asks.wait(60)
    waits: list[float] = []
    monkeypatch.setattr(kept_port, "join_thread", lambda thread, seconds: waits.append(seconds))
    port.close()
    port.close()
    assert waits == []
    may_answer.set()


def test_the_thread_brings_a_port_back() -> None:
    clients = [Client(), Client()]
    remaining = iter(clients)
    port: KeptPort[Client] = KeptPort("LiveCover", lambda: next(remaining), check_every=1000.0)
    clients[0].error = rtmidi.SystemError("gone")
    with pytest.raises(MidiError):
        port.use(lambda client: client.send_message((0x90, 60, 1)))
    assert clients[1].has_opened.wait(20.0)  # at once, not when it would have looked
    port.close()
    assert clients[0].is_deleted and clients[1].is_deleted
