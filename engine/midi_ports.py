"""MIDI ports by way of RtMidi: an existing port where the name fits one, else a virtual port.

Not here: when to send (``engine.scheduler``), what to send (``engine.messages``).
"""

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import rtmidi

from engine.errors import MidiError
from engine.messages import ALL_NOTES_OFF, SUSTAIN, Message, controller, message, panic_messages
from engine.notes import Event

CLIENT_NAME = "livecover"
CONTROL_CLIENT, CONTROL_PORT = "livecover_control", "LiveCover Control"
"""Where controllers are heard; no note is ever sent there (:func:`find_port`)."""

log = logging.getLogger(__name__)


class MidiOutput(Protocol):
    """The part of ``rtmidi.MidiOut`` that is used; after ``delete`` it must not be touched."""

    def get_ports(self) -> list[str]: ...  # noqa: D102
    def open_port(self, port: int, name: str) -> object: ...  # noqa: D102
    def open_virtual_port(self, name: str) -> object: ...  # noqa: D102
    def send_message(self, message: Sequence[int]) -> None: ...  # noqa: D102
    def get_current_api(self) -> int: ...  # noqa: D102
    def delete(self) -> None: ...  # noqa: D102


def candidate_apis(compiled: Sequence[int], platform: str, has_alsa_sequencer: bool) -> list[int]:
    """Return the RtMidi interfaces worth trying, best first.

    On Linux the ALSA sequencer where the kernel has one, then JACK; elsewhere as compiled.
    """
    if platform != "linux":
        return [api for api in compiled if api != rtmidi.API_RTMIDI_DUMMY]
    wanted = [rtmidi.API_LINUX_ALSA] if has_alsa_sequencer else []
    return [api for api in [*wanted, rtmidi.API_UNIX_JACK] if api in compiled]


def open_output(name: str = CLIENT_NAME) -> MidiOutput:
    """Return an RtMidi client, connected to this system's MIDI but to no port. Raises MidiError."""
    return cast(MidiOutput, open_client(rtmidi.MidiOut, name))


def open_client(make: Callable[..., object], name: str) -> object:
    """Return a ``rtmidi.MidiOut`` or ``rtmidi.MidiIn`` of this system's MIDI.

    Raises MidiError where no MIDI system answers.
    """
    has_alsa = os.path.exists("/dev/snd/seq")
    for api in candidate_apis(rtmidi.get_compiled_api(), sys.platform, has_alsa):
        try:
            return make(rtapi=api, name=name)
        except rtmidi.RtMidiError as error:
            log.debug("%s: %s", rtmidi.get_api_display_name(api), error)
    raise MidiError(
        "no MIDI system answers: expected the ALSA sequencer or a JACK server;"
        " load the kernel module snd-seq (sudo modprobe snd-seq) or start JACK or PipeWire"
        if sys.platform == "linux"
        else "no MIDI system answers: expected the system's own MIDI; restart its MIDI service"
    )


def midi_system() -> str:
    """Return the name of the MIDI system that ports belong to. Raises MidiError without one."""
    output = open_output()
    try:
        return str(rtmidi.get_api_display_name(output.get_current_api()))
    finally:
        output.delete()


def list_ports() -> list[str]:
    """Return the names of the ports that take MIDI. Raises MidiError without a MIDI system."""
    output = open_output()
    try:
        return output.get_ports()
    finally:
        output.delete()


def find_port(name: str, ports: Sequence[str]) -> int | None:
    """Return the index of the one port that ``name`` means, None where there is none.

    An equal name wins (whole, or what stands before or after its colon, case aside, ALSA's
    numbers aside); else the only port that contains ``name`` as whole words. Whole words, so
    that the default LiveCover does not take a DAW's track LiveCoverIn for hardware. The ports of
    our own at which controllers are heard are none, unless ``name`` says so.

    Raises MidiError if several fit.

    >>> find_port("yamaha", ["Midi Through:Midi Through Port-0 14:0", "Yamaha P-125:MIDI 1 20:0"])
    1
    >>> find_port("LiveCover", ["ardour:LiveCoverIn/midi_in 1"]) is None
    True
    >>> find_port("LiveCover", ["livecover_control:LiveCover Control"]) is None
    True
    """
    wanted = name.strip().casefold()
    ports = ["" if _is_control(port) and not _is_control(name) else port for port in ports]
    folded = [re.sub(r" \d+:\d+$", "", port.casefold()) for port in ports]
    exact = [i for i, port in enumerate(ports) if port.casefold() == wanted]
    part = [i for i, port in enumerate(folded) if wanted in (port, *port.split(":"))]
    words = re.compile(rf"(?<!\w){re.escape(wanted)}(?!\w)")
    within = [i for i, port in enumerate(folded) if words.search(port)]
    for found in (exact, part, within):
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(repr(ports[i]) for i in found)
            raise MidiError(
                f"MIDI port {name!r} could be any of {names}: give one of these names in full"
            )
    return None


