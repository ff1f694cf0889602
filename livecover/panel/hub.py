"""The pages that are open now: what each is sent, and what each asks. On the panel's own loop.

A clock of ``TICKS`` a second runs while a page is open; at each tick what happened goes to every
page as one frame. A page that reads slowly loses its oldest messages and keeps nobody waiting.
Not here: who may connect (``livecover.panel.security``).
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator

from starlette.websockets import WebSocket, WebSocketDisconnect

from engine.core.errors import LiveCoverError
from engine.core.tempo import Tempo
from engine.system.bounded import call_in_thread
from livecover import __version__
from livecover.panel.bound import Bound
from livecover.panel.desk import Deed, Desk
from livecover.panel.messages import (
    BURST,
    MAX_MESSAGE,
    MAX_STYLE_FILE,
    RATE,
    STATUS_EVERY,
    TICKS,
    Do,
    Drawn,
    Ping,
    Request,
    encode_one,
    parse,
)
from livecover.panel.outbox import Allowance, Outbox
from livecover.panel.played import Played
from livecover.panel.tap import PanelTap

MAX_PAGES = 8
MAX_DEEDS = 32
"""Deeds that wait for those before them."""
MAX_MEASURED = 4096
STYLE_FILE_COST = 20.0
"""Messages that a style file counts for."""
PAUSE = 1.0
"""Seconds after a fault of ours."""
TOO_MANY_MESSAGES, TRY_LATER = 1008, 1013  # RFC 6455 7.4.1, and the registry it founded

_log = logging.getLogger(__name__)


class Hub:
    """All open pages, between them and the instrument.

    Parameters
    ----------
    played
        The instrument.
    measure
        Whether pages are asked to tell when they drew a note.
    """

    def __init__(self, played: Played, measure: bool = False) -> None:
        self._played = played
        self._measure = measure
        self._tap = PanelTap()
        self._desk = Desk(played)
        self._bound = Bound(played)
        self._pages: set[Outbox] = set()
        self._deeds: asyncio.Queue[tuple[Outbox, Deed]] = asyncio.Queue(MAX_DEEDS)
        self._has_pages = asyncio.Event()
        self._has_changed = False
        self.drawn: deque[tuple[float, int, float]] = deque(maxlen=MAX_MEASURED)
        """(due, pitch, moment drawn) as pages told."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen to the instrument and run the clock and the desk within the block."""
        self._played.subscribe(self._on_change)
        self._played.add_tap(self._tap)
        tasks = [asyncio.create_task(self._run_clock()), asyncio.create_task(self._work())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._tap.watch(False)
            self._played.remove_tap(self._tap)

    async def socket(self, websocket: WebSocket) -> None:
        """Serve one page from its first word to its last."""
        await websocket.accept()
        if len(self._pages) >= MAX_PAGES:
            await websocket.close(TRY_LATER, f"{MAX_PAGES} pages are open already; close one")
            return
        page = Outbox()
        if not self._pages:
            self._tap.watch(True)
        self._pages.add(page)
        self._has_pages.set()
        sender = asyncio.create_task(self._send(websocket, page))
        try:
            page.add(self._hello())
            for message in self._bound.all():
                page.add(message)
            page.flush()
            if not self._desk.offer.choices.models:
                self._ask(page, Do("refresh"))  # nobody has looked yet
            await self._listen(websocket, page)
        except WebSocketDisconnect:
            pass
        finally:
            self._pages.discard(page)
            if not self._pages:
                self._has_pages.clear()
                self._tap.watch(False)
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    # What pages ask -------------------------------------------------------------------------------

    async def _listen(self, websocket: WebSocket, page: Outbox) -> None:
        """Take what a page says until it leaves, or says too much."""
        allowance = Allowance(RATE, BURST, time.monotonic())
        while True:
            event = await websocket.receive()
            if event["type"] == "websocket.disconnect":
                return
            text = event.get("text") or ""  # bytes are no message: as empty as that
            cost = STYLE_FILE_COST if len(text) > MAX_MESSAGE else 1.0
            if not allowance.take(time.monotonic(), cost):
                await websocket.close(TOO_MANY_MESSAGES, "too many messages")
                return
            try:
                request = parse(text)
            except LiveCoverError as error:
                _tell(page, str(error))
            else:
                await self._answer(websocket, page, request)

    async def _answer(self, websocket: WebSocket, page: Outbox, request: Request) -> None:
        """Answer at once what needs no desk; the rest waits in turn."""
        match request:
            case Ping(number):
                pong = {"type": "pong", "id": number, "now": round(time.perf_counter(), 5)}
                await websocket.send_text(f"[{encode_one(pong)}]")
            case Drawn(notes):
                if self._measure:
                    self.drawn.extend(notes)
            case Do("panic"):  # waits for nothing, not even for a model that is being opened
                await self._do(page, request)
            case _:
                self._ask(page, request)

    def _ask(self, page: Outbox, deed: Deed) -> None:
        """Let the desk do it in turn."""
        try:
            self._deeds.put_nowait((page, deed))
        except asyncio.QueueFull:
            _tell(page, "livecover is still busy with what was asked before; try again")

    async def _work(self) -> None:
        """Have deeds done one after the other, away from the loop; tell the page that asked."""
        while True:
            await self._do(*await self._deeds.get())

    async def _do(self, page: Outbox, deed: Deed) -> None:
        """Have a deed done on a thread; tell the page that asked."""
        try:
            answer = await asyncio.wrap_future(
                call_in_thread(lambda: self._desk.do(deed), "panel-desk")
            )
        except LiveCoverError as error:
            _tell(page, str(error))
        except Exception:
            _log.exception("the panel could not do what was asked")
            _tell(page, "livecover failed to do this; its log says more")
        else:
            if answer is not None:
                page.add(answer)
            else:
                self._has_changed = True  # of a snapshot nobody else tells

    # What pages are told --------------------------------------------------------------------------

    def _on_change(self) -> None:
        """Remember to tell. On any thread."""
        self._has_changed = True

    async def _run_clock(self) -> None:
        n_ticks = 0
        while True:
            await self._has_pages.wait()
            try:
                self._tick(n_ticks)
            except Exception:  # a page without news for a moment is better than one without end
                _log.exception("the panel could not tell what happens")
                await asyncio.sleep(PAUSE)
            n_ticks += 1
            await asyncio.sleep(1 / TICKS)

    def _tick(self, n_ticks: int) -> None:
        """Tell every page what happened since the last tick."""
        messages = self._tap.take_happened()
        chroma = self._tap.take_chroma()
        if chroma is not None:
            messages.append(chroma)
        if n_ticks % STATUS_EVERY == 0:
            if self._has_changed:
                self._has_changed = False
                messages.append({"type": "settings", **self._settings()})
                messages += self._bound.news()
            messages.append(self._status())
        for message in messages:
            kind, text, notes = str(message["type"]), encode_one(message), message.get("notes")
            for page in self._pages:
                page.put(kind, text, len(notes) if isinstance(notes, list) else 0)
        for page in self._pages:
            page.flush()

    async def _send(self, websocket: WebSocket, page: Outbox) -> None:
        """Send frame after frame; waits as long as the page takes to read."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it left meanwhile
            while True:
                await websocket.send_text(await page.frame())

    def _hello(self) -> dict[str, object]:
        return {
            "type": "hello",
            "version": __version__,
            **self._settings(),
            "choices": self._desk.offer.choices.as_message(),
            "limits": {"style_file": MAX_STYLE_FILE, "messages_per_second": RATE},
            "learn": bool(self._played.controller),
            "measure": self._measure,
        }

    def _settings(self) -> dict[str, object]:
        return {"settings": self._desk.settings(), "snapshot": self._desk.snapshots.active}

    def _status(self) -> dict[str, object]:
        played, status, now = self._played, self._played.status(), time.perf_counter()
        tempo = played.tempo
        return {
            "type": "status",
            "now": round(now, 4),
            "playing": played.is_playing,
            "recording": played.is_recording,
            "recording_fault": played.recording_fault,
            "asleep": status.is_asleep,
            "connected": status.is_connected,
            "midi_connected": status.is_midi_connected,
            "seconds": round(status.seconds, 2),
            "peak_dbfs": round(status.peak_dbfs, 1),
            "levels": [[round(x.peak_dbfs, 1), round(x.hold_dbfs, 1)] for x in status.levels],
            "n_clipped": status.n_clipped,
            "load": round(status.load, 3),
            "max_load": round(status.max_load, 3),
            "a4_hz": round(status.a4_hz, 1),
            "n_notes": status.n_notes,
            "n_late": status.n_late,
            "n_dropped": status.n_dropped,
            "n_overruns": status.n_overruns,
            "n_skipped_frames": status.n_skipped_frames,
            "n_losses": status.n_losses,
            "n_midi_losses": status.n_midi_losses,
            "latency": round(status.latency, 4),
            "budget": [[name, round(seconds, 4)] for name, seconds in played.budget.parts],
            "source": played.source_name,
            "sink": played.sink_name,
            "model": played.model_name,
            "tempo": None if tempo is None else round(tempo.bpm, 1),
            "bar": None if tempo is None else _bar(tempo, now),
            "fault": played.error,
        }


def _bar(tempo: Tempo, now: float) -> dict[str, object] | None:
    """Return the last bar line, the length of a bar and its beats; None where nobody knows."""
    at, beats = tempo.bar_at(now), tempo.beats_per_bar
    if at is None:
        return None
    return {"at": round(at, 4), "seconds": round(beats * tempo.beat_s, 5), "beats": beats}


def _tell(page: Outbox, text: str) -> None:
    """Put an error before a page, in one line."""
    page.add({"type": "error", "text": " ".join(text.split())})
