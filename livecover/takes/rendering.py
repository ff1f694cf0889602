"""Takes that are played into files, each by a process of its own, one after the other.

Not by a thread: a plugin is to be loaded on a main thread, one that breaks takes its process with
it, and neither the next take nor the music waits. The process has the lowest of priorities and
goes on if livecover ends meanwhile. Not here: the sound (``sound``).
"""

import collections
import logging
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import partial

from engine.core.errors import LiveCoverError
from engine.system.bounded import join_thread, remaining_timeout
from engine.system.own_process import start_process
from livecover.settings.output import PianoSettings
from livecover.sounds.synth import open_synth
from livecover.takes.files import TakeFiles
from livecover.takes.journal import Contents
from livecover.takes.sound import render_take

MAX_WAITING = 32
"""Takes that may wait to be played; one that comes then is not played."""
PATIENCE_S = 1.0
"""Seconds for which the end of the program waits."""
NICE = 15
LIMIT, LEAST_LIMIT_S = 10.0, 600.0
"""Seconds for each of the take's, and in all at least, after which its process ends itself."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    """One take and who plays it; handed over as a pickle, from this program to itself."""

    files: TakeFiles
    contents: Contents
    piano: PianoSettings


class Renderer:
    """Plays takes that have ended into files. Every method from any thread.

    Parameters
    ----------
    piano
        Who plays them.
    """

    def __init__(self, piano: PianoSettings) -> None:
        self._piano = piano
        self._waiting: collections.deque[_Job] = collections.deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def render(self, files: TakeFiles, contents: Contents) -> None:
        """Let a take be played; returns at once."""
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                _log.error("%s is not played into files: %d wait", files.name, MAX_WAITING)
                return
            self._waiting.append(_Job(files, contents, self._piano))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="renders", daemon=True)
                self._thread.start()

    def shut_down(self, timeout: float = PATIENCE_S) -> None:
        """Wait a little for what is being played; the rest is played after this program's end."""
        with self._lock:
            thread = self._thread
        if thread is None:
            return
        is_over = join_thread(thread, timeout)
        while (job := self._next()) is not None:
            if remaining_timeout(timeout) > 0:
                _begin(job)
            else:
                _log.error("%s is not played into files: the program has ended", job.files.name)
        if not is_over:
            _log.warning("the piano is still being written into the folder of takes")

    def _run(self) -> None:
        while (job := self._next(is_thread=True)) is not None:
            process = _begin(job)
            if process is None:
                continue
            assert process.stderr is not None
            said = process.stderr.read().decode(errors="replace").strip()
            if process.wait():
                words = said.splitlines()[-1] if said else f"code {process.returncode}"
                _log.error("the take's piano could not be written: %s", words)
            else:
                _log.info("wrote the piano of %s", job.files.name)

    def _next(self, is_thread: bool = False) -> _Job | None:
        """Return the first take that waits; without one the thread is over."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            if is_thread:
                self._thread = None
            return None


def _begin(job: _Job) -> "subprocess.Popen[bytes] | None":
    """Start the process that plays a take; None where that cannot be done."""
    try:
        process = start_process(partial(play, job), stderr=subprocess.PIPE, is_idle=True)
        assert process.stdin is not None
        process.stdin.close()
    except OSError as error:
        _log.error("the take's piano could not be written: %s", error)
        return None
    return process


def play(job: _Job) -> int:
    """Play a take; return the exit code. On the process's main thread."""
    limit = threading.Timer(LEAST_LIMIT_S + LIMIT * job.contents.seconds, _give_up)
    limit.daemon = True
    limit.start()  # nobody else may be there to end what hangs
    if hasattr(os, "nice"):
        os.nice(NICE)
    try:
        render_take(job.files, job.contents, lambda rate: open_synth(job.piano, rate))
    except (LiveCoverError, OSError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


def _give_up() -> None:
    print("it took too long", file=sys.stderr, flush=True)
    os._exit(3)
