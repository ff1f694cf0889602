"""What plays and sends beside the engine, as the instrument sees it."""

import contextlib
from contextlib import AbstractContextManager
from typing import Protocol

from engine.core.taps import Tap
from livecover.instrument.ports import PortState
from livecover.settings.sections import Settings


class Outputs(Protocol):
    """Outputs beside the engine's, such as monitor, piano and MIDI clock."""

    @property
    def taps(self) -> tuple[Tap, ...]:
        """The taps of an engine that they are."""

    @property
    def is_sync_running(self) -> bool:
        """Whether a receiver of MIDI clock has been started."""

    @property
    def n_link_peers(self) -> int | None:
        """Other programs in the session of Ableton Link; None without one."""

    def ports(self) -> list[PortState]:
        """Return the state of their ports and devices."""

    def needed(self, settings: Settings) -> Settings:
        """Return ``settings`` with the latency that they need."""

    def changing(self, settings: Settings) -> AbstractContextManager[Settings]:
        """Open what other settings need; yield them with the latency that it needs.

        They count after the block. If that raises, nothing has changed.
        """


class NoOutputs:
    """None of them."""

    taps: tuple[Tap, ...] = ()
    is_sync_running = False
    n_link_peers: int | None = None

    def ports(self) -> list[PortState]:  # noqa: D102
        return []

    def needed(self, settings: Settings) -> Settings:  # noqa: D102
        return settings

    def changing(self, settings: Settings) -> AbstractContextManager[Settings]:  # noqa: D102
        return contextlib.nullcontext(settings)
