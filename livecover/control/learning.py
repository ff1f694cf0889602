"""The command ``livecover learn``: the next controller that moves gets a line in the settings."""

import threading
from collections.abc import Callable, Mapping

from engine.core.errors import ConfigError
from livecover.control.ports import POLL_S, ControlPort, Message
from livecover.mapping.bindings import learned
from livecover.mapping.settings import OFF
from livecover.mapping.sources import Source, heard, is_move, named
from livecover.mapping.targets import check_target
from livecover.settings.sections import Settings


def learn(
    settings: Settings,
    name: str,
    stop: threading.Event,
    tell: Callable[[str], None],
    open_port: Callable[[str], ControlPort] = ControlPort,
) -> dict[str, str] | None:
    """Return the lines of ``control.map`` that let the next controller that moves drive ``name``.

    Parameters
    ----------
    settings
        Their port and channel are listened at.
    name
        A setting's ``section.key``, or a deed such as panic.
    stop
        Ends the waiting; None is returned then.
    tell
        Gets lines for the user.

    Raises
    ------
    ConfigError
        No controller can drive it, or none is to be heard.
    MidiError
        The port cannot be opened.
    """
    check_target(name)
    control = settings.control
    if control.port == OFF:
        raise ConfigError("control.port is off: give the controller's MIDI port with --control")
    port = open_port(control.port)
    try:
        where = f"connect it to the port {control.port} and " if port.is_virtual else ""
        tell(f"{where}move the controller that is to drive {name}; Ctrl-C stops")
        while not stop.wait(POLL_S):
            for message, _ in port.fetch():
                source = _moved(message, control.channel)
                if source is None:
                    continue
                try:
                    lines = learned(control.map, name, source)
                except ConfigError as error:
                    tell(str(error))
                    continue
                return lines
        return None
    finally:
        port.close()


def _moved(message: Message, channel: int | None) -> Source | None:
    """Return what has moved, if it may be bound; its channel, where every one is heard."""
    found = heard(message)
    if found is None or channel not in (None, found[0].channel) or not is_move(*found):
        return None
    return named(found[0], channel)


def line_of(lines: Mapping[str, str], name: str) -> str:
    """Return the line that drives ``name``, as the file has it.

    >>> line_of({"cc 1": "none", "cc 7": "model.style"}, "model.style")
    '"cc 7" = "model.style"'
    """
    driving = (f'"{s}" = "{t}"' for s, t in lines.items() if t.split()[0] == name)
    return next(driving, "")
