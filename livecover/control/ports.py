"""The MIDI ports to and from controllers, by RtMidi.

Messages are polled. python-rtmidi's callback would make the system's thread wait for the
interpreter (in JACK, the whole graph), and closing a port during a callback never returns.
Not here: what messages mean (``livecover.control.listener``).
"""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence

import rtmidi

from engine.core.errors import MidiError
from engine.midi.ports.kept_port import CHECK_EVERY_S, KeptPort
from engine.midi.ports.names import (
    CONTROL_CLIENT,
    MAX_WAITING,
    MidiInput,
    MidiOutput,
    open_input,
    open_output,
)

CLOSE_S = 0.25
POLL_S = 0.01
"""Seconds between two fetches."""

_MAX_DRIFT = 1e-4  # most that the driver's clock is slower than ours
_MAX_DELAY_S = 5.0  # a longer delay means that the driver's clock has jumped

Message = tuple[int, int, int]
_log = logging.getLogger(__name__)

Fetch = Callable[[], Sequence[tuple[Message, float]]]
"""Returns the messages since the last call, each with its host time."""


class ControlPort:
    """An input, and the output of the same name where there is one.

    Parameters
    ----------
    name
        Of an existing port, as :func:`names.find_port` finds it; else a virtual port of
        that name is made.
    connect_input, connect_output
        Open the RtMidi clients.
    clock
        Monotonic seconds.
    check_every
        As :class:`engine.midi.ports.kept_port.KeptPort` takes it.

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
        check_every: float | None = CHECK_EVERY_S,
    ) -> None:
        self.name = name
        self._clock = clock
        self._timestamps, self._n_losses = MessageTimestamps(), 0

        def connect() -> MidiInput:
            client = connect_input()
            # Ignore none: RtMidi counts the time since the last message, ignored ones included.
            client.ignore_types(False, False, False)
            return client

        with contextlib.ExitStack() as undo:
            try:
                self._input = KeptPort(name, connect, _others, check_every=check_every)
                undo.callback(self._input.close)
                self._output = self._open_output(connect_output, check_every)
            except (rtmidi.RtMidiError, NotImplementedError) as error:
                raise MidiError(
                    f"the MIDI port {name!r} for controllers cannot be opened ({error}); give"
                    " --control PORT with the name of an existing port, or --control off"
                ) from error
            undo.pop_all()

    @property
    def is_virtual(self) -> bool:
        """Whether the port was made, rather than found."""
        return self._input.is_virtual

    @property
    def is_there(self) -> bool:
        """Whether the input is open."""
        return self._input.is_there

    def fetch(self) -> list[tuple[Message, float]]:
        """Return the messages since the last call, with their host times.

        None while the port is gone.
        """
        if self._input.n_losses != self._n_losses:
            self._timestamps, self._n_losses = MessageTimestamps(), self._input.n_losses
        found: list[tuple[Message, float]] = []
        with contextlib.suppress(MidiError):
            while len(found) < MAX_WAITING:
                event = self._input.use(_message)
                if event is None:
                    break
                message, since_last = event
                host_time = self._timestamps.host_time(since_last, self._clock())
                if message:
                    one, two, three, *_ = (*message, 0, 0)
                    found.append(((one, two, three), host_time))
        return found

    def send(self, message: Sequence[int]) -> None:
        """Send a message to the controllers; without an output, or one that is gone, do nothing."""
        if self._output is not None:
            with contextlib.suppress(MidiError):
                self._output.use(lambda client: client.send_message(message))

    def check(self) -> None:
        """Check whether both ports still exist (``engine.midi.ports.kept_port.KeptPort.check``)."""
        for port in (self._input, self._output):
            if port is not None:
                port.check()

    def close(self) -> None:
        """Close both. A second call does nothing.

        Waits at most ``CLOSE_S`` for a server that hangs.
        """
        ports = [port for port in (self._input, self._output) if port is not None]
        for port in ports:  # both at once
            port.close(0.0)
        until = time.monotonic() + CLOSE_S
        for port in ports:
            port.close(max(0.0, until - time.monotonic()))

    def _open_output(
        self, connect: Callable[[], MidiOutput], check_every: float | None
    ) -> KeptPort[MidiOutput] | None:
        """Return the output; None for a controller that takes no MIDI."""
        may_make = self._input.is_virtual
        try:
            return KeptPort(self.name, connect, _others, may_make, check_every)
        except MidiError as error:
            if may_make:
                raise
            _log.debug("no feedback to controllers: %s", error)
            return None


def _message(client: MidiInput) -> tuple[list[int], float] | None:
    return client.get_message()


class MessageTimestamps:
    """Converts a driver's times between messages to host times.

    A message is never later than its fetch, so the smallest delay seen gives the offset.

    >>> timestamps = MessageTimestamps()
    >>> came = ((0.0, 10.0), (0.5, 10.8), (0.5, 11.0))
    >>> [round(timestamps.host_time(since_last, now), 3) for since_last, now in came]
    [10.0, 10.5, 11.0]
    """

    def __init__(self) -> None:
        self._driver = self._last = 0.0
        self._offset: float | None = None

    def host_time(self, since_last: float, now: float) -> float:
        """Return the host time of a message that was fetched at ``now``.

        ``since_last`` is the driver's time since the message before, in seconds.
        """
        self._driver += since_last
        offset = now - self._driver
        if self._offset is not None and offset - self._offset < _MAX_DELAY_S:
            offset = min(offset, self._offset + _MAX_DRIFT * since_last)
        self._offset = offset
        self._last = max(self._last, self._driver + offset)
        return self._last


def _others(ports: Sequence[str]) -> list[str]:
    """Return the ports' names, empty for those of another livecover."""
    return ["" if port.startswith(CONTROL_CLIENT) else port for port in ports]
