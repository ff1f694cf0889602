"""What ``rtmidi.MidiOut`` looks like from outside."""

import threading
from collections.abc import Sequence

import rtmidi

HARDWARE = [
    "Midi Through:Midi Through Port-0 14:0",
    "Yamaha P-125:Yamaha P-125 MIDI 1 20:0",
    "USB Synth:USB Synth MIDI 1 24:0",
    "USB Synth:USB Synth MIDI 2 24:1",
    "ardour:LiveCoverIn/midi_in 1",
]


class Client:
    """What ``rtmidi.MidiOut`` looks like from outside.

    As there, it opens one port, which must be in the list, and takes messages of up to three bytes;
    unlike there, a test hears of two threads that send at once.
    """

    def __init__(self, ports: Sequence[str] = (), can_make_virtual: bool = True) -> None:
        self.ports = list(ports)
        self.can_make_virtual = can_make_virtual
        self.opened: tuple[int | None, str] | None = None
        self.sent: list[tuple[int, ...]] = []
        self.is_deleted = False
        self.has_server = True
        self.has_opened = threading.Event()
        self.error: Exception | None = None  # what opening and sending raise
        self._user = threading.Lock()

    def get_ports(self) -> list[str]:
        assert not self.is_deleted
        if not self.has_server:
            raise rtmidi.SystemError("the server is gone")
        return self.ports

    def open_port(self, port: int, name: str) -> None:
        if self.error is not None:
            raise self.error
        if self.opened is not None:
            raise rtmidi.InvalidUseError("a port is open already")
        if not 0 <= port < len(self.ports):
            raise rtmidi.InvalidPortError(f"no port {port}")
        self.opened = (port, name)
        self.has_opened.set()

    def open_virtual_port(self, name: str) -> None:
        if not self.can_make_virtual:
            raise rtmidi.UnsupportedOperationError("virtual ports are not supported")
        if self.opened is not None:
            raise rtmidi.InvalidUseError("a port is open already")
        self.opened = (None, name)
        self.has_opened.set()

    def send_message(self, message: Sequence[int]) -> None:
        assert not self.is_deleted
        assert self._user.acquire(blocking=False), "two threads send at once"
        try:
            if self.error is not None:
                raise self.error
            if self.opened is None:
                raise rtmidi.InvalidUseError("no port is open")
            if not 0 < len(message) <= 3 or not all(0 <= byte < 256 for byte in message):
                raise ValueError(f"no MIDI message: {message}")
            self.sent.append(tuple(message))
        finally:
            self._user.release()

    def get_current_api(self) -> int:
        return int(rtmidi.API_UNIX_JACK)

    def delete(self) -> None:
        assert not self.is_deleted
        self.is_deleted = True
