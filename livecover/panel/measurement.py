"""A measurement of the way out that a page asks for, which ends as soon as something is to play.

Not here: the measurement itself (``livecover.instrument.calibration``).
"""

import threading

from engine.core.errors import ConfigError, LiveCoverError
from livecover.instrument.calibration import calibrate, lines_of
from livecover.instrument.instrument import Instrument


class Measurement:
    """Measures how late what is played is heard, one time after the other. Any thread.

    Parameters
    ----------
    instrument
        Whose settings name what is measured, and get the result. Where it starts to play, the
        measurement ends.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._running = threading.Lock()
        self._stop = threading.Event()
        instrument.subscribe(self._on_change)

    @property
    def is_running(self) -> bool:
        """Whether clicks or notes are played and heard back."""
        return self._running.locked()

    def cancel(self) -> None:
        """End a measurement without a result; do nothing if there is none. Never waits."""
        self._stop.set()

    def run(self) -> dict[str, object] | None:
        """Measure, set what was found, and return the message; None if it was cancelled.

        Takes ten to thirty seconds. Raises ConfigError if something plays or is measured already,
        and whatever the measurement raises.
        """
        if not self._running.acquire(blocking=False):
            raise ConfigError("it is being measured already: wait, or cancel that first")
        try:
            self._stop.clear()
            if self._instrument.is_playing:
                raise ConfigError("stop first: nothing else may play while clicks are heard back")
            try:
                name, found = calibrate(self._instrument.settings, self._stop, lambda line: None)
            except LiveCoverError:
                if self._stop.is_set():
                    return None
                raise
            self._instrument.change({"calibration.outputs": lines_of(name, found)})
        finally:
            self._running.release()
        return {
            "type": "calibrated",
            "output": name,
            "seconds": round(found.seconds, 4),
            "low": round(found.low, 4),
            "high": round(found.high, 4),
            "n_heard": found.n_heard,
        }

    def _on_change(self) -> None:
        if self._instrument.is_playing:
            self.cancel()
