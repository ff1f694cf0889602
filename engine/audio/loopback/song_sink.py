"""The silent sink of ``--input together``, and the programs that play into it meanwhile.

The default output stays as it is: only streams are moved, and each is written down first
(``engine.audio.loopback.moved_streams``). Not here: recording the sink's monitor
(``engine.audio.loopback.together``).
"""

import contextlib
import logging
import subprocess
import threading
from pathlib import Path
from typing import Any

from engine.audio.loopback.moved_streams import SINK, MovedStreams, guard, put_back
from engine.audio.loopback.players import PlayerChoice, describe
from engine.audio.loopback.pulse_server import ask_server, connected, default_monitor
from engine.core.errors import DeviceError
from engine.system.bounded import join_thread

MONITOR = f"{SINK}.monitor"
EVENT_TIMEOUT = 0.25  # seconds; how soon the watch sees a stop
JOIN_TIMEOUT = 0.5
LOCK_TIMEOUT = 1.0
"""Seconds that a livecover that is just ending, or was killed, has to put back what it moved."""

_log = logging.getLogger(__name__)


class SongSink:
    """A silent sink that the player's streams are moved into, until it is closed.

    Parameters
    ----------
    player
        Whose streams: ``auto``, ``all`` or a program's name (``PlayerChoice``).
    folder
        Where it is written down what was moved; None is the user's own for state.

    Raises
    ------
    DeviceError
        No server answers, it makes no sink, or another livecover has one already.
    """

    def __init__(self, player: str, folder: Path | None = None) -> None:
        self.player = player
        self._moved = MovedStreams(folder)
        if not self._moved.acquire(LOCK_TIMEOUT):
            raise DeviceError(
                "another livecover plays song and piano together already: stop that one first"
            )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="song-sink", daemon=True)
        self._guard: subprocess.Popen[bytes] | None = None
        try:
            self._index = ask_server(self._make)
        except BaseException:
            self._moved.release()
            raise
        self._thread.start()
        with contextlib.suppress(OSError):  # the next start does it then
            self._guard = guard(folder)

    def _make(self, pulse: Any) -> int:
        """Make the sink; return its index."""
        put_back(pulse, self._moved.read())  # of one that was killed
        self._moved.write({})
        default = pulse.server_info().default_sink_name
        title = "device.description='Song for livecover'"
        rate = default_monitor(pulse).sample_rate
        arguments = f'sink_name={SINK} channels=2 rate={rate} sink_properties="{title}"'
        try:
            try:  # PulseAudio's plays two seconds ahead at first, unless it may not rewind
                pulse.module_load("module-null-sink", f"{arguments} norewinds=1")
            except Exception:  # one before 15 does not know this
                pulse.module_load("module-null-sink", arguments)
            sinks = {sink.name: sink for sink in pulse.sink_list()}
            if pulse.server_info().default_sink_name == SINK:  # some servers take what is new
                pulse.sink_default_set(sinks[default])
            return int(sinks[SINK].index)
        except Exception as error:  # pulsectl has several
            raise DeviceError(
                f"the sound server makes no silent output ({type(error).__name__} {error}): make"
                " one yourself, let the song's program play to it, and give its monitor after"
                " --input"
            ) from error

    def _follow(self) -> None:
        """Move the player's streams, also those that begin later, until the end."""
        choice = PlayerChoice(self.player)
        try:
            with connected() as pulse:
                changed = threading.Event()
                changed.set()
                pulse.event_mask_set("sink_input")
                pulse.event_callback_set(lambda event: changed.set())
                while not self._stop.is_set():
                    if choice.wanted != self.player:
                        choice = PlayerChoice(self.player)
                        changed.set()
                    if changed.is_set():
                        changed.clear()
                        self._move(pulse, choice)
                    pulse.event_listen(EVENT_TIMEOUT)
        except DeviceError as error:
            _log.debug("no more streams are moved: %s", error)  # who records the sink tells of it

    def _move(self, pulse: Any, choice: PlayerChoice) -> None:
        """Move what is chosen and not there yet."""
        places = {sink.index: str(sink.name) for sink in pulse.sink_list()}
        for stream in choice.choose(pulse.sink_input_list()):
            if stream.sink == self._index or self._stop.is_set():
                continue
            where = {str(stream.index): places.get(stream.sink, "")}
            self._moved.write({**self._moved.read(), **where})
            try:
                pulse.sink_input_move(stream.index, self._index)
            except Exception as error:  # it has ended, or may not be moved
                _log.warning("%s cannot be moved (%s)", describe(stream), error)
            else:
                _log.info("%s plays through livecover now", describe(stream))

    def close(self) -> None:
        """Put everything back, and remove the sink; a second call does nothing.

        Where the server does not answer, the next start does it.
        """
        if self._stop.is_set():
            return
        self._stop.set()
        join_thread(self._thread, JOIN_TIMEOUT)
        try:
            self._moved.put_back()
        except DeviceError as error:
            _log.warning("programs are put back at the next start: %s", error)
        finally:
            self._moved.release()
            if self._guard is not None and self._guard.stdin is not None:
                self._guard.stdin.close()  # there is nothing to do for it any more
                threading.Thread(target=self._guard.wait, name="song-guard", daemon=True).start()


_users: list[SongSink] = []  # the one sink of this program, for each that uses it
_sharing = threading.Lock()


def acquire_song_sink(player: str) -> None:
    """Open the sink, or use the one that is open, for this player from now on.

    Raises DeviceError as ``SongSink``.
    """
    with _sharing:
        sink = _users[0] if _users else SongSink(player)
        sink.player = player
        _users.append(sink)


def release_song_sink() -> None:
    """Use it no more; the last who does so closes it."""
    with _sharing:
        sink = _users.pop() if _users else None
        if sink is not None and not _users:
            sink.close()
