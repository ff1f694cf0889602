"""MIDI sinks: the protocol, several at once, and opening ports or files by name.

Not here: ports (``engine.midi.port_sink``), files (``engine.midi.file``), scheduling
(``engine.midi.scheduler``).
"""

import contextlib
import re
from collections.abc import Callable, Sequence
from typing import Protocol

from engine.core.errors import MidiError
from engine.core.notes import Event
from engine.core.settings import MIDI_FILE_SUFFIXES
from engine.midi.file import FileSink
from engine.midi.port_sink import PortSink
from engine.midi.ports.names import find_port, list_ports, midi_system

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


_OTHER_FILE = re.compile(r"\.[a-z][a-z0-9]{1,8}$|[/\\]", re.IGNORECASE)
"""A suffix as files have it, or a folder: no virtual port is made by such a name."""


class MidiSink(Protocol):
    """Takes note events, in the order in which they should sound, from one thread at a time.

    All but ``close`` raise MidiError where the port is gone; a later call may succeed again.
    """

    @property
    def name(self) -> str:
        """What the user called it."""
        ...

    @property
    def is_there(self) -> bool:
        """False while it refuses everything; it logs that itself."""
        ...

    @property
    def n_losses(self) -> int:
        """How often it was lost."""
        ...

    @property
    def latency(self) -> float:
        """Seconds from ``send`` until receivers have it, on average: a graph's that has periods."""
        ...

    def send(self, event: Event) -> None:
        """Send one note-on, note-off or pedal now."""
        ...

    def silence(self) -> None:
        """Tell the receiver to end every note of the channels that were used."""
        ...

    def panic(self) -> None:
        """Tell the receiver to be silent at once, on every channel."""
        ...

    def close(self) -> None:
        """Release the port or save the file, with a bound; a second call does nothing."""
        ...


class TeeSink:
    """Sends everything to several sinks; one that fails does not keep the others from it."""

    def __init__(self, sinks: Sequence[MidiSink]) -> None:
        self.sinks = tuple(sinks)

    @property
    def name(self) -> str:
        """The names of all, joined by a plus."""
        return " + ".join(sink.name for sink in self.sinks)

    @property
    def is_there(self) -> bool:
        """Whether all are."""
        return all(sink.is_there for sink in self.sinks)

    @property
    def n_losses(self) -> int:
        """Of all together."""
        return sum(sink.n_losses for sink in self.sinks)

    @property
    def latency(self) -> float:
        """The longest of all."""
        return max(sink.latency for sink in self.sinks)

    def send(self, event: Event) -> None:
        """Send to every sink. Raises the first MidiError, after all had their turn."""
        _each(self.sinks, lambda sink: sink.send(event))

    def silence(self) -> None:
        """Silence every sink. Raises as :meth:`send`."""
        _each(self.sinks, lambda sink: sink.silence())

    def panic(self) -> None:
        """Panic every sink. Raises as :meth:`send`."""
        _each(self.sinks, lambda sink: sink.panic())

    def close(self) -> None:
        """Close every sink, files first: they are to be kept. Raises as :meth:`send`."""
        files_first = sorted(self.sinks, key=lambda sink: not is_midi_file(sink.name))
        _each(files_first, lambda sink: sink.close())


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


def _require_port_name(name: str) -> None:
    """Raise MidiError if a name looks like another file's, unless a port is called so."""
    if not _OTHER_FILE.search(name):
        return
    with contextlib.suppress(MidiError):  # no MIDI system: no port either
        if find_port(name, list_ports()) is not None:
            return
    raise MidiError(
        f"midi_out {name!r} is neither a .mid file nor a port that is there: give FILE.mid, the"
        " name of a port, or with --arranger FILE.musicxml"
    )


def sinks_of(sink: MidiSink) -> Sequence[MidiSink]:
    """Return the sinks that one stands for."""
    return sink.sinks if isinstance(sink, TeeSink) else (sink,)


def unused_sinks(old: MidiSink, new: MidiSink) -> list[MidiSink]:
    """Return what ``old`` sends to and ``new`` does not."""
    return [sink for sink in sinks_of(old) if all(sink is not other for other in sinks_of(new))]


def close_unused(old: MidiSink, new: MidiSink) -> None:
    """Close what ``old`` sends to and ``new`` does not."""
    for sink in unused_sinks(old, new):
        sink.close()


def open_sink(
    names: Sequence[str], already: Sequence[MidiSink] = (), autosave: float | None = 5.0
) -> MidiSink:
    """Return one open sink for all ``names``: files end in .mid or .midi, the rest are ports.

    Those ``already`` open are taken as they are; no port is opened twice. ``autosave`` is the
    least number of seconds between two saves of a file while it is recorded, None to save at close
    only. Raises MidiError; what was opened before the failure is closed.
    """
    sinks: dict[str, MidiSink] = {s.name: s for s in already if s.name in names}
    opened: list[PortSink] = []
    try:
        for name in names:
            if name not in sinks and not is_midi_file(name):
                _require_port_name(name)
                opened.append(PortSink(name))
                sinks[name] = opened[-1]
        # A file sink holds nothing open until its first note, so it needs no closing on failure.
        for name in names:
            if name not in sinks:
                sinks[name] = FileSink(name, autosave)
    except MidiError:
        for port in opened:
            port.close()
        raise
    chosen = list(dict.fromkeys(sinks[name] for name in names))
    return chosen[0] if len(chosen) == 1 else TeeSink(chosen)
