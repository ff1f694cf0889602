"""A function as a MIDI sink."""

from collections.abc import Callable

from engine.core.errors import MidiError
from engine.core.notes import Event


class FunctionSink:
    """Calls a function with each event, when it is due: :class:`engine.midi.sinks.MidiSink`.

    Parameters
    ----------
    function
        Called on the MIDI thread, which it holds up while it runs. What it raises counts as an
        event that was refused; music goes on. Every note-on is followed by its note-off.
    name
        As the user knows it.
    """

    is_there = True
    n_losses = 0
    latency = 0.0

    def __init__(self, function: Callable[[Event], object], name: str = "function") -> None:
        self.name = name
        self._function = function

    def send(self, event: Event) -> None:
        """Call the function. Raises MidiError where it raises."""
        try:
            self._function(event)
        except Exception as error:
            raise MidiError(
                f"{self.name} did not take a note ({type(error).__name__}: {error}): mend the"
                " function that the sink calls"
            ) from error

    def silence(self) -> None:
        """Do nothing: what sounds was ended by its note-offs."""

    def panic(self) -> None:
        """Do nothing; see :meth:`silence`."""

    def close(self) -> None:
        """Do nothing."""
