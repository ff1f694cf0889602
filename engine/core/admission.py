"""Which events a bounded queue takes, so that each note-on in it has its note-off."""

from collections import Counter

from engine.core.notes import Event, NoteEvent

_PEDAL = -1


class Admission:
    """The rule of a bounded queue: what it drops when it is full.

    A note-on, or a pedal that goes down, is taken while there is room. The end of a taken event is
    always taken, of any other never. So a queue with room for n holds 2 n events at most. One
    thread.

    Attributes
    ----------
    n_refused : int
        Note-ons for which there was no room.
    """

    def __init__(self) -> None:
        self.n_refused = 0
        self._open: Counter[tuple[int, int]] = Counter()  # by channel and pitch

    def takes(self, event: Event, has_room: bool) -> bool:
        """Return whether the queue is to take an event."""
        if isinstance(event, NoteEvent):
            is_begin, key = event.is_on, (event.channel, event.pitch)
        else:
            is_begin, key = event.is_down, (event.channel, _PEDAL)
        if is_begin:
            self._open[key] += has_room
            self.n_refused += isinstance(event, NoteEvent) and not has_room
            return has_room
        is_open = self._open[key] > 0
        self._open[key] -= is_open
        return is_open
