"""The panel's server: uvicorn and Starlette on a thread of their own.

No note waits for this thread: if it is late, only a page is late.
Not here: messages (``livecover.panel``), access control (``livecover.panel.web.security``).
"""

import asyncio
import contextlib
import errno
import logging
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from engine.core.errors import ConfigError, LiveCoverError
from engine.system.bounded import join_thread
from livecover.instrument.instrument import Instrument
from livecover.panel.program_icons import read_icon
from livecover.panel.requests import MAX_STYLE_MESSAGE
from livecover.panel.web.address import TokenFile, network_address, qr_code
from livecover.panel.web.api import api_routes
from livecover.panel.web.connections import BACKLOG, PendingConnections, connection_protocol
from livecover.panel.web.page_files import fingerprint, load_page
from livecover.panel.web.security import WILDCARDS, SecurityMiddleware, bracketed, is_loopback
from livecover.panel.web.sessions import PanelSessions
from livecover.panel.web.songs import song_routes
from livecover.settings.panel import PanelSettings
from livecover.takes.listing import find_take

MAX_CONNECTIONS = 256
"""With the token; without it ``livecover.panel.web.connections`` limits them."""
CLOSE_TIMEOUT = 1  # seconds for pages to close
TYPES_OF_TAKES = {".flac": "audio/flac", ".mid": "audio/midi"}

_log = logging.getLogger(__name__)


class PanelServer:
    """Serves the panel of one instrument, from ``start`` to ``stop``; a context manager does both.

    Parameters
    ----------
    instrument
        What the panel controls and shows.
    settings
        Where to listen.
    measure
        Whether pages report when they drew a note (``drawn``).
    tokens
        The token that is kept; by default each server has a new one.
    on_quit
        Called, on any thread, where a page asks the program to end; None where none may.
    """

    def __init__(
        self,
        instrument: Instrument,
        settings: PanelSettings | None = None,
        *,
        measure: bool = False,
        tokens: TokenFile | None = None,
        on_quit: Callable[[], object] | None = None,
    ) -> None:
        self._settings = settings or PanelSettings()
        self._tokens = tokens or TokenFile(None)
        self._token = self._tokens.read()
        self._security: SecurityMiddleware | None = None
        self._place = ("", 0)  # host and port
        self._sessions: PanelSessions | None = None
        self._instrument = instrument
        self._measure = measure
        self._on_quit = on_quit
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None
        self.url = ""
        """The page's address with its token, once started."""

    @property
    def drawn(self) -> deque[tuple[float, int, float]]:
        """(due, pitch, time drawn), as pages have reported; empty unless ``measure``."""
        return self._sessions.drawn if self._sessions is not None else deque()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Open the port, and serve.

        Raises
        ------
        ConfigError
            The port is in use, or the host is not an address of this machine.
        """
        assert self._thread is None
        listener = listen(self._settings)
        host, port = listener.getsockname()[:2]
        self._place = host, port
        self.url = self._url(WILDCARDS.get(host, host))
        if not is_loopback(host):
            _log.warning(
                "panel.host %s opens the panel to the network: whoever has its address can play,"
                " and nothing is encrypted; 127.0.0.1 keeps it on this machine",
                self._settings.host,
            )
        pending = PendingConnections()
        self._security = SecurityMiddleware(
            self._application(), self._token, self._settings.host, pending.discard
        )
        config = uvicorn.Config(
            self._security,
            loop="asyncio",
            http=connection_protocol(pending),
            backlog=BACKLOG,
            ws="websockets-sansio",
            ws_max_size=MAX_STYLE_MESSAGE,
            ws_per_message_deflate=False,  # loopback is fast; compression costs time
            lifespan="on",
            log_config=None,
            log_level="error",  # anybody could fill the log with warnings
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
        """Close every page and the port. A second call only waits."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        if is_waited_for:
            join_thread(self._thread, CLOSE_TIMEOUT)

    @property
    def network_url(self) -> str:
        """The page's address for other devices; empty where only this machine can open it."""
        host = self._place[0]
        address = None if is_loopback(host) else network_address(host)
        return "" if address is None else self._url(address)

    def _url(self, host: str) -> str:
        return f"http://{bracketed(host)}:{self._place[1]}/{self._token}/"

    def _renew(self) -> None:
        """Take a new token, and keep it."""
        assert self._security is not None
        self._token = self._tokens.renew()
        self._security.renew(self._token)
        self.url = self._url(WILDCARDS.get(self._place[0], self._place[0]))

    def _address(self) -> dict[str, object]:
        """Return the ``address`` message."""
        return {"type": "address", "address": self.network_url, "path": f"/{self._token}/"}

    def _serve(self, listener: socket.socket) -> None:
        """Run the server. On its thread."""
        assert self._server is not None
        with listener:
            try:
                self._server.run(sockets=[listener])
            except BaseException:  # uvicorn exits by SystemExit too; playing goes on
                _log.exception("the panel has stopped; start livecover again to have it back")

    def _application(self) -> Starlette:
        """Return the application behind the access control: the page's files and its WebSocket."""
        page = load_page()

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with sessions.running():
                yield

        async def answer(request: Request) -> Response:
            found = page.get(request.path_params["path"])
            if found is None:
                return PlainTextResponse("The panel has no such file.\n", 404)
            return Response(found[0], media_type=found[1])

        async def code(_: Request) -> Response:
            return Response(qr_code(self.network_url or self.url), media_type="image/svg+xml")

        async def icon(request: Request) -> Response:
            path = sessions.runner.allowed.choices.icons.get(request.path_params["player"])
            found = None if path is None else await asyncio.to_thread(read_icon, path)
            if found is None:
                return PlainTextResponse("There is no such icon.\n", 404)
            return Response(found[0], media_type=found[1])

        async def take(request: Request) -> Response:
            name, kind = request.path_params["name"], request.path_params["kind"]
            folder = self._instrument.settings.record.path
            try:
                path = (await asyncio.to_thread(find_take, folder, name)).file(kind)
            except LiveCoverError:
                path = None
            if path is None:
                return PlainTextResponse("There is no such file of a take.\n", 404)
            return FileResponse(path, media_type=TYPES_OF_TAKES[path.suffix])

        sessions = self._sessions = PanelSessions(
            self._instrument,
            self._measure,
            fingerprint(page),
            self._address,
            self._renew,
            self._on_quit,
        )
        routes = [
            WebSocketRoute("/socket", sessions.serve),
            *api_routes(sessions.runner),
            *song_routes(sessions.runner),
            Route("/qr.svg", code),
            Route("/icons/{player:path}", icon),
            Route("/takes/{name}/{kind}", take),
            Route("/{path:path}", answer),
        ]
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
            f"panel.host: expected an address of this machine, got {host!r} ({error.strerror});"
            " give 127.0.0.1"
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} is in use, perhaps by another livecover: stop it, or give another"
                " port with --panel-port (0 is any free one)"
            ) from error
        raise ConfigError(
            f"the panel cannot listen at {host} port {port} ({error.strerror}); give 127.0.0.1 as"
            " panel.host and a port above 1023"
        ) from error
