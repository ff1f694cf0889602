"""What the panel drives, as it sees it. Not here: the thing itself (``livecover.instrument``)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from engine.latency import LatencyBudget
from engine.meters import Status
from engine.taps import Tap
from livecover.settings import Settings
from livecover.tempo import Tempo


class Played(Protocol):
    """An instrument that is played from any thread. What cannot be done is a LiveCoverError."""

    @property
    def settings(self) -> Settings: ...  # noqa: D102
    @property
    def is_playing(self) -> bool: ...  # noqa: D102
    @property
    def is_recording(self) -> bool: ...  # noqa: D102
    @property
    def error(self) -> str: ...  # noqa: D102
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
    def change(self, values: Mapping[str, object]) -> None: ...  # noqa: D102
    def start(self) -> None: ...  # noqa: D102
    def stop(self) -> None: ...  # noqa: D102
    def panic(self) -> None: ...  # noqa: D102
    def record(self, on: bool) -> None: ...  # noqa: D102
    def learn(self, name: str | None) -> None: ...  # noqa: D102
    def save(self) -> Path: ...  # noqa: D102
    def subscribe(self, on_change: Callable[[], None]) -> None: ...  # noqa: D102
    def add_tap(self, tap: Tap) -> None: ...  # noqa: D102
    def remove_tap(self, tap: Tap) -> None: ...  # noqa: D102