def _is_control(port: str) -> bool:
    """Return whether a port is one at which controllers are heard, by its name."""
    return port.startswith(CONTROL_CLIENT) or CONTROL_PORT.casefold() in port.casefold()


class PortSink:
    """One open MIDI port. Where it vanishes, each later call may try to open it again.

    Parameters
    ----------
    name
        An existing port's name, as :func:`find_port` reads it, else a virtual port's.
    connect
        Makes the RtMidi client.
    clock
        Seconds that only rise; at most one attempt to open again each ``retry`` of them.

    Raises MidiError where neither an existing nor a virtual port of that name can be opened.
    """

    def __init__(
        self,
        name: str,
        *,
        connect: Callable[[], MidiOutput] = open_output,
        clock: Callable[[], float] = time.monotonic,
        retry: float = 1.0,
    ) -> None:
        self.name = name
        self.is_virtual = False
        self._channels: set[int] = set()  # that were used
        self._connect = connect
        self._clock = clock
        self._retry = retry
        self._retry_at = 0.0
        self._is_closed = False
        self._output: MidiOutput | None = self._open()

    def send(self, event: Event) -> None:
        """Send the event's message. Raises MidiError where the port is gone."""
        self._channels.add(event.channel)
        self._send(message(event))

    def silence(self) -> None:
        """Lift the pedal and send All Notes Off on every channel used. Raises as :meth:`send`."""
        for channel in sorted(self._channels or {1}):
            self._send(controller(channel, SUSTAIN, 0))
            self._send(controller(channel, ALL_NOTES_OFF, 0))

    def panic(self) -> None:
        """Send all that silences, on all channels (``panic_messages``). Raises as :meth:`send`."""
        for each in panic_messages():
            self._send(each)

    def close(self) -> None:
        """Close the port, and with it the client; a second call does nothing."""
        self._is_closed = True
        self._release()

    def _release(self) -> None:
        """Drop the RtMidi client, if there is one."""
        if self._output is not None:
            self._output.delete()
            self._output = None

    def _send(self, message: Message) -> None:
        """Send the bytes, opening the port again first if it is gone and it is time to try."""
        if self._is_closed:
            raise MidiError(f"MIDI port {self.name!r} is closed")
        if self._output is None:
            self._open_again()
        assert self._output is not None
        try:
            self._output.send_message(message)
        except rtmidi.RtMidiError as error:
            self._release()
            self._retry_at = self._clock() + self._retry
            raise MidiError(
                f"MIDI port {self.name!r} is gone ({error}): plug it in or start its program again;"
                " notes go on when it is back"
            ) from error

    def _open_again(self) -> None:
        """Open the port after a loss. Raises MidiError if it is too early or still impossible."""
        now = self._clock()
        if now < self._retry_at:
            raise MidiError(f"MIDI port {self.name!r} is still gone")
        self._retry_at = now + self._retry
        self._output = self._open()

    def _open(self) -> MidiOutput:
        """Return a client with the port open."""
        output = self._connect()
        try:
            index = find_port(self.name, output.get_ports())
            self.is_virtual = index is None
            if index is None:
                output.open_virtual_port(self.name)
            else:
                output.open_port(index, self.name)
        except (rtmidi.UnsupportedOperationError, NotImplementedError) as error:
            there = ", ".join(repr(port) for port in output.get_ports()) or "none"
            output.delete()
            raise MidiError(
                f"no MIDI port {self.name!r} (ports here: {there}), and this system makes no"
                " virtual ports: install loopMIDI, make a port in it, and give that port's name"
            ) from error
        except rtmidi.RtMidiError as error:
            output.delete()
            raise MidiError(
                f"MIDI port {self.name!r} cannot be opened ({error}):"
                " close the program that uses it, or give another name"
            ) from error
        except MidiError:
            output.delete()
            raise
        return output
