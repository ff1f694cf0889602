"""Renders takes with the piano, each in a process of its own, one after the other.

A process, since plugins must be loaded on a main thread, a crash of one ends its process, and
playing must not wait. It has a low priority, and goes on if livecover ends. Not here: the audio
(``sound``).
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
"""Most takes that wait; further ones are not rendered."""
PATIENCE_S = 1.0
"""Seconds that the end of the program waits for a rendering."""
NICE = 15
LIMIT, LEAST_LIMIT_S = 10.0, 600.0
"""Time limit of a process: seconds for each second of the take, and at least."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    """A take and its piano; pickled, from this program to a process of its own."""

    files: TakeFiles
    contents: Contents
    piano: PianoSettings


class Renderer:
    """Renders takes that have ended. Every method from any thread."""

    def __init__(self) -> None:
        self._waiting: collections.deque[_Job] = collections.deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def render(self, files: TakeFiles, contents: Contents, piano: PianoSettings) -> None:
        """Queue a take, and the piano that plays it; returns at once."""
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                _log.error("the piano of %s is not written: %d takes wait", files.name, MAX_WAITING)
                return
            self._waiting.append(_Job(files, contents, piano))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="renders", daemon=True)
                self._thread.start()

    def shut_down(self, timeout: float = PATIENCE_S) -> None:
        """Wait up to ``timeout`` s; what is left is rendered after the end of this program."""
        with self._lock:
            thread = self._thread
        if thread is None:
            return
        is_over = join_thread(thread, timeout)
        while (job := self._next()) is not None:
            if remaining_timeout(timeout) > 0:
                _begin(job)
            else:
                _log.error("the piano of %s is not written: the program has ended", job.files.name)
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
        """Return the first take that waits; None ends the thread."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            if is_thread:
                self._thread = None
            return None


def _begin(job: _Job) -> "subprocess.Popen[bytes] | None":
    """Start the process that renders a take; None if that fails."""
    try:
        process = start_process(partial(play, job), stderr=subprocess.PIPE, is_idle=True)
        assert process.stdin is not None
        process.stdin.close()
    except OSError as error:
        _log.error("the take's piano could not be written: %s", error)
        return None
    return process


def play(job: _Job) -> int:
    """Render a take; return the exit code. On the process's main thread."""
    limit = threading.Timer(LEAST_LIMIT_S + LIMIT * job.contents.seconds, _give_up)
    limit.daemon = True
    limit.start()  # livecover may be gone and cannot end it
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
