"""The delayed song and the piano, mixed and played on one output.

A thread asks each player for the next few milliseconds, with the host time at which they will be
heard, mixes, and writes. It is a tap that forwards to the players.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DeviceError
from engine.core.taps import Tap, TappedSource, Taps
from engine.playback.outputs.output import BLOCK_S, N_CHANNELS, Output
from engine.playback.playback_clock import PlaybackClock
from engine.system.bounded import call_with_timeout, join_thread
from engine.system.priority import raise_thread_priority

Array = NDArray[np.float32]

MARGIN_S = 2 * BLOCK_S
"""Seconds before a sample is written at which it must be known."""
BACK_OFF_S = 1.0
JOIN_TIMEOUT = 0.5

_log = logging.getLogger(__name__)


class Player(Protocol):
    """Makes sound on the playback thread. One that raises, or gives no numbers, is taken out."""

    name: str

    def render(self, n: int, host_time: float) -> Array:
        """Return (n, 2) float32 whose first sample will be heard at ``host_time``."""


class PlaybackThread(Taps):
    """Plays what players make, to an output that is opened again where it was lost.

    Parameters
    ----------
    output
        Open; closed by :meth:`shut_down`.
    reopen
        Opens it again.

    Attributes
    ----------
    latency : float
        Seconds from the moment at which a sample must be known until it is heard, as the output
        says.
    way_out : float
        Seconds by which it is heard later than that; may be set at any time.
    is_there : bool
        False while the output is lost.
    """

    def __init__(self, output: Output, reopen: Callable[[], Output]) -> None:
        super().__init__()
        self.name = output.name
        self.is_there = True
        self.sample_rate = output.sample_rate
        self._reopen = reopen
        self._output = output
        self._clock = PlaybackClock(output)
        self.latency = self._clock.settle() + MARGIN_S
        self.way_out = 0.0
        self._players: tuple[Player, ...] = ()
        self._source: TappedSource | None = None
        self._is_looped = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="playback", daemon=True)
        self._thread.start()  # at once: an output without writes loses its timing

    def play(self, players: Sequence[Player]) -> None:
        """Play these from now on; those that are taps get the engine's calls from now on."""
        with self._lock:
            self._players = tuple(players)
            self._taps = tuple(player for player in players if isinstance(player, Tap))

    def shut_down(self) -> None:
        """Fade out, end the thread and close the output; a second call does nothing.

        An output that does not come back within ``JOIN_TIMEOUT`` is left to itself.
        """
        if self._stop.is_set():
            return
        self._stop.set()
        if not join_thread(self._thread, JOIN_TIMEOUT):
            _log.warning("the output %s does not answer", self.name)
            return
        with contextlib.suppress(TimeoutError):  # of a server that has stopped
            call_with_timeout(JOIN_TIMEOUT, self.name, self._output.close)

    def refuse_loop(self, source: str) -> None:
        """Raise DeviceError if ``source`` is what this output plays: it would hear itself."""
        if self._output.is_heard_in(source):
            raise DeviceError(loop_fault(source, self.name))

    def begin(self, source: TappedSource, offset: float, latency: float) -> None:  # noqa: D102
        self._source = source
        self._look_for_loop(source.name)
        super().begin(source, offset, latency)

    def audio(self, block: Array, time: float, host_time: float) -> None:  # noqa: D102
        if self._source is not None:
            self._look_for_loop(self._source.name)  # a loopback may follow the default output
        super().audio(block, time, host_time)

    def _failed(self, tap: Tap, error: Exception) -> None:
        self._take_out(tap, f"{type(error).__name__} {error}")

    def _take_out(self, one: object, fault: str) -> None:
        """Remove a player that failed; the others play on. On any thread."""
        with self._lock:
            failed = [player for player in self._players if player is one]
            self._players = tuple(player for player in self._players if player is not one)
            self._taps = tuple(tap for tap in self._taps if tap is not one)
        for player in failed:
            _log.error("%s failed (%s) and is silent; start again to have it", player.name, fault)

    def _look_for_loop(self, source: str) -> None:
        is_looped = self._output.is_heard_in(source)
        if is_looped and not self._is_looped:
            _log.error("%s; until then it is silent", loop_fault(source, self.name))
        self._is_looped = is_looped

    def _run(self) -> None:
        """Play until the end, through losses of the output."""
        raise_thread_priority()
        gain = 0.0
        n = round(BLOCK_S * self.sample_rate)
        while not self._stop.is_set() or gain > 0:
            wanted = 0.0 if self._is_looped or self._stop.is_set() else 1.0
            ramp = np.linspace(gain, wanted, n, dtype=np.float32)[:, None]
            gain = wanted
            try:
                host_time = self._clock.host_time + self.way_out
                mix = np.zeros((n, N_CHANNELS), np.float32)
                for player in self._players:
                    mix += self._rendered(player, n, host_time)
                self._clock.write(np.clip(mix * ramp, -1.0, 1.0))
            except DeviceError as error:
                gain = 0.0
                if not self._recover(error):
                    return

    def _rendered(self, player: Player, n: int, host_time: float) -> Array:
        """Return (n, 2) of a player; silence of one that fails now."""
        try:
            sound = player.render(n, host_time)
            if sound.shape == (n, N_CHANNELS) and np.isfinite(sound).all():
                return sound
            fault = f"{sound.shape} samples for {n}, or no numbers"
        except Exception as error:
            fault = f"{type(error).__name__} {error}"
        self._take_out(player, fault)
        return np.zeros((n, N_CHANNELS), np.float32)

    def _recover(self, error: DeviceError) -> bool:
        """Open the output again; return False if there is no more need to."""
        _log.warning("%s: the output was lost (%s); trying again", self.name, error)
        self.is_there = False
        self._output.close()
        while not self._stop.wait(BACK_OFF_S):
            try:
                output = self._reopen()
                if output.sample_rate != self.sample_rate:
                    output.close()
                    raise DeviceError(f"{output.name} runs at {output.sample_rate} Hz now")
                clock = PlaybackClock(output)
                clock.settle()
            except DeviceError as problem:
                _log.debug("not yet: %s", problem)
                continue
            self._output, self._clock, self.is_there = output, clock, True
            _log.warning("the output is back: %s", output.name)
            return True
        return False


def loop_fault(source: str, output: str) -> str:
    """Return what is wrong where ``output`` plays what the input ``source`` hears."""
    return (
        f"the input {source} is what the output {output} plays, so livecover would hear itself:"
        " type livecover together, which plays both there in time, or name another output after"
        " --monitor"
    )
