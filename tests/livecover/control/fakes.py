"""An instrument without an engine, and a controller at the other end of the cable."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.core.errors import ConfigError
from engine.core.tempo import Tempo
from livecover.control.command_queue import CommandQueue
from livecover.control.listener import ControlListener
from livecover.control.ports import Message
from livecover.instrument.engine_runner import EngineRunner
from livecover.instrument.instrument import Instrument
from livecover.instrument.song_control import SongControl
from livecover.settings.sections import Settings, with_values
from tests.livecover.instrument.fakes import FakeRecorder


class FakeSong(SongControl):
    """Logs what is told to it; ``is_over``: nothing plays."""

    def __init__(self, runner: EngineRunner, settings: Callable[[], Settings]) -> None:
        super().__init__(runner, settings)
        self.is_over = False
        self.tempos: list[Tempo | None] = []
        self.corrections: list[tuple[str, float]] = []

    def correct_beat(self, correction: str, host_time: float) -> None:
        if self.is_over:
            super().correct_beat(correction, host_time)
        self.corrections.append((correction, host_time))

    def set_tempo(self, tempo: Tempo | None) -> None:
        self.tempos.append(tempo)


class FakeInstrument(Instrument):
    """Changes settings as the real one does, starts no engine, and logs the calls."""

    is_playing = True

    def __init__(self, **control_map: str) -> None:
        lines = {key.replace("_", " "): target for key, target in control_map.items()}
        super().__init__(with_values(Settings(), {"control.map": lines}))
        self.recorder = FakeRecorder()
        self.n_panics = 0
        self.changes: list[Mapping[str, object]] = []
        self.refused: tuple[str, ...] = ()

    def change(self, values: Mapping[str, object]) -> None:
        for name in self.refused:
            if name in values:
                raise ConfigError(f"no {name} today")
        super().change(values)
        self.changes.append(dict(values))

    def start(self) -> None:
        self.is_playing = True

    def stop(self) -> None:
        self.is_playing = False

    def panic(self) -> None:
        self.n_panics += 1


class ControlSetup:
    """The instrument, its listener and what the controller was sent; no thread, time by hand.

    ``is_known``: a controller has spoken before.
    """

    def __init__(self, is_known: bool = True, **control_map: str) -> None:
        self.instrument = FakeInstrument(**control_map)
        self.song = self.instrument.song = FakeSong(
            self.instrument._runner, lambda: self.instrument.settings
        )
        self.instrument.controllers.port = "a port"
        self.told: list[str] = []
        self.sent: list[Message] = []
        self.now = 100.0
        self.queue = CommandQueue(self.instrument, self.told.append)
        self._waiting: list[tuple[Message, float]] = []
        self.listener = ControlListener(self.instrument, self.queue, self._fetch, self.sent.append)
        self.queue.on_done = self.listener.request_feedback
        self.instrument.subscribe(self.listener.request_feedback)
        self.rest()
        if is_known:
            self.hear((0xB0, 99, 0))
            self.rest()
            self.sent.clear()

    def hear(self, *messages: tuple[int, ...]) -> None:
        for message in messages:
            one, two, three, *_ = (*message, 0, 0, 0)
            self._waiting.append(((one, two, three), self.now))

    def turn(self) -> None:
        self.listener.poll(self.now)
        self.queue.run_pending()

    def rest(self, seconds: float = 2.0) -> list[Message]:
        """Let time pass; return what was sent in it."""
        n_before = len(self.sent)
        until = self.now + seconds
        while self.now < until:
            self.turn()
            self.now += 0.02
        return self.sent[n_before:]

    def _fetch(self) -> list[tuple[Message, float]]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def setting(self, name: str) -> Any:
        section, key = name.split(".")
        return getattr(getattr(self.instrument.settings, section), key)
