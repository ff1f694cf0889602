"""Where notes go: one protocol, several sinks at once, and the choice between port and file.

Not here: ports (``engine.midi_ports``), files (``engine.midi_file``), the moment of sending
(``engine.scheduler``).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from engine.errors import MidiError
from engine.midi_file import FileSink
from engine.midi_ports import PortSink, list_ports, midi_system
from engine.notes import NoteEvent
from engine.settings import MIDI_FILE_SUFFIXES
from engine.velocity import NoteMapping

__all__ = [
    "FileSink",
    "MidiSink",
    "PortSink",
    "TeeSink",
    "is_midi_file",
    "list_ports",
    "midi_system",
    "open_sink",
]


class MidiSink(Protocol):
    """Takes note events, in the order in which they should sound, from one thread at a time.

    ``send`` and ``panic`` raise MidiError where the port is gone; a later call may succeed again.
    """

    @property
    def name(self) -> str:
        """What the user called it."""
        ...

    def send(self, event: NoteEvent) -> None:
        """Send one note-on or note-off now."""
        ...

    def panic(self) -> None:
        """Tell the receiver to end every note of the channel."""
        ...

    def close(self) -> None:
        """Release the port or save the file; a second call does nothing."""
        ...


class TeeSink:
    """Sends everything to several sinks; one that fails does not keep the others from it."""

    def __init__(self, sinks: Sequence[MidiSink]) -> None:
        self._sinks = tuple(sinks)

    @property
    def name(self) -> str:
        """The names of all, joined by a plus."""
        return " + ".join(sink.name for sink in self._sinks)

    def send(self, event: NoteEvent) -> None:
        """Send to every sink. Raises the first MidiError, after all had their turn."""
        _each(self._sinks, lambda sink: sink.send(event))

    def panic(self) -> None:
        """Panic every sink. Raises as :meth:`send`."""
        _each(self._sinks, lambda sink: sink.panic())

    def close(self) -> None:
        """Close every sink. Raises as :meth:`send`."""
        _each(self._sinks, lambda sink: sink.close())


def _each(sinks: Sequence[MidiSink], act: Callable[[MidiSink], None]) -> None:
    """Call ``act`` with each sink, then raise the first MidiError there was."""
    first: MidiError | None = None
    for sink in sinks:
        try:
            act(sink)
        except MidiError as error:
            first = first or error
    if first is not None:
        raise first


def is_midi_file(name: str) -> bool:
    """Return whether ``name`` is a MIDI file's rather than a port's.

    >>> is_midi_file("take.mid"), is_midi_file("LiveCover")
    (True, False)
    """
    return name.lower().endswith(MIDI_FILE_SUFFIXES)


def open_sink(
    names: Sequence[str], mapping: NoteMapping | None = None, autosave: float | None = 5.0
) -> MidiSink:
    """Return one open sink for all ``names``: files end in .mid or .midi, the rest are ports.

    ``autosave`` is the least number of seconds between two saves of a file while it is recorded,
    None to save at close only. Raises MidiError; what was opened before the failure is closed.
    """
    mapping = mapping or NoteMapping()
    ports: list[PortSink] = []
    try:
        for name in names:
            if not is_midi_file(name):
                ports.append(PortSink(name, mapping))
        # A file sink holds nothing open until its first note, so it needs no closing on failure.
        files = [FileSink(Path(name), mapping, autosave) for name in names if is_midi_file(name)]
    except MidiError:
        for port in ports:
            port.close()
        raise
    sinks: list[MidiSink] = [*ports, *files]
    return sinks[0] if len(sinks) == 1 else TeeSink(sinks)
