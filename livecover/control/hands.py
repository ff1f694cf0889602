"""Does what controllers and keys ask for, on a thread of its own, the last word of each first.

A fader asks hundreds of times a second, and a change returns only once the engine has it: what was
asked meanwhile for the same thing is passed over. Not here: who asks.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any, Self

from engine.core.errors import LiveCoverError
from engine.system.bounded import join_thread
from livecover.instrument.protocol import Worked
from livecover.mapping.targets import STATES

_log = logging.getLogger(__name__)


def state(played: Worked, name: str) -> Any:
    """Return the setting of this ``section.key``, or whether that of STATES is on."""
    if name in STATES:
        return played.is_recording if name == "record" else played.is_playing
    section, _, key = name.partition(".")
    return getattr(getattr(played.settings, section), key)


class Hands:
    """Does what is asked, one thing after the other; what waits is bounded by what there is.

    Parameters
    ----------
    played
        The instrument.
    tell
        Gets the words of what could not be done; the same ones once, until something is done.

    Attributes
    ----------
    on_done
        Called after each turn, whatever came of it.
    """

    def __init__(
        self, played: Worked, tell: Callable[[str], None] = lambda text: _log.warning("%s", text)
    ) -> None:
        self.on_done: Callable[[], None] = lambda: None
        self._played = played
        self._tell = tell
        self._told = ""
        self._waiting: dict[str, Any] = {}
        self._doing: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="hands", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Do no more; what is being done may take its time."""
        self._is_closing = True
        self._news.set()
        join_thread(self._thread, 1.0)

    def ask(self, name: str, value: Any) -> None:
        """Let a setting, or a state, become ``value`` soon. Any thread; returns at once."""
        with self._lock:
            self._waiting.pop(name, None)
            self._waiting[name] = value
        self._news.set()

    def is_busy_with(self, name: str) -> bool:
        """Return whether it was asked for, and not done yet."""
        with self._lock:
            return name in self._waiting or name in self._doing

    def state(self, name: str) -> Any:
        """Return what a setting, or a state, is or will be once all is done."""
        with self._lock:
            for asked in (self._waiting, self._doing):
                if name in asked:
                    return asked[name]
        return state(self._played, name)

    def turn(self) -> None:
        """Do what waits."""
        with self._lock:
            self._doing, self._waiting = self._waiting, {}
        changes = {name: value for name, value in self._doing.items() if name not in STATES}
        try:
            if changes and not self._do(lambda: self._played.change(changes), len(changes) == 1):
                for name, value in changes.items():  # one of them is wrong: the others count
                    self._do(lambda one={name: value}: self._played.change(one), True)  # type: ignore[misc]
            for name in STATES:
                if name in self._doing:
                    self._do(lambda: self._set_state(name, self._doing[name]), True)  # noqa: B023
        finally:
            with self._lock:
                self._doing = {}
            self.on_done()

    def _set_state(self, name: str, is_on: bool) -> None:
        if name == "record":
            self._played.record(is_on)
        elif is_on:
            self._played.start()
        else:
            self._played.stop()

    def _do(self, act: Callable[[], None], is_told: bool) -> bool:
        """Return whether it could be done; say why not."""
        try:
            act()
        except LiveCoverError as error:
            text = " ".join(str(error).split())
            if is_told and text != self._told:
                self._told = text
                self._tell(text)
            return False
        self._told = ""
        return True

    def _run(self) -> None:
        while not self._is_closing:
            self._news.wait()
            self._news.clear()
            try:
                self.turn()
            except Exception:
                _log.exception("what a controller asked for failed")
