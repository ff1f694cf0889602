"""Queues the changes that controllers and keys ask for, and makes them on a thread of its own.

A fader sends hundreds of values a second, and a change returns only once the engine has made it.
So only the last value for each setting is kept. Not here: who asks (``listener``, the terminal).
"""

import logging
import threading
from collections.abc import Callable
from typing import Any, Self

from engine.core.errors import LiveCoverError
from engine.system.bounded import join_thread
from livecover.instrument.instrument import Instrument
from livecover.mapping.targets import STATES

_log = logging.getLogger(__name__)


def _warn(text: str) -> None:
    _log.warning("%s", text)


def current_value(instrument: Instrument, name: str) -> Any:
    """Return the setting ``section.key``, or whether that of STATES is on."""
    if name in STATES:
        return instrument.recorder.is_recording if name == "record" else instrument.is_playing
    section, _, key = name.partition(".")
    return getattr(getattr(instrument.settings, section), key)


class CommandQueue:
    """Makes queued changes one after the other; holds at most one for each setting or state.

    Parameters
    ----------
    instrument
        What is changed.
    on_error
        Gets the message of a change that failed; the same message once, until a change succeeds.

    Attributes
    ----------
    on_done
        Called after each run, whether the changes succeeded or not.
    """

    def __init__(self, instrument: Instrument, on_error: Callable[[str], None] = _warn) -> None:
        self.on_done: Callable[[], None] = lambda: None
        self._instrument = instrument
        self._on_error = on_error
        self._last_error = ""
        self._pending: dict[str, Any] = {}
        self._running: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._has_pending = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Start no further change; wait up to one second for the change under way."""
        self._is_closing = True
        self._has_pending.set()
        join_thread(self._thread, 1.0)

    def put(self, name: str, value: Any) -> None:
        """Queue ``value`` for a setting or a state. Any thread; returns at once."""
        with self._lock:
            self._pending.pop(name, None)
            self._pending[name] = value
        self._has_pending.set()

    def value(self, name: str) -> Any:
        """Return the value that a setting or a state will have once the queue is empty."""
        with self._lock:
            for queued in (self._pending, self._running):
                if name in queued:
                    return queued[name]
        return current_value(self._instrument, name)

    def run_pending(self) -> None:
        """Make all queued changes."""
        with self._lock:
            self._running, self._pending = self._pending, {}
        changes = {name: value for name, value in self._running.items() if name not in STATES}
        try:
            if changes and not self._change(changes, is_reported=len(changes) == 1):
                for name, value in changes.items():  # one of them is wrong: make the others
                    self._change({name: value}, is_reported=True)
            for name in STATES:
                if name in self._running:
                    self._set_state(name, self._running[name])
        finally:
            with self._lock:
                self._running = {}
            self.on_done()

    def _change(self, values: dict[str, Any], is_reported: bool) -> bool:
        return self._try(lambda: self._instrument.change(values), is_reported)

    def _set_state(self, name: str, is_on: bool) -> None:
        if name == "record":
            self._try(lambda: self._instrument.record(is_on))
        else:
            self._try(self._instrument.start if is_on else self._instrument.stop)

    def _try(self, act: Callable[[], None], is_reported: bool = True) -> bool:
        """Return whether ``act`` succeeded; report its error if not."""
        try:
            act()
        except LiveCoverError as error:
            text = " ".join(str(error).split())
            if is_reported and text != self._last_error:
                self._last_error = text
                self._on_error(text)
            return False
        self._last_error = ""
        return True

    def _run(self) -> None:
        while not self._is_closing:
            self._has_pending.wait()
            self._has_pending.clear()
            try:
                self.run_pending()
            except Exception:
                _log.exception("a change from a controller or a key failed")
