"""The state of everything that is open: input, MIDI ports, sound output."""

from dataclasses import dataclass
from typing import Literal

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
