"""Who may see the panel and speak to it: a guard before every page, file and socket.

Other pages in the same browser are the danger: they can send requests to loopback, and by DNS
rebinding give this server a name of theirs. So a request needs

- a Host that this server has, by number or as ``localhost``: no name that a stranger can point
  here;
- an Origin that is this server's own, if it has one; a WebSocket must have one (RFC 6455, 10.2);
- Sec-Fetch-Site, where the browser tells it, ``same-origin`` or ``none`` (typed, or opened by us);
  only the page itself may be opened by a link elsewhere, such as a terminal in a browser;
- the token, the first part of the path, compared in constant time. There is no cookie, so no
  browser brings it along by itself.

Not here: what a message may say (``livecover.panel.messages``).
"""

import hmac
import ipaddress
import secrets
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_BYTES = 24
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
"""Of every answer, beside the Content-Security-Policy."""


def make_token() -> str:
    """Return a new secret of 192 bits, as it stands in a URL."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches what listens at ``host``.

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
    """Return ``host`` as it stands in a URL.

    >>> bracketed("::1"), bracketed("127.0.0.1")
    ('[::1]', '127.0.0.1')
    """
    return f"[{host}]" if ":" in host else host


class Guard:
    """An ASGI application that lets through to ``app`` only who may, with headers on every answer.

    Parameters
    ----------
    app
        What is guarded; it sees the path after the token.
    token
        As :func:`make_token` gives it.
    host
        What the server was told to listen at; a name among them is one more that Host may be.
    on_allowed
        Called with the client's address, at each request that is let through.
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
        self._token = token.encode()
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 (a socket is not opened), or pass on."""
        if scope["type"] == "lifespan":  # the server's own, not a request
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        send = _with_headers(send, host if self._is_ours(host, scope) else "")
        rest = self._rest(scope["path"])
        if rest is None or not self._may(scope, headers):
            # A refused handshake is answered as a page is (ASGI's websocket.http.response).
            await PlainTextResponse(REFUSED, 403, {"Connection": "close"})(scope, receive, send)
            return
        self._on_allowed(scope["client"])
        await self._app({**scope, "path": rest, "raw_path": rest.encode()}, receive, send)

    def _rest(self, path: str) -> str | None:
        """Return the path after the token, None if it has none or another."""
        token, slash, rest = path.removeprefix("/").partition("/")
        is_right = hmac.compare_digest(token.encode(errors="replace"), self._token)
        return f"/{rest}" if is_right and slash else None

    def _may(self, scope: Scope, headers: Headers) -> bool:
        """Return whether Host, Origin and what the browser says of the asker are right."""
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._is_ours(hosts[0], scope):
            return False
        if scope["type"] == "websocket":
            if origins != [f"http://{hosts[0]}"]:
                return False
        elif origins not in ([], [f"http://{hosts[0]}"]) or scope["method"] not in ("GET", "HEAD"):
            return False
        is_opened = headers.get("sec-fetch-mode") == "navigate" and (
            headers.get("sec-fetch-dest") == "document"
        )
        return is_opened or headers.get("sec-fetch-site", "none") in ("same-origin", "none")

    def _is_ours(self, host: str, scope: Scope) -> bool:
        """Return whether a Host is this server's: of its address, or a name it was given."""
        address, port = scope["server"]
        names = {address, self._host}
        if is_loopback(address):
            names.add("localhost")
        wanted = {bracketed(name) for name in names}
        allowed = {f"{name}:{port}" for name in wanted} | (wanted if port == 80 else set())
        return host in allowed


def _policy(host: str) -> str:
    """Return the Content-Security-Policy: everything from here, nothing in the page's own text."""
    socket = f" ws://{host}" if host else ""  # 'self' means no socket in older Safari
    parts: Iterable[str] = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
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
    """Return a ``send`` that adds the headers to what begins an answer."""
    begins = ("http.response.start", "websocket.http.response.start")

    async def send_with_headers(message: Message) -> None:
        if message["type"] in begins:
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers["Content-Security-Policy"] = _policy(host)
        await send(message)

    return send_with_headers
