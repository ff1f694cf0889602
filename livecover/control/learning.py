"""The command ``livecover learn``: maps the next controller that moves to a setting."""

import threading
from collections.abc import Callable, Mapping

from engine.core.errors import ConfigError
from livecover.control.ports import POLL_S, ControlPort, Message
from livecover.mapping.bindings import lines_to_learn
from livecover.mapping.settings import OFF
from livecover.mapping.sources import Source, is_learnable, parse_message, without_known_channel
from livecover.mapping.targets import check_target
from livecover.settings.sections import Settings


def learn(
    settings: Settings,
    name: str,
    stop: threading.Event,
    tell: Callable[[str], None],
    open_port: Callable[[str], ControlPort] = ControlPort,
) -> dict[str, str] | None:
    """Return the lines of ``control.map`` that map the next controller that moves to ``name``.

    Parameters
    ----------
    settings
        Say the port and the channel.
    name
        A setting's ``section.key``, or a command such as panic.
    stop
        Ends the wait; None is returned then.
    tell
        Gets lines for the user.

    Raises
    ------
    ConfigError
        No controller can control it, or MIDI control is off.
    MidiError
        The port cannot be opened.
    """
    check_target(name)
    control = settings.control
    if control.port == OFF:
        raise ConfigError(
            "control.port is off; give --control PORT with the controller's MIDI port"
        )
    port = open_port(control.port)
    try:
        where = f"connect it to the port {control.port} and " if port.is_virtual else ""
        tell(f"{where}move the knob, fader or button for {name}; Ctrl-C stops")
        while not stop.wait(POLL_S):
            for message, _ in port.fetch():
                source = _moved(message, control.channel)
                if source is None:
                    continue
                try:
                    lines = lines_to_learn(control.map, name, source)
                except ConfigError as error:
                    tell(str(error))
                    continue
                return lines
        return None
    finally:
        port.close()


def _moved(message: Message, channel: int | None) -> Source | None:
    """Return the controller that has moved, if it can be mapped; with its channel if any counts."""
    found = parse_message(message)
    if found is None or channel not in (None, found[0].channel) or not is_learnable(*found):
        return None
    return without_known_channel(found[0], channel)


def line_of(lines: Mapping[str, str], name: str) -> str:
    """Return the line that maps ``name``, as the file has it.

    >>> line_of({"cc 1": "none", "cc 7": "model.style"}, "model.style")
    '"cc 7" = "model.style"'
    """
    mapping = (f'"{s}" = "{t}"' for s, t in lines.items() if t.split()[0] == name)
    return next(mapping, "")
