"""MIDI clock of the song's beat, on a port of its own or on that of the notes.

Not here: which message is due when (``engine.sync.clock_writer``).
"""

from collections.abc import Callable, Sequence

from engine.core.errors import MidiError
from engine.midi.port_sink import PortSink
from engine.midi.ports.names import CLOCK_CLIENT
from engine.midi.ports.names import open_output as open_midi_output
from engine.midi.sinks import MidiSink, is_midi_file
from engine.sync.clock_writer import ClockMessage, ClockWriter
from engine.sync.sender import SyncSender
from livecover.settings.sections import Settings


class SyncOutput:
    """A sender of MIDI clock and its port, from its construction to ``close``.

    Parameters
    ----------
    settings
        With sync on.
    note_sinks
        Returns the sinks of the notes, one of which may have the port.

    Attributes
    ----------
    sender : SyncSender
        The tap.
    port : PortSink or None
        Its own port; None where it is that of the notes.

    Raises MidiError if the port cannot be opened.
    """

    def __init__(self, settings: Settings, note_sinks: Callable[[], Sequence[MidiSink]]) -> None:
        self.name = settings.sync.midi_out
        self._note_sinks = note_sinks
        self.port: PortSink | None = None
        if is_midi_file(self.name):
            raise MidiError(
                f"sync.midi_out is a port's name, not a file such as {self.name!r}: give the"
                " name of a port, that of the notes or another"
            )
        send = self._send_with_notes
        if self.name not in settings.midi.midi_out:
            self.port = PortSink(self.name, connect=lambda: open_midi_output(CLOCK_CLIENT))
            send = self.port.send_realtime
        self.sender: SyncSender[ClockMessage] = SyncSender(
            ClockWriter(), send, settings.sync.offset, self._port_latency
        )

    @property
    def is_there(self) -> bool:
        """Whether its port takes messages now."""
        port = self.port or self._notes_port()
        return port is not None and port.is_there

    def close(self) -> None:
        """Stop the receiver and close the port; a second call does nothing."""
        self.sender.shut_down()
        if self.port is not None:
            self.port.close()

    def _port_latency(self) -> float:
        """Return what the port takes; that of the notes is sent to with all of theirs."""
        if self.port is not None:
            return self.port.latency
        return max((sink.latency for sink in self._note_sinks()), default=0.0)

    def _notes_port(self) -> PortSink | None:
        """Return the notes' own port of that name; None while it is not one of them."""
        sinks = (sink for sink in self._note_sinks() if isinstance(sink, PortSink))
        return next((sink for sink in sinks if sink.name == self.name), None)

    def _send_with_notes(self, message: ClockMessage) -> None:
        port = self._notes_port()
        if port is not None:
            port.send_realtime(message)


def sync_key(settings: Settings) -> tuple[object, ...]:
    """Return what another port is opened for; empty if sync is off."""
    name = settings.sync.midi_out
    return (name, name in settings.midi.midi_out) if settings.sync.is_on else ()
