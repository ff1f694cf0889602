"""The bounded queue between the recorder's tap and its writer thread.

Any thread puts; the writer thread takes. No put waits for the disk. Not here: what is written
(``recorder``, ``writer``).
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
"""Most seconds of audio that wait for the disk; audio beyond is silence in the take."""
MAX_ENTRIES = 20_000
"""Most entries with which a note-on is accepted; note-ons beyond are not in the take."""


@dataclass(slots=True)
class AudioEntry:
    """Samples of the input; ``block`` (n, c) is None if they were dropped."""

    block: Array | None
    n: int
    time: float
    host_time: float
    sample_rate: int


Action = Callable[[], None]
Entry = AudioEntry | Event | Action


class RecordingQueue:
    """A queue of audio, notes and actions, in order.

    Audio beyond ``MAX_WAITING_S`` is dropped; one entry says how much. Notes follow ``Admission``.
    Beyond three times ``MAX_ENTRIES`` actions are dropped too, and the queue is broken.

    Attributes
    ----------
    is_broken : bool
        Whether an action was dropped, so that the rest cannot be written.
    """

    def __init__(self) -> None:
        self.is_broken = False
        self._entries: collections.deque[Entry] = collections.deque()
        self._admission = Admission()
        self._seconds = 0.0  # of audio
        self._gap: AudioEntry | None = None  # the last entry, if it is one of dropped audio
        self._lock = threading.Lock()  # held for an append or a pop only

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def n_lost_notes(self) -> int:
        """Note-ons that were dropped."""
        return self._admission.n_refused

    def put_audio(self, audio: AudioEntry) -> None:
        """Put samples; beyond the bound, only how many were dropped."""
        seconds = audio.n / audio.sample_rate
        with self._lock:
            if self._seconds + seconds <= MAX_WAITING_S or not self._seconds:
                self._seconds += seconds
                self._gap = None
                self._entries.append(audio)
            elif self._gap is not None:
                self._gap.n += audio.n
            else:
                audio.block = None
                self._gap = audio
                self._entries.append(audio)

    def put_event(self, event: Event) -> None:
        """Put a note or a pedal that was sent, if ``Admission`` accepts it."""
        with self._lock:
            if self._admission.takes(event, len(self._entries) < MAX_ENTRIES):
                self._entries.append(event)

    def put(self, action: Action) -> None:
        """Put an action for the writer thread."""
        with self._lock:
            self._gap = None
            if len(self._entries) < 3 * MAX_ENTRIES:
                self._entries.append(action)
            else:
                self.is_broken = True

    def get(self) -> Entry | None:
        """Return and remove the first entry; None if the queue is empty."""
        with self._lock:
            if not self._entries:
                return None
            entry = self._entries.popleft()
            if isinstance(entry, AudioEntry) and entry.block is not None:
                self._seconds = max(0.0, self._seconds - entry.n / entry.sample_rate)
            elif entry is self._gap:
                self._gap = None
            return entry

    def clear(self) -> None:
        """Empty the queue."""
        with self._lock:
            self._entries.clear()
            self._seconds, self._gap, self.is_broken = 0.0, None, False
