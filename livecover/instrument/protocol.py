"""An instrument as far as everyone works it. The thing itself is ``instrument``."""

from collections.abc import Mapping
from typing import Protocol

from livecover.settings.sections import Settings


class Worked(Protocol):
    """Every method from any thread. What cannot be done is a LiveCoverError."""

    @property
    def settings(self) -> Settings: ...  # noqa: D102
    @property
    def is_playing(self) -> bool: ...  # noqa: D102
    @property
    def is_recording(self) -> bool: ...  # noqa: D102
    def change(self, values: Mapping[str, object]) -> None: ...  # noqa: D102
    def start(self) -> None: ...  # noqa: D102
    def stop(self) -> None: ...  # noqa: D102
    def record(self, on: bool) -> None: ...  # noqa: D102
