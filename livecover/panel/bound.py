"""What a page is told of controllers: which drives what, and what waits for one.

Not here: controllers (``livecover.control``).
"""

from livecover.mapping.bindings import NONE
from livecover.panel.played import Played
from livecover.settings.sections import Settings

Message = dict[str, object]


class Bound:
    """What the pages were told last."""

    def __init__(self, played: Played) -> None:
        self._played = played
        self._told: dict[str, Message] = {}

    def all(self) -> list[Message]:
        """Return a message about each setting or deed that has a controller, or waits for one."""
        control = self._played.settings.control
        drivers = {target.split()[0]: source for source, target in control.map.items()}
        waiting = self._played.learning
        keys = [*drivers, *([waiting] if waiting and waiting not in drivers else [])]
        return [_message(key, key == waiting, drivers.get(key)) for key in keys]

    def news(self) -> list[Message]:
        """Return a message about each that has changed since the last call."""
        now = {str(message["key"]): message for message in self.all()}
        gone = [_message(key, False, None) for key in self._told if key not in now]
        changed = [message for key, message in now.items() if self._told.get(key) != message]
        self._told = now
        return [*gone, *changed]


def forgotten(settings: Settings, key: str) -> dict[str, str]:
    """Return the lines of the map that let nothing drive ``key``."""
    lines = settings.control.map.items()
    return {source: NONE for source, target in lines if target.split()[0] == key}


def _message(key: str, is_waiting: bool, control: str | None) -> Message:
    return {"type": "learn", "key": key, "waiting": is_waiting, "control": control}
