"""An instrument without an engine, and a client as a page is one."""

import contextlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import websockets.sync.client
from websockets.typing import Origin

from engine.core.errors import ConfigError
from engine.core.taps import Tap
from engine.core.tempo import Beat
from engine.model.latency import LatencyBudget
from engine.signal.meters import Status
from livecover.instrument.instrument import Instrument
from livecover.settings.file import Line, Unsaved
from livecover.settings.sections import Settings
from tests.livecover.instrument.fakes import FakeRecorder

NO_CONFIG = Path(__file__).parents[3] / "config.toml"  # every setting at its default
TIMEOUT = 60.0
MAX_FRAMES = 200


class FakeInstrument(Instrument):
    """Changes settings as the real one does, starts no engine, and logs the calls.

    As there, one start or change happens at a time, and what is open has no name when idle.
    """

    is_playing = False

    def __init__(self) -> None:
        super().__init__(Settings())
        self.recorder: FakeRecorder = FakeRecorder()
        self.controllers.port = "LiveCover Control"
        self.taps: list[Tap] = []
        self.asked: list[str] = []
        self.is_free = threading.Event()
        """While it is not set, ``start`` does not return."""
        self.is_free.set()
        self.changed = threading.Event()
        """Set at each change."""
        self.beat = Beat()
        self.corrected_at: list[float] = []
        self.song.correct_beat = self._correct_beat  # type: ignore[method-assign]
        self._given: dict[str, object] = {}

    @property
    def budget(self) -> LatencyBudget:
        parts = (("capture block", 0.005), ("half window", 0.064))
        return LatencyBudget(parts if self.is_playing else ())

    @property
    def source_name(self) -> str:
        return "Speakers" if self.is_playing else ""

    @property
    def sink_name(self) -> str:
        return "LiveCover" if self.is_playing else ""

    @property
    def model_name(self) -> str:
        return "live 1" if self.is_playing else ""

    def status(self) -> Status:
        if not self.is_playing:
            return Status(beat=self.beat)
        return Status(1.0, -6.04, 0.069, n_notes=len(self.asked), beat=self.beat)

    def change(self, values: Mapping[str, object]) -> None:
        super().change(values)
        self._given |= values
        self._log("change")

    def start(self) -> None:
        with self._lock:
            self.is_free.wait(TIMEOUT)
            self.is_playing, self.error = True, ""
        self._log("start")

    def stop(self) -> None:
        self.is_playing = False
        self._log("stop")

    def panic(self) -> None:
        self.asked.append("panic")
        for tap in self.taps:
            tap.silenced()

    def record(self, on: bool) -> None:
        if on and not self.is_playing:
            raise ConfigError("nothing plays:\nstart first, then record")
        self.recorder.record(on)
        self._log(f"record {on}")

    def unsaved(self) -> Unsaved:
        lines = (Line(name, "?", str(value)) for name, value in self._given.items())
        return Unsaved(Path("mine.toml"), tuple(lines))

    def save(self) -> Path:
        self._log("save")
        return Path("mine.toml")

    def add_tap(self, tap: Tap) -> None:
        self.taps.append(tap)

    def remove_tap(self, tap: Tap) -> None:
        self.taps.remove(tap)

    def _correct_beat(self, correction: str, host_time: float) -> None:
        self.asked.append(correction)
        self.corrected_at.append(host_time)

    def _log(self, what: str) -> None:
        self.asked.append(what)
        self.changed.set()
        self._tell()


class Client:
    """A page as seen from the socket; reads messages one after the other."""

    def __init__(self, url: str, **options: Any) -> None:
        parts = urlsplit(url)
        options.setdefault("origin", Origin(f"http://{parts.netloc}"))
        self._stack = contextlib.ExitStack()
        self._socket = self._stack.enter_context(
            websockets.sync.client.connect(
                f"ws://{parts.netloc}{parts.path}socket",
                open_timeout=TIMEOUT,
                close_timeout=1.0,
                proxy=None,
                compression=None,
                **options,
            )
        )
        self._waiting: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def say(self, text: str | bytes = "", **message: Any) -> None:
        """Send a text as it is, or a message."""
        self._socket.send(text or json.dumps(message))

    def hear(self, kind: str) -> dict[str, Any]:
        """Return the next message of a type; others are passed over, but not for ever."""
        for _ in range(MAX_FRAMES):
            while self._waiting:
                message = self._waiting.pop(0)
                if message["type"] == kind:
                    return message
                unexpected = message.get("text") if message["type"] == "error" else ""
                assert not unexpected, f"expected {kind}, got the error {unexpected}"
            self._waiting = json.loads(self._socket.recv(TIMEOUT))
        raise AssertionError(f"no {kind} came in {MAX_FRAMES} frames")
