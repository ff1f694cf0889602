"""The sound that livecover makes itself: the delayed song and the piano, on one output.

A thread asks each player for the next few milliseconds, telling at which moment they will be heard,
mixes, and writes. It is a tap that hands on what it hears to the players.
"""

import collections
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DeviceError
from engine.core.notes import Event
from engine.core.settings import EngineSettings
from engine.core.taps import Tap, TappedSource
from engine.playback.output import BLOCK_S, BUFFER_S, N_CHANNELS, Output
from engine.system.bounded import join, within
from engine.system.priority import raise_thread_priority

Array = NDArray[np.float32]

SETTLE_S = 0.3
"""Seconds of silence after opening: until then the output's latency is not what it will be."""
EVERY = 8
"""Blocks from one question for the output's latency to the next."""
ARRIVAL_S = 0.002
"""Seconds that a server needs, a part of the buffer, until it has what was written."""
N_LATENCIES = 75
"""Answers that are kept, of 3 s."""
FEW = 10
"""Of one answer in so many it is true that nothing written was still on its way."""
MAX_ASKING_S = 0.003
"""An answer that took longer says little about the moment it is for."""
MARGIN_S = 2 * BLOCK_S
"""Seconds before a sample is written at which it must be known."""
BACK_OFF_S = 1.0
JOIN_TIMEOUT = 0.5

_log = logging.getLogger(__name__)


class Player(Protocol):
    """Makes sound on the speaker's thread. One that raises, or gives no numbers, is taken out."""

    name: str

    def render(self, n: int, moment: float) -> Array:
        """Return (n, 2) float32 whose first sample will be heard at ``moment``."""


