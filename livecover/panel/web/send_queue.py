"""The messages that wait to be sent to one page. Not here: the sockets (``sessions``)."""

import asyncio
from collections import deque
from collections.abc import Mapping

from livecover.panel.messages import encode_one

MAX_WAITING = 256 * 1024
"""Most characters that wait in order, for a page that reads too slowly: minutes of notes."""
LATEST_ONLY = frozenset({"status", "chroma", "settings"})
"""Types of which only the newest message is sent."""


class SendQueue:
    """Messages for one page, in order; when full the oldest are dropped, their notes counted."""

    def __init__(self) -> None:
        self._ordered: deque[tuple[str, int]] = deque()  # text, notes in it
        self._n_waiting = 0  # characters
        self._latest: dict[str, str] = {}
        self._n_lost = 0
        self._is_ready = asyncio.Event()

    def put(self, kind: str, text: str, n_notes: int = 0) -> None:
        """Add an encoded message of a type; ``flush`` lets it be sent."""
        if kind in LATEST_ONLY:
            self._latest[kind] = text
            return
        self._ordered.append((text, n_notes))
        self._n_waiting += len(text)
        while self._n_waiting > MAX_WAITING:
            oldest, n_lost = self._ordered.popleft()
            self._n_waiting -= len(oldest)
            self._n_lost += n_lost

    def put_message(self, message: Mapping[str, object]) -> None:
        """Add a message, encoded here."""
        self.put(str(message["type"]), encode_one(message))

    def flush(self) -> None:
        """Let what was put be sent, as one frame."""
        if self._ordered or self._latest:
            self._is_ready.set()

    async def frame(self) -> str:
        """Wait for the next flush, and return all messages as one frame."""
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
