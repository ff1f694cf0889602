"""Notes to a MIDI port: an existing one where the name fits one, else a virtual one.

Not here: how the port is kept (``engine.midi.ports.kept_port``), when to send
(``engine.midi.scheduler``).
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import rtmidi

from engine.core.errors import MidiError
from engine.core.notes import Event, NoteEvent
from engine.midi.messages import (
    ALL_NOTES_OFF,
    SUSTAIN,
    Message,
    controller,
    message,
    panic_messages,
)
from engine.midi.ports.kept_port import CHECK_EVERY_S, KeptPort
from engine.midi.ports.names import MidiOutput, is_control_port, open_output

REST_S = 2.0
"""Seconds without a message after which the sound is chosen again: a receiver may have come."""


class PortSink:
    """One open MIDI port. While it is gone, every message is refused.

    Parameters
    ----------
    name
        An existing port's name, as :func:`ports.names.find_port` reads it, else a virtual
        port's.
    connect, check_every
        As :class:`KeptPort` takes them.
    clock
        Monotonic seconds.

    Raises MidiError where neither an existing nor a virtual port of that name can be opened.
    """

    def __init__(
        self,
        name: str,
        *,
        connect: Callable[[], MidiOutput] = open_output,
        check_every: float | None = CHECK_EVERY_S,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if is_control_port(name):
            raise MidiError(
                f"MIDI port {name!r} is where livecover hears controllers, and would hear its own"
                " notes: give another port with --midi-out"
            )
        self.name = name
        self._channels: set[int] = set()  # used since it was silenced
        self._sound: Sequence[Sequence[int]] = ()  # what chooses it
        self._n_chosen = 0  # losses before it was chosen
        self._clock = clock
        self._sent_at = clock()
        self._sounding: set[tuple[int, int]] = set()  # channel and pitch
        try:
            self.port = KeptPort(name, connect, check_every=check_every)
        except (rtmidi.UnsupportedOperationError, NotImplementedError) as error:
            raise MidiError(
                f"no MIDI port {name!r} (ports here: {_named(connect)}), and this system makes no"
                " virtual ports: install loopMIDI, make a port in it, and give that port's name"
            ) from error
        except rtmidi.RtMidiError as error:
            raise MidiError(
                f"MIDI port {name!r} cannot be opened ({error}):"
                " close the program that uses it, or give another name"
            ) from error

    @property
    def is_virtual(self) -> bool:
        """Whether the port was made, rather than found."""
        return self.port.is_virtual

    @property
    def is_there(self) -> bool:
        """Whether the port takes messages now."""
        return self.port.is_there

    @property
    def n_losses(self) -> int:
        """How often the port was lost."""
        return self.port.n_losses

    @property
    def latency(self) -> float:
        """Seconds that JACK's or PipeWire's graph takes on average: half its period; else 0."""
        return self.port.latency

    def choose_sound(self, messages: Sequence[Sequence[int]]) -> None:
        """Send what chooses the sound (``program_messages``).

        It is sent again when the port is back, and before the first note after a rest: whoever was
        connected meanwhile, as a DAW to a virtual port, has not got it.
        """
        self._sound = messages
        with contextlib.suppress(MidiError):  # it is gone; then when it is back
            self._send_sound()

    def _send_sound(self) -> None:
        self._n_chosen = self.port.n_losses
        for each in self._sound:
            self.port.use(partial(_send, each))

    def send(self, event: Event) -> None:
        """Send the event's message. Raises MidiError where the port is gone."""
        self._channels.add(event.channel)
        now = self._clock()
        if self._sound and not self._sounding and now - self._sent_at > REST_S and self.is_there:
            self._send_sound()
        self._sent_at = now
        self._send([message(event)])
        if isinstance(event, NoteEvent):
            note = event.channel, event.pitch
            (self._sounding.add if event.is_on else self._sounding.discard)(note)

    def send_realtime(self, message: Sequence[int]) -> None:
        """Send a message that no channel has, such as MIDI clock. Any thread. As :meth:`send`."""
        self.port.use(lambda output: output.send_message(message))

    def silence(self) -> None:
        """Lift the pedal and send All Notes Off on every channel used. Raises as :meth:`send`."""
        self._send(
            controller(channel, number, 0)
            for channel in sorted(self._channels)
            for number in (SUSTAIN, ALL_NOTES_OFF)
        )
        self._channels.clear()
        self._sounding.clear()

    def panic(self) -> None:
        """Send all that silences, on all channels (``panic_messages``). Raises as :meth:`send`."""
        self._send(panic_messages())
        self._channels.clear()
        self._sounding.clear()

    def close(self) -> None:
        """Silence the receiver and close the port; a second call does nothing.

        Takes ``engine.midi.ports.kept_port.CLOSE_S`` at most, whatever the MIDI system does.
        """
        if self.is_there:
            with contextlib.suppress(MidiError):
                self.silence()
        self.port.close()

    def _send(self, messages: Iterable[Message]) -> None:
        if self._sound and self.port.n_losses != self._n_chosen and self.is_there:
            self._send_sound()
        for each in messages:
            self.port.use(partial(_send, each))


def _send(each: Sequence[int], output: MidiOutput) -> None:
    output.send_message(each)


def _named(connect: Callable[[], MidiOutput]) -> str:
    """Return the names of the ports that there are."""
    output = connect()
    try:
        return ", ".join(repr(port) for port in output.get_ports()) or "none"
    finally:
        output.delete()
