"""A MIDI port that is watched, and opened again by its name whenever it is lost.

A virtual port goes with its server, a piano's with its cable, without notice. So a thread polls,
and that thread alone opens and closes: both may take seconds. Not here: what is sent
(``engine.midi.port_sink``), which port a name means (``engine.midi.ports.names``).
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import rtmidi

from engine.core.errors import MidiError
from engine.midi.ports.jack_process import JackClient
from engine.midi.ports.names import find_port, without_numbers
from engine.system.bounded import join_thread

CHECK_EVERY_S = 1.0
CLOSE_S = 1.0
"""Seconds that closing may take before it is left to its thread."""

log = logging.getLogger(__name__)


class MidiClient(Protocol):
    """What inputs and outputs of RtMidi have in common."""

    def get_ports(self) -> list[str]: ...  # noqa: D102
    def open_port(self, port: int, name: str) -> object: ...  # noqa: D102
    def open_virtual_port(self, name: str) -> object: ...  # noqa: D102
    def delete(self) -> None: ...  # noqa: D102


Client = TypeVar("Client", bound=MidiClient)
T = TypeVar("T")


class KeptPort(Generic[Client]):
    """One open port. What it is at first, another program's or a virtual one, it stays.

    Parameters
    ----------
    name
        An existing port's name, as :func:`find_port` reads it, else a virtual port's.
    connect
        Makes a client. Raises MidiError or RtMidiError.
    offered
        Returns the ports with those that are never meant left nameless.
    may_make
        Whether to make a virtual port where none fits.
    check_every
        Seconds; None: only calls of :meth:`check` check.

    Attributes
    ----------
    n_losses : int
        How often it was lost.

    Raises
    ------
    MidiError
        No MIDI system answers, or several ports fit, or none.
    rtmidi.RtMidiError, NotImplementedError
        The port cannot be opened, or no virtual port be made.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Client],
        offered: Callable[[Sequence[str]], Sequence[str]] = lambda ports: ports,
        may_make: bool = True,
        check_every: float | None = CHECK_EVERY_S,
    ) -> None:
        self.name = name
        self.n_losses = 0
        self._connect = connect
        self._offered = offered
        self._may_make = may_make
        self._look_every = check_every
        self._found: str | None = None  # the other program's port, in full
        self._connections: Sequence[str] = ()
        self._latency = 0.0
        self._using = threading.Lock()  # guards the client
        self._lost: list[Client] = []  # to be closed by the thread that checks
        self._client: Client | None = self._open(is_first=True)
        self._is_closing = self._was_there = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        if check_every is not None:
            self._thread = threading.Thread(target=self._run, name="midi-port", daemon=True)
            self._thread.start()

    @property
    def is_virtual(self) -> bool:
        """Whether the port was made, rather than found."""
        return self._found is None

    @property
    def is_there(self) -> bool:
        """Whether it is open."""
        return self._client is not None

    @property
    def latency(self) -> float:
        """Seconds that a message takes in JACK's graph on average; while it is gone, as it was."""
        client = self._client
        if isinstance(client, JackClient):
            self._latency = client.period / 2
        return self._latency

    def use(self, act: Callable[[Client], T]) -> T:
        """Return what ``act`` does with the client. Never waits for a port that is gone.

        Raises MidiError where it is, or breaks.
        """
        with self._using:
            if self._client is None:
                raise MidiError(f"MIDI port {self.name!r} {self._why_not()}")
            try:
                return act(self._client)
            except rtmidi.RtMidiError as error:
                self._lose(self._client, str(error))
                raise MidiError(f"MIDI port {self.name!r} is gone ({error})") from error

    def check(self) -> None:
        """Check whether the port is still there; if it is gone, try to open it again."""
        client = self._client
        if client is not None:
            try:
                ports = client.get_ports()
            except rtmidi.RtMidiError as error:
                why = str(error)
            else:
                why = "it has left" if self._found not in (None, *ports) else ""
            if why:
                with self._using:
                    self._lose(client, why)
        self._delete_lost()
        if self._client is None and not self._is_closing:
            self._open_again()

    def close(self, seconds: float | None = None) -> None:
        """Close the port, and wait for that so long, else ``CLOSE_S``; a second call only waits.

        A port that is gone is not waited for: its thread may be in a call to a server that hangs.
        """
        if not self._is_closing:
            self._is_closing, self._was_there = True, self.is_there
        self._wake.set()
        if self._thread is None:
            self._release()
            return
        if self._was_there and not join_thread(
            self._thread, CLOSE_S if seconds is None else seconds
        ):
            log.debug("MIDI port %r is still being closed", self.name)

    def _run(self) -> None:
        while not self._is_closing:
            self._wake.wait(self._look_every)
            self._wake.clear()
            if not self._is_closing:
                self.check()
        self._release()

    def _release(self) -> None:
        """Close the port, if it is there."""
        with self._using:
            if self._client is not None:
                self._lost.append(self._client)
                self._client = None
        self._delete_lost()

    def _delete_lost(self) -> None:
        """Close what is used no more. May take long: never on the thread that sends."""
        with self._using:
            lost, self._lost = self._lost, []
        for client in lost:
            client.delete()

    def _why_not(self) -> str:
        return "is closed" if self._is_closing else "is still gone"

    def _lose(self, client: Client, why: str) -> None:
        """Mark the port as gone; its thread closes it. Holds the lock."""
        if self._client is not client:
            return
        self._client = None
        if isinstance(client, JackClient):
            self._connections = client.connections
        self._lost.append(client)
        self.n_losses += 1
        what = "it is opened again with its server" if self.is_virtual else "plug it in again"
        log.warning("MIDI port %r is gone (%s): %s", self.name, why, what)
        self._wake.set()

    def _open_again(self) -> None:
        try:
            client = self._open(is_first=False)
        except (MidiError, rtmidi.RtMidiError, NotImplementedError) as error:
            log.debug("not yet: %s", error)
            return
        with self._using:
            self._client = client
        log.warning("MIDI port %r is back", self.name)

    def _open(self, is_first: bool) -> Client:
        """Return a client with the port open."""
        client = self._connect()
        try:
            ports = self._offered(client.get_ports())
            if is_first or not self.is_virtual:
                self._open_found(client, ports, is_first)
            else:
                client.open_virtual_port(self.name)
            if self._connections and isinstance(client, JackClient):
                client.reconnect(self._connections)
        except BaseException:
            client.delete()
            raise
        return client

    def _open_found(self, client: Client, ports: Sequence[str], is_first: bool) -> None:
        """Open the port that is meant; where none is, make it, but only at first."""
        wanted = self.name if self._found is None else without_numbers(self._found)
        index = find_port(wanted, ports)
        if index is not None:
            client.open_port(index, self.name)
            self._found = ports[index]
        elif is_first and self._may_make:
            client.open_virtual_port(self.name)
        else:
            raise MidiError(f"MIDI port {wanted!r} is not there")
