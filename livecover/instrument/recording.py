"""What records takes, as the instrument sees it. Not here: the takes (``livecover.takes``)."""

from collections.abc import Collection
from typing import Protocol

from engine.core.errors import ConfigError


class Recorder(Protocol):
    """A recorder of takes."""

    @property
    def is_recording(self) -> bool:
        """Whether a take is being recorded."""

    @property
    def fault(self) -> str:
        """Why recording has failed, or what it waits for; empty if neither."""

    @property
    def faults(self) -> Collection[str]:
        """Why takes since the start are not whole."""

    def record(self, is_on: bool) -> None:
        """Begin a take with the next block, or end it. Raises ConfigError if that fails."""

    def shut_down(self) -> None:
        """Write what was recorded; nothing is recorded after this."""


class NoRecorder:
    """None of them."""

    is_recording = False
    fault = ""
    faults: Collection[str] = ()

    def record(self, is_on: bool) -> None:  # noqa: D102
        raise ConfigError("takes cannot be recorded here: start livecover with --record FOLDER")

    def shut_down(self) -> None:  # noqa: D102
        pass
