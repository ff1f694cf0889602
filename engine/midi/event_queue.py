"""Events that wait to be sent, by when they are due; bounded, with every note-off of what is in it.

Not thread-safe: the scheduler holds its lock.
"""

import heapq
import itertools
from dataclasses import dataclass, field

from engine.core.notes import Event, NoteEvent

_Key = tuple[int, int | None]
"""Channel and key, or None for the channel's pedal."""


@dataclass(frozen=True, slots=True, order=True)
class QueuedEvent:
    """An event and when it is due; ``serial`` keeps what was submitted first before its equals."""

    due: float
    serial: int
    event: Event = field(compare=False)
    was_late: bool = field(compare=False)  # already due when submitted


class EventQueue:
    """A heap of events; those of one key keep their order.

    Parameters
    ----------
    max_ons
        Note-ons that may wait; further ones are dropped with their note-offs.

    Attributes
    ----------
    n_overflowed : int
        Note-ons dropped as the queue was full.
    """

    def __init__(self, max_ons: int) -> None:
        self.n_overflowed = 0
        self._max_ons = max_ons
        self._heap: list[QueuedEvent] = []
        self._serials = itertools.count()
        self._n_ons = 0
        self._last_due: dict[_Key, float] = {}
        self._open: set[_Key] = set()  # keys whose last event taken is a note-on

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._heap)

    @property
    def next_due(self) -> float | None:
        """When the next event is due."""
        return self._heap[0].due if self._heap else None

    def push(self, event: Event, due: float, now: float) -> None:
        """Take an event that is due at ``due``, or drop it."""
        key: _Key = (event.channel, event.pitch if isinstance(event, NoteEvent) else None)
        if isinstance(event, NoteEvent):
            if event.is_on:
                if self._n_ons >= self._max_ons:
                    self.n_overflowed += 1
                    return
                self._open.add(key)
                self._n_ons += 1
            elif key in self._open:
                self._open.remove(key)
            else:
                return  # its note-on was dropped, or a panic has ended the note
        due = max(due, self._last_due.get(key, due))
        self._last_due[key] = due
        heapq.heappush(self._heap, QueuedEvent(due, next(self._serials), event, due < now))

    def pop(self) -> QueuedEvent:
        """Return the event that is due first, and take it out."""
        item = heapq.heappop(self._heap)
        self._n_ons -= isinstance(item.event, NoteEvent) and item.event.is_on
        return item

    def clear(self) -> None:
        """Drop everything."""
        self._heap.clear()
        self._n_ons = 0
        self._open.clear()
        self._last_due.clear()
