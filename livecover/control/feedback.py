"""Feedback to controllers: motor faders and lamps show the settings, whoever changed them.

A controller is not sent the value that it sent itself, and nothing at all while it is being moved.
Not here: the port, and how messages are handled (``listener``).
"""

from collections.abc import Callable, Mapping
from typing import Any

from livecover.control.ports import Message
from livecover.mapping.bindings import Binding, Bindings
from livecover.mapping.sources import Source
from livecover.mapping.targets import is_same

TOUCHED_S = 0.3
"""Seconds after its last message during which a fader counts as being moved."""
EVERY_S = 0.03
"""Least seconds between two calls that send."""
MAX_MESSAGES = 8
"""Most messages in one call: with ``EVERY_S`` a quarter of what a MIDI cable carries."""
ECHO_S = 0.1
"""Seconds within which the same message coming back is our own."""


class Feedback:
    """Remembers the last value of each controller, sent or received.

    Parameters
    ----------
    send
        Sends a message.
    channel
        The channel to send on where the mapping names none, until the controller has sent
        something.
    """

    def __init__(self, send: Callable[[Message], None], channel: int = 1) -> None:
        self._send = send
        self._channel = channel
        self._channels: dict[Source, int] = {}
        self._shown: dict[Source, int] = {}
        self._touched: dict[Source, float] = {}
        self._sent: dict[Message, float] = {}
        self._next = 0.0

    def received(self, binding: Binding, value: int, channel: int, now: float) -> None:
        """Take the value that a controller has sent."""
        source = binding.source
        self._channels[source] = channel
        if not binding.is_pressed:
            self._shown[source] = value
            self._touched[source] = now

    def is_echo(self, message: Message, now: float) -> bool:
        """Return whether a message is our own, returned by a loop in the cabling.

        Value 0 never counts: it changes nothing when it comes back, and may be a released button.
        """
        return message[2] > 0 and now - self._sent.get(message, -ECHO_S) < ECHO_S

    def reset(self) -> None:
        """Send everything again: another controller may be connected now."""
        self._shown.clear()

    def send_due(
        self, bindings: Bindings, value_of: Callable[[str], Any], now: float
    ) -> float | None:
        """Send the values that have changed; return when to call again, None if not before news.

        Parameters
        ----------
        bindings
            The mapping.
        value_of
            Returns a setting, or a state, by name.
        now
            Monotonic seconds.
        """
        if now < self._next:
            return self._next
        n_sent, again = 0, []
        for source, binding in bindings.items():
            value = self._wanted(binding, value_of)
            if value is None:
                continue
            until = self._touched.get(source, -TOUCHED_S) + TOUCHED_S
            if now < until:
                again.append(until)
                continue
            message = source.message(value, self._channels.get(source, self._channel))
            if message is None:
                continue
            if n_sent == MAX_MESSAGES:
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

    def _wanted(self, binding: Binding, value_of: Callable[[str], Any]) -> int | None:
        """Return the value to send; None where the controller shows it, or no value fits."""
        target, shown = binding.target, self._shown.get(binding.source)
        if target.scale is None:
            return None
        setting = value_of(target.name)
        if shown is not None and not binding.is_pressed:
            if is_same(target.scale, target.from_value(shown), setting):
                return None  # the nearest of 128 values
        value = target.to_value(setting)
        if binding.is_pressed and target.value is None:
            value = lamp(value)
        return None if value == shown else value


def lamp(value: int | None) -> int | None:
    """Return 127 for any value above 0, so that a lamp is lit for all but off or the first."""
    return None if value is None else 127 if value else 0


def recent(sent: Mapping[Message, float], now: float) -> dict[Message, float]:
    """Return the messages that were sent within ``ECHO_S``."""
    return {message: at for message, at in sent.items() if now - at < ECHO_S}
