"""MIDI ports by way of RtMidi: which systems there are, which ports, and which one a name means.

Not here: a port that is open (``engine.midi.port_sink``), JACK's clients
(``engine.midi.ports.jack_process``).
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar, cast

import rtmidi

from engine.core.errors import MidiError
from engine.midi.ports.jack_process import JackClient, JackInput, JackOutput
from engine.midi.ports.libjack import pipewire_answers, pipewire_library

CLIENT_NAME = "livecover"
CONTROL_CLIENT, CONTROL_PORT = "livecover_control", "LiveCover Control"
"""Where controllers are heard; no note is ever sent there (:func:`find_port`)."""

CLOCK_CLIENT = "livecover_clock"
"""Who sends MIDI clock; each client of JACK has a name of its own."""

MAX_WAITING = 4096
"""Messages that wait at an input; more are dropped. A MIDI cable carries a thousand a second."""

log = logging.getLogger(__name__)


class MidiOutput(Protocol):
    """The part of ``rtmidi.MidiOut`` that is used; after ``delete`` it must not be touched."""

    def get_ports(self) -> list[str]: ...  # noqa: D102
    def open_port(self, port: int, name: str) -> object: ...  # noqa: D102
    def open_virtual_port(self, name: str) -> object: ...  # noqa: D102
    def send_message(self, message: Sequence[int]) -> None: ...  # noqa: D102
    def get_current_api(self) -> int: ...  # noqa: D102
    def delete(self) -> None: ...  # noqa: D102


class MidiInput(Protocol):
    """The part of ``rtmidi.MidiIn`` that is used; after ``delete`` it must not be touched."""

    def get_ports(self) -> list[str]: ...  # noqa: D102
    def open_port(self, port: int, name: str) -> object: ...  # noqa: D102
    def open_virtual_port(self, name: str) -> object: ...  # noqa: D102
    def ignore_types(self, sysex: bool, timing: bool, active_sense: bool) -> None: ...  # noqa: D102
    def get_message(self) -> tuple[list[int], float] | None: ...  # noqa: D102
    def delete(self) -> None: ...  # noqa: D102


Client = TypeVar("Client")


def candidate_apis(compiled: Sequence[int], platform: str, has_alsa_sequencer: bool) -> list[int]:
    """Return the RtMidi interfaces worth trying, best first.

    On Linux the ALSA sequencer where the kernel has one, then JACK; elsewhere as compiled.
    """
    if platform != "linux":
        return [api for api in compiled if api != rtmidi.API_RTMIDI_DUMMY]
    wanted = [rtmidi.API_LINUX_ALSA] if has_alsa_sequencer else []
    return [api for api in [*wanted, rtmidi.API_UNIX_JACK] if api in compiled]


def open_output(name: str = CLIENT_NAME) -> MidiOutput:
    """Return a client for output, connected to this system's MIDI but to no port.

    Raises MidiError.
    """
    return _open_client(lambda api: cast(MidiOutput, rtmidi.MidiOut(api, name)), JackOutput, name)


def open_input(name: str = CONTROL_CLIENT) -> MidiInput:
    """Return a client for input, as :func:`open_output`."""
    make = partial(rtmidi.MidiIn, name=name, queue_size_limit=MAX_WAITING)
    return _open_client(lambda api: cast(MidiInput, make(api)), JackInput, name)


def _open_client(
    make: Callable[[int], Client], make_jack: Callable[[str], Client], name: str
) -> Client:
    """Return a client of this system's MIDI. Raises MidiError where none answers."""
    has_alsa = os.path.exists("/dev/snd/seq")
    for api in candidate_apis(rtmidi.get_compiled_api(), sys.platform, has_alsa):
        try:
            # JACK's library in a process of its own: it takes one with it when a server dies.
            return make_jack(name) if api == rtmidi.API_UNIX_JACK else make(api)
        except rtmidi.RtMidiError as error:
            log.debug("%s: %s", rtmidi.get_api_display_name(api), error)
    if sys.platform != "linux":
        raise MidiError(
            "no MIDI system answers: expected the system's own MIDI; restart its MIDI service"
        )
    if pipewire_answers() and pipewire_library() is None:
        raise MidiError(
            "no MIDI system answers: PipeWire runs, without its JACK; install it (sudo apt install"
            " pipewire-jack), or load the kernel module snd-seq (sudo modprobe snd-seq)"
        )
    raise MidiError(
        "no MIDI system answers: expected the ALSA sequencer or a JACK server;"
        " load the kernel module snd-seq (sudo modprobe snd-seq) or start JACK or PipeWire"
    )


def midi_system() -> str:
    """Return the name of the MIDI system that ports belong to. Raises MidiError without one."""
    output = open_output()
    try:
        if isinstance(output, JackClient):
            return output.system
        return str(rtmidi.get_api_display_name(output.get_current_api()))
    finally:
        output.delete()


def list_ports() -> list[str]:
    """Return the names of the ports that take MIDI, but for livecover's own.

    Raises MidiError without a MIDI system.
    """
    output = open_output()
    try:
        return [port for port in output.get_ports() if not is_control_port(port)]
    except rtmidi.RtMidiError as error:
        raise MidiError(f"the MIDI system does not answer ({error}): restart it") from error
    finally:
        output.delete()


def list_controllers() -> list[str]:
    """Return the names of the ports that send MIDI, but for livecover's own.

    Raises MidiError without a MIDI system.
    """
    source = open_input()
    try:
        own = (CLIENT_NAME, CLOCK_CLIENT)
        return [port for port in source.get_ports() if not port.startswith(own)]
    except rtmidi.RtMidiError as error:
        raise MidiError(f"the MIDI system does not answer ({error}): restart it") from error
    finally:
        source.delete()


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
    ports = ["" if is_control_port(port) and not is_control_port(name) else port for port in ports]
    folded = [without_numbers(port.casefold()) for port in ports]
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


def without_numbers(port: str) -> str:
    """Return an ALSA port's name without its numbers, which change when it is plugged in again.

    >>> without_numbers("Yamaha P-125:MIDI 1 20:0")
    'Yamaha P-125:MIDI 1'
    """
    return re.sub(r" \d+:\d+$", "", port)


def is_control_port(name: str) -> bool:
    """Return whether a port is one of ours, at which controllers are heard, by its name."""
    return name.startswith(CONTROL_CLIENT) or CONTROL_PORT.casefold() in name.casefold()
