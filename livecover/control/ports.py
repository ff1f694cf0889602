"""The ports at which controllers are heard and told, by way of RtMidi.

Not here: what is said (``livecover.control.listener``).
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import rtmidi

from engine.errors import MidiError
from engine.midi_ports import (
    CONTROL_CLIENT,
    MidiOutput,
    find_port,
    open_client,
    open_output,
)

Hear = Callable[[Sequence[int], float], None]
"""Takes a message and its moment, on RtMidi's thread: returns at once."""


class MidiInput(Protocol):
    """The part of ``rtmidi.MidiIn`` that is used; after ``delete`` it must not be touched."""

    def get_ports(self) -> list[str]: ...  # noqa: D102
    def open_port(self, port: int, name: str) -> object: ...  # noqa: D102
    def open_virtual_port(self, name: str) -> object: ...  # noqa: D102
    def ignore_types(self, sysex: bool, timing: bool, active_sense: bool) -> None: ...  # noqa: D102
    def set_callback(self, func: Callable[[tuple[list[int], float], object], None]) -> None: ...  # noqa: D102
    def delete(self) -> None: ...  # noqa: D102


def open_input() -> MidiInput:
    """Return an RtMidi client for input. Raises MidiError where no MIDI system answers."""
    return cast(MidiInput, open_client(rtmidi.MidiIn, CONTROL_CLIENT))


class ControlPort:
    """An input, and the output of the same name where there is one.

    Parameters
    ----------
    name
        An existing port's, as :func:`engine.midi_ports.find_port` reads it, else virtual ports'.
    hear
        Gets what comes, with its moment of ``time.perf_counter``.
    connect_input, connect_output
        Make the RtMidi clients.

    Raises
    ------
    MidiError
        No MIDI system answers, or the port cannot be opened.
    """

    def __init__(
        self,
        name: str,
        hear: Hear,
        connect_input: Callable[[], MidiInput] = open_input,
        connect_output: Callable[[], MidiOutput] = lambda: open_output(CONTROL_CLIENT),
    ) -> None:
        self.name = name
        self._output: MidiOutput | None = None
        self._input: MidiInput | None = None
        try:
            self._input = connect_input()
            index = find_port(name, _others(self._input.get_ports()))
            self.is_virtual = index is None
            self._input.ignore_types(True, False, True)
            self._input.set_callback(lambda event, _: hear(event[0], time.perf_counter()))
            if index is None:
                self._input.open_virtual_port(name)
            else:
                self._input.open_port(index, name)
            self._output = connect_output()
            self._open_output(self._output)
        except BaseException as error:
            self.close()
            if not isinstance(error, rtmidi.RtMidiError | NotImplementedError):
                raise
            raise MidiError(
                f"no MIDI port {name!r} can be opened for controllers ({error}): give the name of"
                " one that is there with --control, or --control off"
            ) from error

    def send(self, message: Sequence[int]) -> None:
        """Send a message back; nothing where there is no way back, or it is lost."""
        if self._output is not None:
            with contextlib.suppress(rtmidi.RtMidiError):
                self._output.send_message(message)

    def close(self) -> None:
        """Close both; nothing is heard any more. A second call does nothing."""
        for port in (self._input, self._output):
            if port is not None:
                port.delete()
        self._input = self._output = None

    def _open_output(self, output: MidiOutput) -> None:
        """Open the way back. A controller that takes no MIDI has none."""
        index = find_port(self.name, _others(output.get_ports()))
        if index is not None:
            output.open_port(index, self.name)
        elif self.is_virtual:
            output.open_virtual_port(self.name)


def _others(ports: Sequence[str]) -> list[str]:
    """Return the ports with those of another livecover left nameless."""
    return ["" if port.startswith(CONTROL_CLIENT) else port for port in ports]
