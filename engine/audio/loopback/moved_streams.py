"""What was moved into the silent sink, kept in a file, and putting it back where it was."""

import contextlib
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import IO, Any

from engine.audio.loopback.pulse_server import ask_server
from engine.core.errors import DataError
from engine.system.bounded import call_with_timeout
from engine.system.own_process import start_process
from engine.system.paths import shown, state_folder
from engine.system.whole_file import written_whole

SINK = "livecover_song"
LEAST_S = 0.5
"""Seconds that a disk has at least, to say whether a file is locked."""


class MovedStreams:
    """The file: each moved stream's index, and the name of the sink where it was.

    It exists while the sink may. A second file beside it is locked by the program whose sink it
    is; the system unlocks it when that program is gone, however that ended.

    Parameters
    ----------
    folder
        Where both lie; None is the user's own for state. Raises ConfigError without a home.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or state_folder()
        self._path = self._folder / "together.json"
        self._lock: IO[bytes] | None = None

    def exists(self) -> bool:
        """Return whether something is to be put back."""
        return self._path.exists()

    def acquire(self, timeout: float = 0.0) -> bool:
        """Return whether this program may move streams: no other does, or not after ``timeout`` s.

        Raises DataError where the folder cannot be written to.
        """
        path = self._folder / "together.lock"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = call_with_timeout(
                max(timeout, LEAST_S),
                "the lock",
                lambda: _locked(path, is_waiting=timeout > 0),
                lambda file: file.close(),
            )
        except (BlockingIOError, TimeoutError):
            return False
        except OSError as error:
            raise DataError(
                f"{shown(path)} cannot be written ({error.strerror}), and what is moved must be"
                " written down: give XDG_STATE_HOME a folder that you may write to"
            ) from error
        return True

    def release(self) -> None:
        """Let another program move streams."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def read(self) -> dict[str, str]:
        """Return what was moved; nothing where that cannot be read."""
        try:
            content = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        if not isinstance(content, dict):
            return {}
        return {str(index): str(sink) for index, sink in content.items()}

    def write(self, moved: dict[str, str]) -> None:
        """Write it, whole or not at all. Raises DataError."""
        with written_whole(self._path) as file:
            file.write(json.dumps(moved).encode())

    def put_back(self) -> int:
        """Put everything back and remove the file; return how many streams were there.

        Raises DeviceError where no server answers: the file stays.
        """
        n_moved = ask_server(lambda pulse: put_back(pulse, self.read()))
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        return n_moved


def _locked(path: Path, is_waiting: bool) -> IO[bytes]:
    """Return the file, locked as long as it is open; wait until no other program has it.

    Without waiting raises BlockingIOError where one has.
    """
    file = path.open("ab")
    if sys.platform != "win32":  # where no streams are moved
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if is_waiting else fcntl.LOCK_NB))
        except BlockingIOError:
            file.close()
            raise
    return file


def put_back(pulse: Any, moved: dict[str, str]) -> int:
    """Move what plays into the sink back to where it was, and remove the sink; return how many.

    What began there, and what was at an output that is gone, goes to the default output.
    """
    sinks = {str(sink.name): sink for sink in pulse.sink_list()}
    ours = sinks.pop(SINK, None)
    if ours is None:
        return 0
    default = sinks.get(pulse.server_info().default_sink_name)
    n_moved = 0
    for stream in pulse.sink_input_list():
        place = sinks.get(moved.get(str(stream.index), ""), default)
        if stream.sink == ours.index and place is not None:
            with contextlib.suppress(Exception):  # it has just ended
                pulse.sink_input_move(stream.index, place.index)
                n_moved += 1
    for module in pulse.module_list():
        if module.name == "module-null-sink" and f"sink_name={SINK} " in (module.argument or ""):
            pulse.module_unload(module.index)
    return n_moved


def guard(folder: Path | None) -> "subprocess.Popen[bytes]":
    """Start a process that puts everything back when this program is killed.

    It ends with its standard input. Raises OSError where none can be started.
    """
    return start_process(partial(_guard, folder))


def _guard(folder: Path | None) -> int:
    """Wait until the program that has started this one is gone, then do what it has not done."""
    sys.stdin.buffer.read()
    put_back_left(folder)
    return 0


def put_back_left(folder: Path | None = None) -> str:
    """Put back what a livecover that was killed had moved; return a line about it, or ''.

    Where there is nothing, and where one runs that has it moved, no server is asked. Never raises.
    """
    try:
        moved = MovedStreams(folder)
        if not moved.exists() or not moved.acquire():
            return ""
        try:
            n_moved = moved.put_back()
        finally:
            moved.release()
    except Exception as error:
        return f"the programs that livecover had moved are not put back yet: {error}"
    return f"put back what a livecover that was killed had moved: {n_moved} streams"