class HeardOutput:
    """An output, and the moment at which what is written to it next will be heard.

    One thread. ``clock`` is seconds of ``perf_counter``.
    """

    def __init__(
        self,
        output: Output,
        clock: Callable[[], float] = time.perf_counter,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.output = output
        self._now, self._pause = clock, pause
        self._n_written = 0
        self._n_blocks = 0
        self._starts: collections.deque[float] = collections.deque(maxlen=N_LATENCIES)
        self._start = 0.0  # when sample 0 would have been heard

    @property
    def moment(self) -> float:
        """When the next sample will be heard."""
        if not self._starts:
            return self._now() + BUFFER_S
        return self._start + self._n_written / self.output.sample_rate

    def settle(self) -> float:
        """Write silence until the output's latency is what it will be; return it."""
        block = np.zeros((round(BLOCK_S * self.output.sample_rate), N_CHANNELS), np.float32)
        for _ in range(round(SETTLE_S / BLOCK_S)):
            self.write(block)
        self._starts.clear()
        leads = [BUFFER_S]  # where a busy machine learns nothing
        for _ in range(8 * EVERY):
            self.write(block)
            if self._starts:
                leads.append(self.moment - self._now())
        return float(np.median(leads))

    def write(self, block: Array) -> None:
        """Write a block (n, 2). Raises DeviceError once the device is gone."""
        self.output.write(block)
        self._n_written += len(block)
        self._n_blocks += 1
        if self._n_blocks % EVERY:
            return
        self._pause(ARRIVAL_S)
        asked = self._now()
        latency = self.output.latency()
        answered = self._now()
        if latency is not None and answered - asked < MAX_ASKING_S:
            heard = (asked + answered) / 2 + latency
            self._starts.append(heard - self._n_written / self.output.sample_rate)
            self._start = sorted(self._starts)[-1 - len(self._starts) // FEW]


class Speaker(Tap):
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
        Seconds from the moment at which a sample must be known until it is heard.
    """

    def __init__(self, output: Output, reopen: Callable[[], Output]) -> None:
        self.name = output.name
        self.sample_rate = output.sample_rate
        self._reopen = reopen
        self._output = output
        self._heard = HeardOutput(output)
        self.latency = self._heard.settle() + MARGIN_S
        self._players: tuple[Player, ...] = ()
        self._lock = threading.Lock()  # of the players' coming and going
        self._source: TappedSource | None = None
        self._is_looped = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="speaker", daemon=True)
        self._thread.start()  # at once: an output that nobody writes to loses its place in time

    def play(self, players: Sequence[Player]) -> None:
        """Play these from now on; those that are taps hear the engine from now on."""
        with self._lock:
            self._players = tuple(players)

    def shut_down(self) -> None:
        """Fade out, end the thread and close the output; a second call does nothing.

        An output that does not come back within ``JOIN_TIMEOUT`` is left to itself.
        """
        if self._stop.is_set():
            return
        self._stop.set()
        if not join(self._thread, JOIN_TIMEOUT):
            _log.warning("the output %s does not answer", self.name)
            return
        with contextlib.suppress(TimeoutError):  # a server that has stopped answers neither
            within(JOIN_TIMEOUT, self.name, self._output.close)

    def refuse_loop(self, source: str) -> None:
        """Raise DeviceError if ``source`` is what this output plays: it would hear itself."""
        if self._output.is_heard_in(source):
            raise DeviceError(_loop(source, self.name))

    def begin(self, source: TappedSource, offset: float, latency: float) -> None:  # noqa: D102
        self._source = source
        self._look_for_loop(source.name)
        self._each("begin", source, offset, latency)

    def audio(self, block: Array, time: float, moment: float) -> None:  # noqa: D102
        if self._source is not None:
            self._look_for_loop(self._source.name)  # a loopback may follow the default output
        self._each("audio", block, time, moment)

    def found(self, events: Sequence[Event], dues: Sequence[float]) -> None:  # noqa: D102
        self._each("found", events, dues)

    def sent(self, event: Event, due: float, at: float) -> None:  # noqa: D102
        self._each("sent", event, due, at)

    def changed(self, settings: EngineSettings, latency: float) -> None:  # noqa: D102
        self._each("changed", settings, latency)

    def silenced(self) -> None:  # noqa: D102
        self._each("silenced")

    def lost(self) -> None:  # noqa: D102
        self._each("lost")

    def close(self) -> None:  # noqa: D102
        self._each("close")

    def _each(self, method: str, *values: object) -> None:
        """Hand on what was heard to every player that is a tap."""
        for player in self._players:
            if isinstance(player, Tap):
                try:
                    getattr(player, method)(*values)
                except Exception as error:
                    self._take_out(player, f"{type(error).__name__} {error}")

    def _take_out(self, player: Player, fault: str) -> None:
        """Play no more of a player that failed; the others play on. On any thread."""
        with self._lock:
            if player not in self._players:
                return
            self._players = tuple(one for one in self._players if one is not player)
        _log.error(
            "%s is heard no more: it failed (%s); start again to have it", player.name, fault
        )

    def _look_for_loop(self, source: str) -> None:
        is_looped = self._output.is_heard_in(source)
        if is_looped and not self._is_looped:
            _log.error("%s; until then it is silent", _loop(source, self.name))
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
                moment = self._heard.moment
                mix = np.zeros((n, N_CHANNELS), np.float32)
                for player in self._players:
                    mix += self._rendered(player, n, moment)
                self._heard.write(np.clip(mix * ramp, -1.0, 1.0))
            except DeviceError as error:
                gain = 0.0
                if not self._recover(error):
                    return

    def _rendered(self, player: Player, n: int, moment: float) -> Array:
        """Return (n, 2) of a player; silence of one that fails now."""
        try:
            sound = player.render(n, moment)
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
        self._output.close()
        while not self._stop.wait(BACK_OFF_S):
            try:
                output = self._reopen()
                if output.sample_rate != self.sample_rate:
                    output.close()
                    raise DeviceError(f"{output.name} runs at {output.sample_rate} Hz now")
                heard = HeardOutput(output)
                heard.settle()
            except DeviceError as problem:
                _log.debug("not yet: %s", problem)
                continue
            self._output, self._heard = output, heard
            _log.warning("the output is back: %s", output.name)
            return True
        return False


def _loop(source: str, output: str) -> str:
    return (
        f"the input {source} is what the output {output} plays, so livecover would hear itself:"
        " name another output after --monitor, or let the song's program play to another one"
    )
