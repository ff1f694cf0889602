"""Taps of the engine's audio and events: for a recorder, a monitor, a panel.

Not here: any of them. Samples are (n, channels) float32 at the source's rate.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import Event
from engine.core.settings import EngineSettings
from engine.core.tempo import Beat

Array = NDArray[np.float32]

_log = logging.getLogger(__name__)


class TappedSource(Protocol):
    """The part of an audio source that a tap gets."""

    @property
    def name(self) -> str:
        """As the user knows it; another one as soon as a loopback follows the default output."""

    @property
    def sample_rate(self) -> int:
        """Samples a second of each channel."""

    @property
    def n_channels(self) -> int:
        """Columns of a block."""


class Tap:
    """Gets the engine's audio and events. Every method returns at once, never waits, never raises.

    Host times are seconds of ``time.perf_counter``. Unless said otherwise, methods are called on
    the worker thread; those of one tap may overlap with ``sent`` only.
    """

    def begin(self, source: TappedSource, offset: float, latency: float) -> None:
        """Begin with a source that has just started, at the start or after a loss.

        ``offset`` seconds of the engine's time is where its first sample stands; ``latency`` is
        the session's, from capture to MIDI port.
        """

    def audio(self, block: Array, time: float, host_time: float) -> None:
        """Take what is about to be analysed.

        ``time`` is where its first sample stands in the engine's time, which events carry too;
        ``host_time`` is when that sample was captured.
        """

    def found(self, events: Sequence[Event], dues: Sequence[float]) -> None:
        """Take what was handed to the scheduler, and the host time at which each is to leave."""

    def sent(self, event: Event, due: float, at: float) -> None:
        """Take what left at host time ``at`` and was due at ``due``. On the MIDI thread."""

    def changed(self, settings: EngineSettings, latency: float) -> None:
        """Take settings that count from now on, and the session's latency under them."""

    def beat(self, beat: Beat) -> None:
        """Take the beat: as one comes, and as soon as anything of it is not as it was."""

    def silenced(self) -> None:
        """Take that all notes were ended and all that was found is dropped. On any thread."""

    def lost(self) -> None:
        """Take that the source is gone; ``begin`` says that it is back."""

    def close(self) -> None:
        """Take that the engine has stopped: every note has ended. On the stopping thread."""


class Taps(Tap):
    """Several taps as one, added and removed at any time. One that raises is removed."""

    def __init__(self, taps: Sequence[Tap] = ()) -> None:
        self._taps = tuple(taps)
        self._lock = threading.Lock()  # for add and remove at once

    def add(self, tap: Tap) -> None:
        """Call ``tap`` too from now on."""
        with self._lock:
            self._taps = (*self._taps, tap)

    def remove(self, tap: Tap) -> None:
        """Call ``tap`` no more; nothing if it is not there."""
        with self._lock:
            self._taps = tuple(t for t in self._taps if t is not tap)

    def begin(self, source: TappedSource, offset: float, latency: float) -> None:  # noqa: D102
        self._each("begin", source, offset, latency)

    def audio(self, block: Array, time: float, host_time: float) -> None:  # noqa: D102
        self._each("audio", block, time, host_time)

    def found(self, events: Sequence[Event], dues: Sequence[float]) -> None:  # noqa: D102
        self._each("found", events, dues)

    def sent(self, event: Event, due: float, at: float) -> None:  # noqa: D102
        self._each("sent", event, due, at)

    def changed(self, settings: EngineSettings, latency: float) -> None:  # noqa: D102
        self._each("changed", settings, latency)

    def beat(self, beat: Beat) -> None:  # noqa: D102
        self._each("beat", beat)

    def silenced(self) -> None:  # noqa: D102
        self._each("silenced")

    def lost(self) -> None:  # noqa: D102
        self._each("lost")

    def close(self) -> None:  # noqa: D102
        self._each("close")

    def _each(self, method: str, *values: object) -> None:
        """Call every tap, also after one that raises."""
        for tap in self._taps:
            try:
                getattr(tap, method)(*values)
            except Exception as error:
                self._failed(tap, error)

    def _failed(self, tap: Tap, error: Exception) -> None:
        """Remove a tap that raised ``error``."""
        _log.error("%s failed and is removed", type(tap).__name__, exc_info=error)
        self.remove(tap)
