"""What waits to be sent to one page, and how often a page may speak. No sockets, no clocks.

Not here: the sockets (``livecover.panel.hub``).
"""

import asyncio
from collections import deque
from collections.abc import Mapping

from livecover.panel.messages import encode_one

MAX_WAITING = 256 * 1024
"""Characters that wait in order for a page that reads too slowly: minutes of notes."""
LATEST_ONLY = frozenset({"status", "chroma", "settings"})
"""Of these a page needs the newest alone."""


class Outbox:
    """Messages for one page, in order; the oldest go when it is full, their notes counted."""

    def __init__(self) -> None:
        self._ordered: deque[tuple[str, int]] = deque()  # text, notes in it
        self._n_waiting = 0  # characters
        self._latest: dict[str, str] = {}
        self._n_lost = 0
        self._is_ready = asyncio.Event()

    def put(self, kind: str, text: str, n_notes: int = 0) -> None:
        """Add an encoded message of a type, that ``flush`` will let go."""
        if kind in LATEST_ONLY:
            self._latest[kind] = text
            return
        self._ordered.append((text, n_notes))
        self._n_waiting += len(text)
        while self._n_waiting > MAX_WAITING:
            oldest, n_lost = self._ordered.popleft()
            self._n_waiting -= len(oldest)
            self._n_lost += n_lost

    def add(self, message: Mapping[str, object]) -> None:
        """Add a message, encoded here."""
        self.put(str(message["type"]), encode_one(message))

    def flush(self) -> None:
        """Let go what has been put since, as one frame."""
        if self._ordered or self._latest:
            self._is_ready.set()

    async def frame(self) -> str:
        """Wait for the next flush, and return everything as one frame."""
        await self._is_ready.wait()
        self._is_ready.clear()
        texts = [text for text, _ in self._ordered]
        if self._n_lost:
            lost = {"type": "notes", "notes": [], "pedal": [], "n_lost": self._n_lost}
            texts.insert(0, encode_one(lost))
        texts += self._latest.values()
        self._ordered.clear()
        self._latest.clear()
        self._n_lost = self._n_waiting = 0
        return f"[{','.join(texts)}]"


class Allowance:
    """A token bucket: ``rate`` messages a second after a burst of ``burst``.

    >>> allowance = Allowance(rate=1.0, burst=2, now=0.0)
    >>> [allowance.take(now) for now in (0.0, 0.0, 0.0, 1.0)]
    [True, True, False, True]
    """

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._left = float(burst)
        self._then = now

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Return whether one more is allowed at ``now``, and count it if so."""
        self._left = min(self._burst, self._left + (now - self._then) * self._rate)
        self._then = now
        if self._left < cost:
            return False
        self._left -= cost
        return True
