"""The state of everything that is open: input, MIDI ports, sound output."""

from dataclasses import dataclass
from typing import Literal

from engine.core.errors import DeviceError, LiveCoverError, MidiError
from engine.live.engine import Engine
from engine.midi.sinks import sinks_of
from livecover.settings.sections import Settings

Role = Literal["input", "notes", "clock", "link", "controllers", "output"]
State = Literal["open", "gone", "refused", "closed"]


@dataclass(frozen=True, slots=True)
class PortState:
    """One port or device."""

    role: Role
    name: str
    state: State
    """open; gone: it was lost, and is opened again when it is back; refused: it could not be
    opened; closed: nothing plays."""
    detail: str = ""
    """Why it was refused, or how many peers a session of Link has."""


def state_of(is_there: bool) -> State:
    """Return the state of what has been opened."""
    return "open" if is_there else "gone"


def ports_of(engine: Engine) -> list[PortState]:
    """Return the state of an engine's input and of its ports for notes."""
    found = [PortState("input", engine.source.name, state_of(engine.status().is_connected))]
    for sink in sinks_of(engine.sink):
        found.append(PortState("notes", sink.name, state_of(sink.is_there)))
    return found


def idle_ports(settings: Settings, error: LiveCoverError | None) -> list[PortState]:
    """Return the same while nothing plays; ``error`` is why a start failed, if one did."""
    found = [PortState("input", settings.audio.input, *_idle(error, DeviceError))]
    for name in settings.midi.midi_out:
        found.append(PortState("notes", name, *_idle(error, MidiError)))
    return found


def _idle(error: LiveCoverError | None, kind: type[LiveCoverError]) -> tuple[State, str]:
    """Return state and detail of a port while nothing plays."""
    return ("refused", " ".join(str(error).split())) if isinstance(error, kind) else ("closed", "")
