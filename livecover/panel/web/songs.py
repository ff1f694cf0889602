"""Songs that a page hands over: kept in a temporary folder, and played as any file.

Not here: who may send them (``livecover.panel.web.security``).
"""

import asyncio
import atexit
import functools
import logging
import re
import shutil
import tempfile
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from engine.audio.opening import open_song
from engine.core.errors import LiveCoverError
from livecover.panel.command_runner import CommandRunner
from livecover.panel.requests import Change

MAX_SONG = 2 * 1024**3
"""Bytes."""
MAX_NAME = 120
_ODD = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')

_log = logging.getLogger(__name__)


def song_routes(runner: CommandRunner) -> list[Route]:
    """Return the route ``PUT songs/NAME``: the body becomes the input, and plays from its start.

    Answers 200, or 4xx with a line that says why not.
    """

    async def put(request: Request) -> Response:
        path = await asyncio.to_thread(_new_path, request.path_params["name"])
        try:
            await _receive(request, path)
            await asyncio.to_thread(_play, runner, path)
        except (LiveCoverError, OSError) as error:
            await asyncio.to_thread(path.unlink, True)
            return PlainTextResponse(f"{error}\n", 400)
        return PlainTextResponse("")

    return [Route("/songs/{name}", put, methods=["PUT"])]


@functools.cache
def _folder() -> Path:
    """Return the folder of this program's songs; removed with it."""
    folder = Path(tempfile.mkdtemp(prefix="livecover-songs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _new_path(name: str) -> Path:
    """Return a path of its own for a song of this name, whatever a page calls it."""
    plain = _ODD.sub("_", name)[-MAX_NAME:].lstrip(". ") or "song"
    return Path(tempfile.mkdtemp(dir=_folder())) / plain


async def _receive(request: Request, path: Path) -> None:
    """Write a request's body to a file. Raises OSError where it is too large or the disk full."""
    n_bytes = 0
    with path.open("xb") as file:
        async for chunk in request.stream():
            n_bytes += len(chunk)
            if n_bytes > MAX_SONG:
                raise OSError(f"a song may have {MAX_SONG // 1024**3} GB, and {path.name} has more")
            await asyncio.to_thread(file.write, chunk)


def _play(runner: CommandRunner, path: Path) -> None:
    """Let a song be the input. Raises LiveCoverError where it cannot be played."""
    open_song(path, paced=False)
    runner.allow_song(path)
    runner.run(Change({"audio.input": str(path)}))
