"""Keeps motor faders and lamps true: what was changed elsewhere is sent to its controller.

A controller is never sent what it said itself: a fader that stands where its setting is hears
nothing, and while it is moved, nothing at all. Not here: the port, and what else is heard at it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from livecover.control.ports import Message
from livecover.mapping.bindings import Binding, Bindings
from livecover.mapping.sources import Source
from livecover.mapping.targets import is_same

TOUCHED_S = 0.3
"""Seconds after its last word in which a fader counts as moved by a hand."""
EVERY_S = 0.03
"""Seconds from one turn to the next, at least."""
AT_ONCE = 8
"""Messages in one turn, at most: with ``EVERY_S`` a quarter of what a MIDI cable carries."""
ECHO_S = 0.1
"""Seconds in which a message that comes back as it was sent is our own."""


class Feedback:
    """What each controller was told, or told us, last.

    Parameters
    ----------
    send
        Sends a message.
    channel
        Where a controller that may be on any channel is told, until it was heard.
    """

    def __init__(self, send: Callable[[Message], None], channel: int = 1) -> None:
        self._send = send
        self._channel = channel
        self._channels: dict[Source, int] = {}
        self._shown: dict[Source, int] = {}
        self._touched: dict[Source, float] = {}
        self._sent: dict[Message, float] = {}
        self._next = 0.0

    def heard(self, binding: Binding, value: int, channel: int, now: float) -> None:
        """Take that a controller said where it stands."""
        source = binding.source
        self._channels[source] = channel
        if not binding.is_pressed:
            self._shown[source] = value
            self._touched[source] = now

    def is_echo(self, message: Message, now: float) -> bool:
        """Return whether a message is our own, come back through a loop of cables.

        One of value 0 changes nothing when it comes back, and may be a button that is let go.
        """
        return message[2] > 0 and now - self._sent.get(message, -ECHO_S) < ECHO_S

    def forget(self) -> None:
        """Let everything be told again: someone else may listen now."""
        self._shown.clear()

    def turn(self, bindings: Bindings, state: Callable[[str], Any], now: float) -> float | None:
        """Send what is no longer true; return the moment of the next turn, None for none."""
        if now < self._next:
            return self._next
        n_sent, again = 0, []
        for source, binding in bindings.items():
            value = self._wanted(binding, state)
            if value is None:
                continue
            until = self._touched.get(source, -TOUCHED_S) + TOUCHED_S
            if now < until:
                again.append(until)
                continue
            message = source.message(value, self._channels.get(source, self._channel))
            if message is None:
                continue
            if n_sent == AT_ONCE:
                again.append(now + EVERY_S)
                break
            self._send(message)
            self._sent[message] = now
            self._shown[source] = value
            n_sent += 1
        if n_sent:
            self._next = now + EVERY_S
        self._sent = recent(self._sent, now)
        return min(again, default=None)

    def _wanted(self, binding: Binding, state: Callable[[str], Any]) -> int | None:
        """Return the value that a controller should show; None where it does, or none fits."""
        target, shown = binding.target, self._shown.get(binding.source)
        if target.scale is None:
            return None
        setting = state(target.name)
        if shown is not None and not binding.is_pressed:
            if is_same(target.scale, target.from_value(shown), setting):
                return None  # as near as it can stand
        value = target.to_value(setting)
        if binding.is_pressed and target.value is None:
            value = lamp(value)
        return None if value == shown else value


def lamp(value: int | None) -> int | None:
    """Return 127 for all that is not the first or off, such as parts that are not full."""
    return None if value is None else 127 if value else 0


def recent(sent: Mapping[Message, float], now: float) -> dict[Message, float]:
    """Return what was sent within ``ECHO_S``."""
    return {message: at for message, at in sent.items() if now - at < ECHO_S}
