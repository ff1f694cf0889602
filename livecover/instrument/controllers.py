"""What is known of MIDI controllers: the port that they come by, and what MIDI learn waits for.

Not here: their messages and the port itself (``livecover.control``).
"""

from collections.abc import Callable

from engine.core.errors import ConfigError
from livecover.instrument.ports import PortState
from livecover.mapping.targets import check_target


class Controllers:
    """The state of MIDI control, as whoever opens the port tells it and displays show it.

    Parameters
    ----------
    on_change
        Called after each change of what MIDI learn waits for.

    Attributes
    ----------
    port : str
        The MIDI port for controllers; empty if there is none.
    port_state : callable
        Returns the state of that port.
    learning : str or None
        The setting or command that MIDI learn waits for.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.port = ""
        self.port_state: Callable[[], PortState | None] = lambda: None
        self.learning: str | None = None
        self._on_change = on_change

    def learn(self, name: str | None) -> None:
        """Map the next controller that moves to a setting or a command; None cancels.

        Raises ConfigError if no controller can control it, or MIDI control is off.
        """
        if name is not None:
            check_target(name)
            if not self.port:
                raise ConfigError("MIDI control is off: give a MIDI port with --control PORT")
        self.learning = name
        self._on_change()
