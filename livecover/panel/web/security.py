"""Access control of the panel: a check of every request and WebSocket.

The threat is another page in the same browser: it can send requests to loopback, and by DNS
rebinding reach this server under a name of its own. So a request needs

- a Host that is this server's address or ``localhost``, not a name that somebody else controls;
- an Origin, if there is one, that is this server's own; a WebSocket must have one (RFC 6455, 10.2);
- Sec-Fetch-Site, if the browser sends it, of ``same-origin`` or ``none`` (typed, or opened by us);
  only the page itself may be opened by a link elsewhere, such as a terminal in a browser;
- the token, the first part of the path, compared in constant time. It is not a cookie, so no
  browser sends it by itself.

Not here: the check of messages (``livecover.panel.request_parser``).
"""

import hmac
import ipaddress
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where this machine reaches what listens at all its addresses."""
REFUSED = (
    "This is livecover's panel. Its address ends in a token: open the whole address that livecover"
    " printed when it started.\n"
)

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), midi=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every response, with the Content-Security-Policy."""


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach ``host``.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost")
    (True, True, True)
    >>> is_loopback("0.0.0.0"), is_loopback("studio.local")
    (False, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bracketed(host: str) -> str:
    """Return ``host`` as a URL has it.

    >>> bracketed("::1"), bracketed("127.0.0.1")
    ('[::1]', '127.0.0.1')
    """
    return f"[{host}]" if ":" in host else host


class SecurityMiddleware:
    """ASGI middleware that passes on only allowed requests, and adds headers to every response.

    Parameters
    ----------
    app
        The application; it gets the path after the token.
    token
        As ``livecover.panel.web.address`` makes it.
    host
        The address to listen at, as the settings have it; if it is a name, Host may be it.
    on_allowed
        Called with the client's address, for each allowed request.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str,
        host: str,
        on_allowed: Callable[[object], None] = lambda client: None,
    ) -> None:
        self._app = app
        self._on_allowed = on_allowed
        self.renew(token)
        self._host = host

    def renew(self, token: str) -> None:
        """Take another token; the old one counts no more."""
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403 (to a WebSocket too)."""
        if scope["type"] == "lifespan":  # not a request
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        send = _with_headers(send, host if self._is_ours(host, scope) else "")
        rest = self._rest(scope["path"])
        if rest is None or not self._is_allowed(scope, headers):
            # A refused handshake gets the same response (ASGI's websocket.http.response).
            await PlainTextResponse(REFUSED, 403, {"Connection": "close"})(scope, receive, send)
            return
        self._on_allowed(scope["client"])
        await self._app({**scope, "path": rest, "raw_path": rest.encode()}, receive, send)

    def _rest(self, path: str) -> str | None:
        """Return the path after the token; None if the token is missing or wrong."""
        token, slash, rest = path.removeprefix("/").partition("/")
        is_right = hmac.compare_digest(token.encode(errors="replace"), self._token)
        return f"/{rest}" if is_right and slash else None

    def _is_allowed(self, scope: Scope, headers: Headers) -> bool:
        """Return whether Host, Origin and Sec-Fetch headers are allowed."""
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._is_ours(hosts[0], scope):
            return False
        if scope["type"] == "websocket":
            if origins != [f"http://{hosts[0]}"]:
                return False
        elif origins not in ([], [f"http://{hosts[0]}"]) or not _is_method_allowed(scope):
            return False
        is_opened = headers.get("sec-fetch-mode") == "navigate" and (
            headers.get("sec-fetch-dest") == "document"
        )
        return is_opened or headers.get("sec-fetch-site", "none") in ("same-origin", "none")

    def _is_ours(self, host: str, scope: Scope) -> bool:
        """Return whether a Host is this server's address, or the name in the settings."""
        address, port = scope["server"]
        names = {address, self._host}
        if is_loopback(address):
            names.add("localhost")
        wanted = {bracketed(name) for name in names}
        allowed = {f"{name}:{port}" for name in wanted} | (wanted if port == 80 else set())
        return host in allowed


def _is_method_allowed(scope: Scope) -> bool:
    """Return whether a method may be: to change something only ``POST api``, ``PUT songs`` are."""
    method, path = scope["method"], scope["path"]
    is_song = method == "PUT" and path.rpartition("/")[0].endswith("/songs")
    return method in ("GET", "HEAD") or (method == "POST" and path.endswith("/api")) or is_song


def _policy(host: str) -> str:
    """Return the Content-Security-Policy: files of this server only, nothing inline."""
    socket = f" ws://{host}" if host else ""  # 'self' means no socket in older Safari
    parts: Iterable[str] = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        f"connect-src 'self'{socket}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return "; ".join(parts)


def _with_headers(send: Send, host: str) -> Send:
    """Return a ``send`` that adds the headers to the start of a response."""
    begins = ("http.response.start", "websocket.http.response.start")

    async def send_with_headers(message: Message) -> None:
        if message["type"] in begins:
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers["Content-Security-Policy"] = _policy(host)
        await send(message)

    return send_with_headers
