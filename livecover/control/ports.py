"""The ports at which controllers are heard and told, by way of RtMidi.

Messages are fetched, not called back: python-rtmidi's callback makes the system's own thread wait
for the interpreter (in JACK, the whole graph), and closing a port that speaks at that moment never
returns. Not here: what is said (``livecover.control.listener``).
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

POLL_S = 0.01
"""Seconds from one fetch to the next."""
MAX_WAITING = 4096
"""Messages that wait for it; more are dropped. A MIDI cable carries a thousand a second."""

_LEAK = 1e-4  # by how much, at most, the driver's clock is slower than ours
_TOO_LATE_S = 5.0  # what seems to come later than this tells that the driver's clock has jumped

Message = tuple[int, int, int]
Fetch = Callable[[], Sequence[tuple[Message, float]]]
"""Returns what has come since the last call: messages and their moments."""


class MidiInput(Protocol):
    """The part of ``rtmidi.MidiIn`` that is used; after ``delete`` it must not be touched."""

    def get_ports(self) -> list[str]: ...  # noqa: D102
    def open_port(self, port: int, name: str) -> object: ...  # noqa: D102
    def open_virtual_port(self, name: str) -> object: ...  # noqa: D102
    def ignore_types(self, sysex: bool, timing: bool, active_sense: bool) -> None: ...  # noqa: D102
    def get_message(self) -> tuple[list[int], float] | None: ...  # noqa: D102
    def delete(self) -> None: ...  # noqa: D102


def open_input() -> MidiInput:
    """Return an RtMidi client for input. Raises MidiError where no MIDI system answers."""

    def make(rtapi: int, name: str) -> object:
        return rtmidi.MidiIn(rtapi=rtapi, name=name, queue_size_limit=MAX_WAITING)

    return cast(MidiInput, open_client(make, CONTROL_CLIENT))


class ControlPort:
    """An input, and the output of the same name where there is one.

    Parameters
    ----------
    name
        An existing port's, as :func:`engine.midi_ports.find_port` reads it, else virtual ports'.
    connect_input, connect_output
        Make the RtMidi clients.
    clock
        Seconds that only rise.

    Raises
    ------
    MidiError
        No MIDI system answers, or the port cannot be opened.
    """

    def __init__(
        self,
        name: str,
        connect_input: Callable[[], MidiInput] = open_input,
        connect_output: Callable[[], MidiOutput] = lambda: open_output(CONTROL_CLIENT),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.name = name
        self._clock = clock
        self._moments = Moments()
        self._output: MidiOutput | None = None
        self._input: MidiInput | None = None
        try:
            self._input = connect_input()
            index = find_port(name, _others(self._input.get_ports()))
            self.is_virtual = index is None
            # All of them: the time since the last message is that since the last one ignored, too.
            self._input.ignore_types(False, False, False)
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

    def fetch(self) -> list[tuple[Message, float]]:
        """Return what has come since the last call, with moments of the clock."""
        found: list[tuple[Message, float]] = []
        while self._input is not None and len(found) < MAX_WAITING:
            event = self._input.get_message()
            if event is None:
                break
            message, since_last = event
            moment = self._moments.of(since_last, self._clock())
            if message:
                one, two, three, *_ = (*message, 0, 0)
                found.append(((one, two, three), moment))
        return found

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


class Moments:
    """When messages came, by a driver that counts from each to the next, on our clock.

    Never later than they were fetched: the earliest line through the moments of fetching is true.

    >>> moments = Moments()
    >>> came = ((0.0, 10.0), (0.5, 10.8), (0.5, 11.0))
    >>> [round(moments.of(since_last, now), 3) for since_last, now in came]
    [10.0, 10.5, 11.0]
    """

    def __init__(self) -> None:
        self._driver = self._last = 0.0
        self._offset: float | None = None

    def of(self, since_last: float, now: float) -> float:
        """Return the moment of a message that was fetched at ``now``."""
        self._driver += since_last
        offset = now - self._driver
        if self._offset is not None and offset - self._offset < _TOO_LATE_S:
            offset = min(offset, self._offset + _LEAK * since_last)
        self._offset = offset
        self._last = max(self._last, self._driver + offset)
        return self._last


def _others(ports: Sequence[str]) -> list[str]:
    """Return the ports with those of another livecover left nameless."""
    return ["" if port.startswith(CONTROL_CLIENT) else port for port in ports]
