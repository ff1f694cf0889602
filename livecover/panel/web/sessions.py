"""The WebSocket sessions of the open pages: what each is sent, and what each asks for.

All on the server's event loop. While a page is open, a frame goes to every page ``TICKS`` times a
second, with what has happened since the last. A page that reads slowly loses its oldest messages
and does not delay others. Not here: who may connect (``livecover.panel.web.security``), what has
happened (``livecover.panel.page_updates``).
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine

from starlette.websockets import WebSocket, WebSocketDisconnect

from engine.core.errors import LiveCoverError
from engine.system.bounded import call_in_thread
from livecover import __version__
from livecover.instrument.instrument import Instrument
from livecover.panel.command_runner import Command, CommandRunner
from livecover.panel.messages import STATUS_EVERY, TICKS, encode_one
from livecover.panel.page_updates import PageUpdates
from livecover.panel.request_parser import parse
from livecover.panel.requests import (
    BURST,
    MAX_MESSAGE,
    MAX_STYLE_FILE,
    RATE,
    Do,
    Drawn,
    Ping,
    Request,
)
from livecover.panel.web.rate_limiter import RateLimiter
from livecover.panel.web.send_queue import SendQueue

MAX_PAGES = 8
MAX_COMMANDS = 32
"""Most commands that wait for those before them."""
MAX_MEASURED = 4096
STYLE_FILE_COST = 20.0
"""Messages that a style file counts for."""
PAUSE_S = 1.0
"""Seconds without frames after an error in this program."""
TOO_MANY_MESSAGES, TRY_LATER = 1008, 1013  # RFC 6455 7.4.1, and IANA's registry of close codes

RENEWED = 4001  # one of those that RFC 6455 leaves to programs

_log = logging.getLogger(__name__)


class PanelSessions:
    """All open pages, between the server and the instrument.

    Parameters
    ----------
    instrument
        What the pages control and show.
    measure
        Whether pages report when they drew a note.
    page
        Identifies the page's files.
    address
        Returns the ``address`` message.
    renew
        Renews the address.
    on_quit
        As ``livecover.panel.web.server.PanelServer`` takes it.

    Attributes
    ----------
    runner : CommandRunner
        Runs their commands.
    """

    def __init__(
        self,
        instrument: Instrument,
        measure: bool,
        page: str,
        address: Callable[[], dict[str, object]],
        renew: Callable[[], None],
        on_quit: Callable[[], object] | None = None,
    ) -> None:
        self._measure = measure
        self._page, self._address, self._renew = page, address, renew
        self.runner = CommandRunner(instrument, on_quit)
        self._updates = PageUpdates(instrument, self.runner)
        self._pages: set[SendQueue] = set()
        self._sockets: dict[SendQueue, WebSocket] = {}
        self._tasks: set[asyncio.Future[None]] = set()  # which nobody waits for
        self._commands: asyncio.Queue[tuple[SendQueue, Command]] = asyncio.Queue(MAX_COMMANDS)
        self._has_pages = asyncio.Event()
        self.drawn: deque[tuple[float, int, float]] = deque(maxlen=MAX_MEASURED)
        """(due, pitch, time drawn), as pages have reported."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send frames and run commands within the block."""
        with self._updates.collecting():
            tasks = [
                asyncio.create_task(self._send_frames()),
                asyncio.create_task(self._run_commands()),
            ]
            try:
                yield
            finally:
                self.runner.measurement.cancel()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one page until it disconnects."""
        await websocket.accept()
        if len(self._pages) >= MAX_PAGES:
            await websocket.close(TRY_LATER, f"{MAX_PAGES} pages are open already; close one")
            return
        page = SendQueue()
        if not self._pages:
            self._updates.tap.set_active(True)
        self._pages.add(page)
        self._sockets[page] = websocket
        self._has_pages.set()
        sender = asyncio.create_task(self._send(websocket, page))
        try:
            page.put_message(self._hello())
            for message in [*self._updates.all(), self._address()]:
                page.put_message(message)
            page.flush()
            if not self.runner.allowed.choices.models:  # not looked for yet
                self._put_command(page, Do("refresh"))
            await self._receive(websocket, page)
        except WebSocketDisconnect:
            pass
        finally:
            self._pages.discard(page)
            self._sockets.pop(page, None)
            if not self._pages:
                self._has_pages.clear()
                self._updates.tap.set_active(False)
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    # From the pages -------------------------------------------------------------------------------

    async def _receive(self, websocket: WebSocket, page: SendQueue) -> None:
        """Take a page's messages until it disconnects, or sends too many."""
        limiter = RateLimiter(RATE, BURST, time.monotonic())
        while True:
            event = await websocket.receive()
            if event["type"] == "websocket.disconnect":
                return
            text = event.get("text") or ""  # bytes are not a message: refused like an empty one
            cost = STYLE_FILE_COST if len(text) > MAX_MESSAGE else 1.0
            if not limiter.allows(time.monotonic(), cost):
                await websocket.close(TOO_MANY_MESSAGES, "too many messages")
                return
            try:
                request = parse(text)
            except LiveCoverError as error:
                _put_error(page, str(error))
            else:
                await self._answer(websocket, page, request)

    async def _answer(self, websocket: WebSocket, page: SendQueue, request: Request) -> None:
        """Answer at once what needs no thread; queue the rest."""
        match request:
            case Ping(number):
                pong = {"type": "pong", "id": number, "now": round(time.perf_counter(), 5)}
                await websocket.send_text(f"[{encode_one(pong)}]")
            case Drawn(notes):
                if self._measure:
                    self.drawn.extend(notes)
            case Do("renew_address"):
                self._renew_address(page)
            case Do("panic"):  # at once, even while a model is being opened
                await self._run(page, request)
            case _:
                self._put_command(page, request)

    def _renew_address(self, page: SendQueue) -> None:
        """Renew the address: the page that asked is told, all others are closed."""
        self._renew()
        page.put_message(self._address())
        page.flush()
        for other, socket in list(self._sockets.items()):
            if other is not page:
                self._start_task(socket.close(RENEWED, "the address was renewed"))

    def _start_task(self, work: Coroutine[None, None, None]) -> None:
        """Let something run beside all else."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _put_command(self, page: SendQueue, command: Command) -> None:
        """Queue a command."""
        try:
            self._commands.put_nowait((page, command))
        except asyncio.QueueFull:
            _put_error(page, "livecover is still busy with earlier commands; try again")

    async def _run_commands(self) -> None:
        while True:
            page, command = await self._commands.get()
            running = self._run(page, command)
            if command == Do("calibrate"):  # takes half a minute, in which other commands are run
                self._start_task(running)
            else:
                await running

    async def _run(self, page: SendQueue, command: Command) -> None:
        """Run a command on a thread; send the result to the page that asked."""
        try:
            running = call_in_thread(lambda: self.runner.run(command), "panel-command")
            answer = await asyncio.wrap_future(running)
        except LiveCoverError as error:
            _put_error(page, str(error))
        except Exception:
            _log.exception("the panel could not run a command")
            _put_error(page, "livecover failed to do this; its log says more")
        else:
            if answer is not None:
                page.put_message(answer)
            else:
                self._updates.note_change()  # a snapshot's change, which has no other signal

    # To the pages ---------------------------------------------------------------------------------

    async def _send_frames(self) -> None:
        n_ticks = 0
        while True:
            await self._has_pages.wait()
            try:
                self._put_frame(n_ticks)
            except Exception:  # skip a frame rather than end them all
                _log.exception("the panel could not send what happened")
                await asyncio.sleep(PAUSE_S)
            n_ticks += 1
            await asyncio.sleep(1 / TICKS)

    def _put_frame(self, n_ticks: int) -> None:
        """Queue for every page what has happened since the last frame."""
        for message in self._updates.take_new(with_status=n_ticks % STATUS_EVERY == 0):
            kind, text, notes = str(message["type"]), encode_one(message), message.get("notes")
            for page in self._pages:
                page.put(kind, text, len(notes) if isinstance(notes, list) else 0)
        for page in self._pages:
            page.flush()

    async def _send(self, websocket: WebSocket, page: SendQueue) -> None:
        """Send frame after frame, as fast as the page reads."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it has disconnected
            while True:
                await websocket.send_text(await page.frame())

    def _hello(self) -> dict[str, object]:
        return {
            "type": "hello",
            "version": __version__,
            "page": self._page,
            **self._updates.settings(),
            "choices": self.runner.allowed.choices.as_message(),
            "limits": {"style_file": MAX_STYLE_FILE, "messages_per_second": RATE},
            "measure": self._measure,
            "quits": self.runner.can_quit,
        }


def _put_error(page: SendQueue, text: str) -> None:
    """Queue an error message of one line."""
    page.put_message({"type": "error", "text": " ".join(text.split())})
