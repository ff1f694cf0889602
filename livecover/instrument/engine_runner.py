"""Starts and stops engines, one at a time, with the same taps. Not here: settings (``instrument``).

Every method may be called from any thread.
"""

import contextlib
import threading
from collections.abc import Callable, Sequence

from engine.core.errors import StoppedError
from engine.core.settings import EngineSettings
from engine.core.taps import Tap
from engine.live.engine import Engine
from engine.signal.meters import Status

OpenEngine = Callable[[EngineSettings, Sequence[Tap]], Engine]


class EngineRunner:
    """The engine that plays, or none.

    Parameters
    ----------
    open_engine
        Opens an engine, given settings and taps.
    taps
        Of every engine.

    Attributes
    ----------
    engine : Engine or None
        The one that plays.
    last_status : Status
        The final state of the engine that stopped last.
    """

    def __init__(self, open_engine: OpenEngine, taps: Sequence[Tap] = ()) -> None:
        self.engine: Engine | None = None
        self.last_status = Status()
        self._open_engine = open_engine
        self._taps = tuple(taps)
        self._taps_lock = threading.Lock()
        self._starting = threading.RLock()  # one start at a time; it may take seconds
        self._stopping = threading.RLock()  # one stop at a time, and no start meanwhile
        self._is_wanted = False  # whether the engine that is being started is to play
        self._is_closed = False

    def start(self, settings: EngineSettings) -> bool:
        """Open and start an engine; return False if one plays already.

        Raises LiveCoverError; StoppedError if :meth:`stop` was called meanwhile.
        """
        with self._starting:
            with self._stopping:  # an engine that is being stopped closes its port first
                if self.engine is not None:
                    return False
                self._is_wanted = not self._is_closed
            engine = self._open_engine(settings, self._taps)
            engine.start()
            with self._stopping:
                if self._is_wanted:
                    self.engine = engine
            if self.engine is not engine:
                engine.stop()
                raise StoppedError("it was stopped before it had started; start again")
            return True

    def stop(self) -> None:
        """Stop the engine that plays, and one that is being started. Raises MidiError of a file.

        Never waits for a start or a change under way.
        """
        with self._stopping:
            self._is_wanted = False
            if self.engine is not None:
                self.end(self.engine)

    def end(self, engine: Engine) -> None:
        """Stop this engine, if it is still the one that plays."""
        with self._stopping:
            if self.engine is not engine:
                return
            self.engine = None
            self.last_status = engine.status()
            engine.stop()

    def close(self) -> None:
        """Stop; no engine starts after this."""
        self._is_closed = True
        self.stop()

    def add_tap(self, tap: Tap) -> None:
        """Add a tap to this engine and every later one."""
        with self._starting:
            with self._taps_lock:
                self._taps = (*self._taps, tap)
            engine = self.engine
            if engine is not None:
                with contextlib.suppress(StoppedError):  # the next engine has it
                    engine.add_tap(tap)

    def remove_tap(self, tap: Tap) -> None:
        """Remove a tap."""
        with self._taps_lock:
            self._taps = tuple(other for other in self._taps if other is not tap)
        engine = self.engine
        if engine is not None:
            engine.remove_tap(tap)

    def exchange_taps(self, before: Sequence[Tap], after: Sequence[Tap]) -> None:
        """Remove those of ``before`` that are not in ``after``, and add what is new."""
        for tap in before:
            if tap not in after:
                self.remove_tap(tap)
        for tap in after:
            if tap not in before:
                self.add_tap(tap)
