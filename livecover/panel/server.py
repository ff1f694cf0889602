"""The panel's server: a thread of its own, with uvicorn and Starlette on it.

Nothing here is on the way from ear to port: if this thread is late, a page is late.
Not here: the words (``livecover.panel.messages``) and the guard (``livecover.panel.security``).
"""

import contextlib
import errno
import logging
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from engine.core.errors import ConfigError
from engine.system.bounded import join_thread
from livecover.panel.connections import BACKLOG, PendingConnections, protocol_of
from livecover.panel.hub import Hub
from livecover.panel.messages import MAX_STYLE_MESSAGE
from livecover.panel.page_files import load_page
from livecover.panel.played import Played
from livecover.panel.security import Guard, bracketed, is_loopback, make_token
from livecover.settings.panel import PanelSettings

MAX_CONNECTIONS = 256
"""With the token; for those without, see ``livecover.panel.connections``."""
CLOSE_TIMEOUT = 1  # seconds that pages have to say goodbye
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}

_log = logging.getLogger(__name__)


class PanelServer:
    """Serves the panel of one instrument, from ``start`` to ``stop``; a context manager does both.

    Parameters
    ----------
    played
        The instrument.
    settings
        Where to listen.
    measure
        Whether pages are asked to tell when they drew a note (``drawn``).
    """

    def __init__(
        self, played: Played, settings: PanelSettings | None = None, *, measure: bool = False
    ) -> None:
        self._settings = settings or PanelSettings()
        self._token = make_token()
        self._hub: Hub | None = None
        self._played = played
        self._measure = measure
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None
        self.url = ""
        """The page's address with its token, once started."""

    @property
    def drawn(self) -> deque[tuple[float, int, float]]:
        """(due, pitch, moment drawn) as pages told, where they were asked."""
        return self._hub.drawn if self._hub is not None else deque()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, and serve from now on.

        Raises
        ------
        ConfigError
            The port is taken, or the host is no address of this machine.
        """
        assert self._thread is None
        listener = listen(self._settings)
        host, port = listener.getsockname()[:2]
        self.url = f"http://{bracketed(WILDCARDS.get(host, host))}:{port}/{self._token}/"
        if not is_loopback(host):
            _log.warning(
                "panel.host %s lets the network in: whoever has the panel's address can play, and"
                " it is sent unencrypted; 127.0.0.1 keeps it on this machine",
                self._settings.host,
            )
        pending = PendingConnections()
        config = uvicorn.Config(
            Guard(self._application(), self._token, self._settings.host, pending.discard),
            loop="asyncio",
            http=protocol_of(pending),
            backlog=BACKLOG,
            ws="websockets-sansio",
            ws_max_size=MAX_STYLE_MESSAGE,
            ws_per_message_deflate=False,  # loopback is fast, processors are busy
            lifespan="on",
            log_config=None,
            log_level="error",  # a warning for each line of nonsense is a stranger's to cause
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=CLOSE_TIMEOUT,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._serve, args=(listener,), name="panel", daemon=True
        )
        self._thread.start()

    def stop(self, *, is_waited_for: bool = True) -> None:
        """Close every page and the port; a second call only waits."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        if is_waited_for:
            join_thread(self._thread, CLOSE_TIMEOUT)

    def _serve(self, listener: socket.socket) -> None:
        """Run the server. On its thread."""
        assert self._server is not None
        with listener:
            try:
                self._server.run(sockets=[listener])
            except BaseException:  # uvicorn exits by SystemExit too; music goes on without a panel
                _log.exception("the panel has stopped; start livecover again to have it back")

    def _application(self) -> Starlette:
        """Return what is guarded: the page's files and its socket."""
        page = load_page()

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with hub.running():
                yield

        async def answer(request: Request) -> Response:
            found = page.get(request.path_params["path"])
            if found is None:
                return PlainTextResponse("The panel has no such file.\n", 404)
            return Response(found[0], media_type=found[1])

        hub = self._hub = Hub(self._played, self._measure)
        routes = [WebSocketRoute("/socket", hub.socket), Route("/{path:path}", answer)]
        return Starlette(routes=routes, lifespan=lifespan)


def listen(settings: PanelSettings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises
    ------
    ConfigError
        The port is taken or not allowed, or the host is no address of this machine.
    """
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family)
    except socket.gaierror as error:
        raise ConfigError(
            f"panel.host {host!r} is no address ({error.strerror}); give 127.0.0.1"
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} is taken, perhaps by another livecover: stop it, or give another with"
                " --panel-port (0 is any that is free)"
            ) from error
        raise ConfigError(
            f"the panel cannot listen at {host} port {port} ({error.strerror}); give 127.0.0.1 as"
            " panel.host and a port above 1023"
        ) from error
