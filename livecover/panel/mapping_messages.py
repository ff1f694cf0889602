"""The messages about the MIDI mapping and MIDI learn.

Not here: the mapping itself (``livecover.mapping``).
"""

from livecover.instrument.instrument import Instrument
from livecover.mapping.bindings import NONE
from livecover.settings.sections import Settings

Message = dict[str, object]


class MappingMessages:
    """Messages about the mapping, and those that were sent last."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._sent: dict[str, Message] = {}

    def all(self) -> list[Message]:
        """Return a message for each setting or command that has a controller or is learning."""
        control = self._instrument.settings.control
        sources = {target.split()[0]: source for source, target in control.map.items()}
        learning = self._instrument.controllers.learning
        keys = [*sources, *([learning] if learning and learning not in sources else [])]
        return [_message(key, key == learning, sources.get(key)) for key in keys]

    def changes(self) -> list[Message]:
        """Return a message for each that has changed since the last call."""
        now = {str(message["key"]): message for message in self.all()}
        removed = [_message(key, False, None) for key in self._sent if key not in now]
        changed = [message for key, message in now.items() if self._sent.get(key) != message]
        self._sent = now
        return [*removed, *changed]


def lines_to_unmap(settings: Settings, key: str) -> dict[str, str]:
    """Return the lines of the mapping that take every controller off ``key``."""
    lines = settings.control.map.items()
    return {source: NONE for source, target in lines if target.split()[0] == key}


def _message(key: str, is_waiting: bool, control: str | None) -> Message:
    return {"type": "learn", "key": key, "waiting": is_waiting, "control": control}
