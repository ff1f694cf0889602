"""Passes audio, notes and events of the engine to the panel's thread.

The engine's threads append to bounded queues, without a lock. When one is full, the oldest entries
are dropped; dropped events are counted. Nothing is queued while no page is open.
Not here: what else pages are told (``page_updates``), and when (``livecover.panel.web.sessions``).
"""

import time
from collections import deque
from collections.abc import Sequence

from engine.core.notes import Event, NoteEvent
from engine.core.taps import Array, Tap, TappedSource
from livecover.panel.chroma import Chroma

MAX_BLOCKS = 64
"""Most blocks of audio that wait; each is at most 64 ms long."""
MAX_EVENTS = 512
"""Most batches of notes, and signals such as ``silence``, that wait."""

_PARTS = {"accompaniment": 0, "melody": 1}
_HANDS = {"left": 0, "right": 1, None: -1}

_Batch = tuple[Sequence[Event], Sequence[float]]
_Signal = tuple[str, float]  # type of message, host time


class PanelTap(Tap):
    """A tap that queues for the panel's thread while ``is_active``."""

    def __init__(self) -> None:
        self.is_active = False
        self.n_lost = 0
        """Batches and signals that were dropped."""
        self._blocks: deque[tuple[Array, float]] = deque(maxlen=MAX_BLOCKS)
        self._events: deque[_Batch | _Signal] = deque(maxlen=MAX_EVENTS)
        self._sample_rate = 0
        self._chroma: Chroma | None = None

    # On the engine's threads.

    def begin(self, source: TappedSource, offset: float, latency: float) -> None:  # noqa: D102
        self._sample_rate = source.sample_rate

    def audio(self, block: Array, time: float, host_time: float) -> None:  # noqa: D102
        if self.is_active and len(block):
            self._blocks.append((block, host_time))

    def found(self, events: Sequence[Event], dues: Sequence[float]) -> None:  # noqa: D102
        if events:
            self._put((events, dues))

    def silenced(self) -> None:  # noqa: D102
        self._put(("silence", time.perf_counter()))

    def lost(self) -> None:  # noqa: D102
        self._put(("lost", time.perf_counter()))

    def close(self) -> None:  # noqa: D102
        self._put(("silence", time.perf_counter()))

    def _put(self, entry: _Batch | _Signal) -> None:
        if self.is_active:
            self.n_lost += len(self._events) == MAX_EVENTS
            self._events.append(entry)

    # On the panel's thread.

    def set_active(self, is_active: bool) -> None:
        """Start or stop queueing; the queues are emptied."""
        self.is_active = is_active
        self._blocks.clear()
        self._events.clear()
        self._chroma = None

    def take_messages(self) -> list[dict[str, object]]:
        """Return messages of what happened since the last call, in order."""
        messages: list[dict[str, object]] = []
        notes: list[tuple[float, int, int, int, int]] = []
        pedal: list[tuple[float, int]] = []
        # Another thread may append meanwhile: later entries are for the next call.
        for _ in range(len(self._events)):
            first, second = self._events.popleft()
            if isinstance(first, str):
                messages += _notes(notes, pedal)
                notes, pedal = [], []
                messages.append({"type": first, "at": second})
                continue
            assert not isinstance(second, float)
            for event, due in zip(first, second, strict=True):
                at = round(due, 4)
                if isinstance(event, NoteEvent):
                    part, hand = _PARTS[event.part], _HANDS[event.hand]
                    notes.append((at, event.pitch, event.velocity, part, hand))
                else:
                    pedal.append((at, int(event.is_down)))
        return messages + _notes(notes, pedal)

    def take_chroma(self) -> dict[str, object] | None:
        """Return the chroma of the last window as a message; None without new audio."""
        blocks = [self._blocks.popleft() for _ in range(len(self._blocks))]
        if not blocks:
            return None
        if self._chroma is None or self._chroma.sample_rate != self._sample_rate:
            self._chroma = Chroma(self._sample_rate)
        self._chroma.push([block for block, _ in blocks])
        last, host_time = blocks[-1]
        at = host_time + len(last) / self._sample_rate - self._chroma.middle
        return {"type": "chroma", "at": round(at, 4), "values": self._chroma.values()}


def _notes(
    notes: list[tuple[float, int, int, int, int]], pedal: list[tuple[float, int]]
) -> list[dict[str, object]]:
    """Return a message of notes and pedals; none if there are none."""
    if not notes and not pedal:
        return []
    return [{"type": "notes", "notes": notes, "pedal": pedal, "n_lost": 0}]
