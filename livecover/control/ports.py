"""The ports at which controllers are heard and told, by way of RtMidi.

Messages are fetched, not called back: python-rtmidi's callback makes the system's own thread wait
for the interpreter (in JACK, the whole graph), and closing a port that speaks at that moment never
returns. Not here: what is said (``livecover.control.listener``).
"""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence

import rtmidi

from engine.core.errors import MidiError
from engine.midi.kept_port import LOOK_EVERY_S, KeptPort
from engine.midi.ports import (
    CONTROL_CLIENT,
    MAX_WAITING,
    MidiInput,
    MidiOutput,
    open_input,
    open_output,
)

CLOSE_S = 0.25
POLL_S = 0.01
"""Seconds from one fetch to the next."""

_LEAK = 1e-4  # by how much, at most, the driver's clock is slower than ours
_TOO_LATE_S = 5.0  # what seems to come later than this tells that the driver's clock has jumped

Message = tuple[int, int, int]
_log = logging.getLogger(__name__)

Fetch = Callable[[], Sequence[tuple[Message, float]]]
"""Returns what has come since the last call: messages and their moments."""


class ControlPort:
    """An input, and the output of the same name where there is one.

    Parameters
    ----------
    name
        An existing port's, as :func:`engine.midi.ports.find_port` reads it, else virtual ports'.
    connect_input, connect_output
        Make the RtMidi clients.
    clock
        Monotonic seconds.
    look_every
        As :class:`engine.midi.kept_port.KeptPort` takes it.

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
        look_every: float | None = LOOK_EVERY_S,
    ) -> None:
        self.name = name
        self._clock = clock
        self._moments, self._n_losses = Moments(), 0

        def connect() -> MidiInput:
            client = connect_input()
            # All of them: the time since the last message is that since the last one ignored, too.
            client.ignore_types(False, False, False)
            return client

        with contextlib.ExitStack() as undo:
            try:
                self._input = KeptPort(name, connect, _others, look_every=look_every)
                undo.callback(self._input.close)
                self._output = self._way_back(connect_output, look_every)
            except (rtmidi.RtMidiError, NotImplementedError) as error:
                raise MidiError(
                    f"no MIDI port {name!r} can be opened for controllers ({error}): give the name"
                    " of one that is there with --control, or --control off"
                ) from error
            undo.pop_all()

    @property
    def is_virtual(self) -> bool:
        """Whether the port was made, rather than found."""
        return self._input.is_virtual

    def fetch(self) -> list[tuple[Message, float]]:
        """Return what has come since the last call, with moments of the clock.

        Nothing while the port is gone.
        """
        if self._input.n_losses != self._n_losses:
            self._moments, self._n_losses = Moments(), self._input.n_losses
        found: list[tuple[Message, float]] = []
        with contextlib.suppress(MidiError):
            while len(found) < MAX_WAITING:
                event = self._input.use(_message)
                if event is None:
                    break
                message, since_last = event
                host_time = self._moments.of(since_last, self._clock())
                if message:
                    one, two, three, *_ = (*message, 0, 0)
                    found.append(((one, two, three), host_time))
        return found

    def send(self, message: Sequence[int]) -> None:
        """Send a message back; nothing where there is no way back, or it is lost."""
        if self._output is not None:
            with contextlib.suppress(MidiError):
                self._output.use(lambda client: client.send_message(message))

    def look(self) -> None:
        """See whether both are still there (``engine.midi.kept_port.KeptPort.look``)."""
        for port in (self._input, self._output):
            if port is not None:
                port.look()

    def close(self) -> None:
        """Close both; nothing is heard any more. A second call does nothing.

        A server that hangs is not waited for.
        """
        ports = [port for port in (self._input, self._output) if port is not None]
        for port in ports:  # both at once
            port.close(0.0)
        until = time.monotonic() + CLOSE_S
        for port in ports:
            port.close(max(0.0, until - time.monotonic()))

    def _way_back(
        self, connect: Callable[[], MidiOutput], look_every: float | None
    ) -> KeptPort[MidiOutput] | None:
        """Return the output. A controller that takes no MIDI has none."""
        may_make = self._input.is_virtual
        try:
            return KeptPort(self.name, connect, _others, may_make, look_every)
        except MidiError as error:
            if may_make:
                raise
            _log.debug("no way back to controllers: %s", error)
            return None


def _message(client: MidiInput) -> tuple[list[int], float] | None:
    return client.get_message()


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
