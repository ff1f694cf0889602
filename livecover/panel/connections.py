"""Connections that have not shown the token yet: how many may wait, and for how long.

Whoever reaches the port may open connections and say nothing, or one byte a second. Such ones must
keep nobody out and hold nothing for long: each has ``MAX_PENDING_S`` to ask for something with the
token, and of more than ``MAX_PENDING`` the oldest goes. uvicorn has no such limits: its timeout
begins after the first answer, and its ``limit_concurrency`` turns away the newest.
Not here: who has the token (``livecover.panel.security``).
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_PENDING = 96
"""Twice ``BACKLOG``: of those that are accepted at once, none goes before it was heard."""
BACKLOG = 48
"""Connections that the system keeps until they are accepted, and that are accepted at once."""
MAX_PENDING_S = 5.0

Address = Any  # (host, port), as an ASGI scope's ``client`` has it


class PendingConnections:
    """Those that have not shown the token, oldest first. On the server's loop."""

    def __init__(self) -> None:
        self._pending: dict[Address, tuple[asyncio.Transport, asyncio.TimerHandle]] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, client: Address, transport: asyncio.Transport) -> None:
        """Begin to wait for it; where too many wait, close the one that has waited longest."""
        self.discard(client)
        if len(self._pending) >= MAX_PENDING:
            self._close(next(iter(self._pending)))
        timer = asyncio.get_running_loop().call_later(MAX_PENDING_S, self._close, client)
        self._pending[client] = transport, timer

    def discard(self, client: Address) -> None:
        """Wait no longer: it has shown the token, or is closed."""
        if client in self._pending:
            _, timer = self._pending.pop(client)
            timer.cancel()

    def _close(self, client: Address) -> None:
        transport, timer = self._pending.pop(client)
        timer.cancel()
        transport.abort()


def protocol_of(pending: PendingConnections) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol of a new connection, HTTP/1.1, which adds itself to ``pending``."""

    class Connection(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            pending.add(self.client, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            pending.discard(self.client)
            super().connection_lost(exc)

    return Connection
