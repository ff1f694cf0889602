"""A small HTTP interface of the panel's server, for scripts: state, settings, commands.

Under the panel's address, with its token: ``GET api/status`` and ``GET api/settings``; ``POST api``
takes one message as a page sends it (``livecover.panel.requests``). Not here: access control
(``livecover.panel.web.security``).
"""

import asyncio
import time
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from engine.core.errors import LiveCoverError
from engine.system.bounded import call_in_thread
from livecover.panel.command_runner import CommandRunner
from livecover.panel.request_parser import parse
from livecover.panel.requests import MAX_STYLE_MESSAGE, Drawn, Ping


def api_routes(runner: CommandRunner) -> list[Route]:
    """Return the routes."""

    async def status(request: Request) -> Response:
        return JSONResponse(runner.status())

    async def settings(request: Request) -> Response:
        return JSONResponse(runner.settings())

    async def command(request: Request) -> Response:
        try:
            asked = parse(await _body(request))
            if isinstance(asked, Ping | Drawn):
                return JSONResponse({"now": time.perf_counter()})
            running = call_in_thread(lambda: runner.run(asked), "panel-command")
            answer: Mapping[str, object] | None = await asyncio.wrap_future(running)
        except LiveCoverError as error:
            return JSONResponse({"error": " ".join(str(error).split())}, 400)
        return JSONResponse(answer if answer is not None else {"type": "done"})

    return [
        Route("/api/status", status),
        Route("/api/settings", settings),
        Route("/api", command, methods=["POST"]),
    ]


async def _body(request: Request) -> str:
    """Return the body, cut once it is longer than any message."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_STYLE_MESSAGE:
            break
    return body.decode("utf-8", "replace")
