"""Limits on connections that have not sent the token yet.

Anybody who reaches the port can open connections and send nothing, or one byte a second. Each has
``MAX_PENDING_S`` to send a request with the token; beyond ``MAX_PENDING`` the oldest is closed. So
they cannot keep others out. uvicorn has no such limits: its timeout starts after the first
response, and its ``limit_concurrency`` refuses the newest.
Not here: who has the token (``livecover.panel.web.security``).
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_PENDING = 96
"""Twice ``BACKLOG``, so that none of those accepted at once is closed unread."""
BACKLOG = 48
"""Connections that the system queues, and that are accepted at once."""
MAX_PENDING_S = 5.0

Address = Any  # (host, port), as an ASGI scope's ``client`` has it


class PendingConnections:
    """Connections without the token, oldest first. On the server's event loop."""

    def __init__(self) -> None:
        self._pending: dict[Address, tuple[asyncio.Transport, asyncio.TimerHandle]] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, client: Address, transport: asyncio.Transport) -> None:
        """Add a connection; if there are too many, close the oldest."""
        self.discard(client)
        if len(self._pending) >= MAX_PENDING:
            self._close(next(iter(self._pending)))
        timer = asyncio.get_running_loop().call_later(MAX_PENDING_S, self._close, client)
        self._pending[client] = transport, timer

    def discard(self, client: Address) -> None:
        """Remove a connection: it has sent the token, or is closed."""
        if client in self._pending:
            _, timer = self._pending.pop(client)
            timer.cancel()

    def _close(self, client: Address) -> None:
        transport, timer = self._pending.pop(client)
        timer.cancel()
        transport.abort()


def connection_protocol(pending: PendingConnections) -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP/1.1 protocol class, whose connections add themselves to ``pending``."""

    class Connection(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            pending.add(self.client, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            pending.discard(self.client)
            super().connection_lost(exc)

    return Connection
