"""What the panel hears of the engine, kept until the panel's own thread takes it.

The engine's threads append to short queues and go on: no lock, no arithmetic, no waiting. What
does not fit is dropped, the oldest first: audio, of which a picture is made only, and what
happened, which is counted. Nothing is kept while no page looks.
Not here: what is sent to a page, and when (``livecover.panel.hub``).
"""

import time
from collections import deque
from collections.abc import Sequence

from engine.core.notes import Event, NoteEvent
from engine.core.taps import Array, Tap, TappedSource
from livecover.panel.chroma import Chroma

MAX_BLOCKS = 64
"""Blocks of audio that wait; each is at most 64 ms long."""
MAX_HAPPENED = 512
"""Batches of events, and signs such as ``silence``, that wait."""

_PARTS = {"accompaniment": 0, "melody": 1}
_HANDS = {"left": 0, "right": 1, None: -1}

_Batch = tuple[Sequence[Event], Sequence[float]]
_Sign = tuple[str, float]  # type of message, moment


class PanelTap(Tap):
    """Keeps what goes through the engine for the panel's thread, while ``is_watched``."""

    def __init__(self) -> None:
        self.is_watched = False
        self.n_lost = 0
        """Batches and signs that found no room."""
        self._blocks: deque[tuple[Array, float]] = deque(maxlen=MAX_BLOCKS)
        self._happened: deque[_Batch | _Sign] = deque(maxlen=MAX_HAPPENED)
        self._sample_rate = 0
        self._chroma: Chroma | None = None

    # On the engine's threads.

    def begin(self, source: TappedSource, offset: float, latency: float) -> None:  # noqa: D102
        self._sample_rate = source.sample_rate

    def audio(self, block: Array, time: float, host_time: float) -> None:  # noqa: D102
        if self.is_watched and len(block):
            self._blocks.append((block, host_time))

    def found(self, events: Sequence[Event], dues: Sequence[float]) -> None:  # noqa: D102
        if events:
            self._keep((events, dues))

    def silenced(self) -> None:  # noqa: D102
        self._keep(("silence", time.perf_counter()))

    def lost(self) -> None:  # noqa: D102
        self._keep(("lost", time.perf_counter()))

    def close(self) -> None:  # noqa: D102
        self._keep(("silence", time.perf_counter()))

    def _keep(self, what: _Batch | _Sign) -> None:
        if self.is_watched:
            self.n_lost += len(self._happened) == MAX_HAPPENED
            self._happened.append(what)

    # On the panel's thread.

    def watch(self, is_watched: bool) -> None:
        """Begin or end to keep; what was kept before is dropped."""
        self.is_watched = is_watched
        self._blocks.clear()
        self._happened.clear()
        self._chroma = None

    def take_happened(self) -> list[dict[str, object]]:
        """Return what happened since the last call, in order, as ``livecover.panel.messages``."""
        messages: list[dict[str, object]] = []
        notes: list[tuple[float, int, int, int, int]] = []
        pedal: list[tuple[float, int]] = []
        # Another thread may append meanwhile: what comes later is for the next call.
        for _ in range(len(self._happened)):
            first, second = self._happened.popleft()
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
        """Return the chroma of the last window as a message; None where no audio came."""
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
    """Return the message of them, if there are any."""
    if not notes and not pedal:
        return []
    return [{"type": "notes", "notes": notes, "pedal": pedal, "n_lost": 0}]
