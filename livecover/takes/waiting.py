"""What the recorder has heard and its writer has not taken yet: a queue with bounds.

Any thread puts, the writer takes; nobody waits for the disk. Not here: what is made of it
(``recorder``, ``desk``).
"""

import collections
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.admission import Admission
from engine.core.notes import Event

Array = NDArray[np.float32]

MAX_WAITING_S = 30.0
"""Seconds of sound that may wait for the disk; what comes then is silence in the take."""
MAX_ENTRIES = 20_000
"""Entries beside which a note-on finds room; note-ons that come then are not in the take."""


@dataclass(slots=True)
class Sound:
    """Samples of the input; ``block`` (n, c) is None where they could not be kept."""

    block: Array | None
    n: int
    time: float
    host_time: float
    sample_rate: int


Action = Callable[[], None]
Entry = Sound | Event | Action


class Waiting:
    """The queue.

    Sound beyond ``MAX_WAITING_S`` becomes one entry that says how much is missing; notes follow
    ``Admission``; any other action is dropped beyond three times ``MAX_ENTRIES``, and then
    ``is_broken`` says that what waits makes no sense any more.

    Attributes
    ----------
    is_broken : bool
        Whether an action found no room.
    """

    def __init__(self) -> None:
        self.is_broken = False
        self._entries: collections.deque[Entry] = collections.deque()
        self._admission = Admission()
        self._seconds = 0.0  # of sound
        self._gap: Sound | None = None  # the last entry of sound, while more can be added to it
        self._lock = threading.Lock()  # held for an append or a pop, never for the disk

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def n_lost_notes(self) -> int:
        """Note-ons that found no room."""
        return self._admission.n_refused

    def put_sound(self, sound: Sound) -> None:
        """Put samples, or that they are missing."""
        seconds = sound.n / sound.sample_rate
        with self._lock:
            if self._seconds + seconds <= MAX_WAITING_S or not self._seconds:
                self._seconds += seconds
                self._gap = None
                self._entries.append(sound)
            elif self._gap is not None:
                self._gap.n += sound.n
            else:
                sound.block = None
                self._gap = sound
                self._entries.append(sound)

    def put_event(self, event: Event) -> None:
        """Put what was sent, if there is room."""
        with self._lock:
            if self._admission.takes(event, len(self._entries) < MAX_ENTRIES):
                self._entries.append(event)

    def put(self, action: Action) -> None:
        """Put something to do."""
        with self._lock:
            self._gap = None
            if len(self._entries) < 3 * MAX_ENTRIES:
                self._entries.append(action)
            else:
                self.is_broken = True

    def take(self) -> Entry | None:
        """Return the first entry; None where none waits."""
        with self._lock:
            if not self._entries:
                return None
            entry = self._entries.popleft()
            if isinstance(entry, Sound) and entry.block is not None:
                self._seconds = max(0.0, self._seconds - entry.n / entry.sample_rate)
            elif entry is self._gap:
                self._gap = None
            return entry

    def clear(self) -> None:
        """Forget all that waits."""
        with self._lock:
            self._entries.clear()
            self._seconds, self._gap, self.is_broken = 0.0, None, False
