"""A session of Ableton Link: programs on this machine and in its network that share a beat.

Link is GPL-2 or later, hence an extra (``link``): LinkPython-extern is imported only here.
"""

import importlib
import time
from collections.abc import Callable
from typing import Any

from engine.core.errors import DeviceError
from engine.sync.link_writer import Timeline, Transport
from engine.system.extras import needs

FIRST_BPM = 120.0
"""The tempo of a session without peers, before the song's is known."""


class LinkSession:
    """A peer of the session, from its construction to ``close``. Any thread.

    Raises DeviceError where LinkPython-extern is missing, or Link cannot begin.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        try:
            link = importlib.import_module("link")
            self._link: Any = link.Link(FIRST_BPM)
        except (ImportError, AttributeError) as error:
            message = needs("Ableton Link needs LinkPython-extern", "link")
            raise DeviceError(f"{message}; or leave sync.link out") from error
        except (RuntimeError, OSError) as error:
            raise DeviceError(
                f"Ableton Link cannot begin ({' '.join(str(error).split())}): leave sync.link out"
            ) from error
        self._clock = clock
        self._link.startStopSyncEnabled = True
        self._link.enabled = True

    @property
    def n_peers(self) -> int:
        """Number of other programs in the session."""
        return int(self._link.numPeers())

    def send(self, message: Timeline | Transport) -> None:
        """Tell it to the session."""
        state = self._link.captureSessionState()
        at = self._micros(message.time)
        if isinstance(message, Transport):
            state.setIsPlaying(message.is_playing, at)
        else:
            # What requests politely would let the peers' beat win over the song's.
            state.setTempo(message.bpm, at)
            state.forceBeatAtTime(message.position, at, float(message.beats_per_bar))
        self._link.commitSessionState(state)

    def close(self) -> None:
        """Leave the session; a second call does nothing."""
        self._link.enabled = False

    def _micros(self, host_time: float) -> int:
        """Return a host time as Link's clock has it."""
        return int(self._link.clock().micros()) + round(1e6 * (host_time - self._clock()))
