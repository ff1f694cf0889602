"""What the panel drives, as it sees it. Not here: the thing itself (``livecover.instrument``)."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from engine.core.taps import Tap
from engine.core.tempo import Tempo
from engine.model.latency import LatencyBudget
from engine.signal.meters import Status
from livecover.instrument.protocol import Worked
from livecover.settings.file import Unsaved


class Played(Worked, Protocol):
    """An instrument, with what a page shows of it."""

    @property
    def error(self) -> str: ...  # noqa: D102
    @property
    def recording_fault(self) -> str: ...  # noqa: D102
    @property
    def controller(self) -> str: ...  # noqa: D102
    @property
    def learning(self) -> str | None: ...  # noqa: D102
    @property
    def tempo(self) -> Tempo | None: ...  # noqa: D102
    @property
    def budget(self) -> LatencyBudget: ...  # noqa: D102
    @property
    def source_name(self) -> str: ...  # noqa: D102
    @property
    def sink_name(self) -> str: ...  # noqa: D102
    @property
    def model_name(self) -> str: ...  # noqa: D102
    def status(self) -> Status: ...  # noqa: D102
    def panic(self) -> None: ...  # noqa: D102
    def learn(self, name: str | None) -> None: ...  # noqa: D102
    def unsaved(self) -> Unsaved: ...  # noqa: D102
    def save(self) -> Path: ...  # noqa: D102
    def subscribe(self, on_change: Callable[[], None]) -> None: ...  # noqa: D102
    def add_tap(self, tap: Tap) -> None: ...  # noqa: D102
    def remove_tap(self, tap: Tap) -> None: ...  # noqa: D102
