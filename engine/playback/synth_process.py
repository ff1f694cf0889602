"""A synthesizer that may crash or hang, as somebody else's plugin: in a process of its own.

There it is opened and used on the main thread, as many plugins want it. One block goes over at a
time, by pipes: the number of samples and the messages one way, the samples back. Not here: the
synthesizer.
"""

import contextlib
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import IO

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DeviceError, LiveCoverError
from engine.midi.messages import Message
from engine.playback.piano import Synth
from engine.system.bounded import call_with_timeout, get_with_timeout, remaining_timeout
from engine.system.own_process import start_process
from engine.system.priority import raise_thread_priority

Array = NDArray[np.float32]

OPEN_TIMEOUT = 60.0
"""Seconds in which it is to be open: a plugin may load its sounds."""
RENDER_TIMEOUT = 2.0
"""Seconds for which a block is waited for; a plugin's first one may load its sounds too."""
CLOSE_TIMEOUT = 0.5
ALARM_S = 5.0
"""Seconds in one block after which the process ends itself; nobody else may be there to do it.
So too after ``OPEN_TIMEOUT``."""
OPEN, SOUND, FAULT = 0, 1, 2

_ASKED = struct.Struct("<II")  # samples, messages
_MESSAGE = struct.Struct("<I3B")  # sample, message
_ANSWER = struct.Struct("<BI")  # what it is, bytes


class SynthProcess:
    """A synthesizer elsewhere, as a ``Synth``. One thread.

    Parameters
    ----------
    name
        What the user called it.
    open_synth
        Opens it there (``engine.system.own_process``).
    timeout
        Seconds for a block.

    Raises
    ------
    DeviceError
        It cannot be opened, or not within ``OPEN_TIMEOUT``, or breaks its process.
    """

    def __init__(
        self, name: str, open_synth: Callable[[], Synth], timeout: float = RENDER_TIMEOUT
    ) -> None:
        self._timeout = timeout
        self._answers: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
        try:
            self._process = start_process(partial(serve, open_synth), stdout=subprocess.PIPE)
        except OSError as error:
            raise DeviceError(f"no process can be started for {name} ({error.strerror})") from error
        threading.Thread(target=self._read, name="synth-process", daemon=True).start()
        try:
            answer = call_with_timeout(OPEN_TIMEOUT, name, self._answers.get)
        except TimeoutError as error:
            self._process.kill()
            raise DeviceError(f"{name} was not ready in time: give another") from error
        if answer is None:
            raise DeviceError(f"{name} cannot be opened: {self._end()}; give another")
        self._take(answer, OPEN)  # else the words of what it raised there

    def render(self, n: int, messages: Sequence[tuple[int, Message]]) -> Array:
        """Return the next ``n`` samples. Raises DeviceError where they do not come in time.

        So too where the process is gone, or what the synthesizer raises there. After any of these
        it is not to be asked again.
        """
        asked = [_ASKED.pack(n, len(messages))]
        asked += [_MESSAGE.pack(at, *message) for at, message in messages]
        with contextlib.suppress(OSError):  # it is gone: the answer says so
            self._write(b"".join(asked))
        try:
            answer = get_with_timeout(self._answers, self._timeout)
        except TimeoutError:
            self._process.kill()
            raise DeviceError(f"it has not answered for {self._timeout:g} s") from None
        return np.frombuffer(bytearray(self._take(answer, SOUND)), np.float32).reshape(-1, 2)

    def close(self) -> None:
        """End it and its process; a second call does nothing."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(remaining_timeout(CLOSE_TIMEOUT))
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def _take(self, answer: tuple[int, bytes] | None, wanted: int) -> bytes:
        """Return what an answer holds. Raises DeviceError where it is another than ``wanted``."""
        if answer is None:
            self._answers.put(None)  # nor will there be another
            raise DeviceError(self._end())
        kind, data = answer
        if kind != wanted:
            raise DeviceError(data.decode(errors="replace"))
        return data

    def _end(self) -> str:
        """Return in words how the process has ended."""
        code = self._process.wait()
        return f"its process has ended ({_cause(code)})"

    def _read(self) -> None:
        """Queue what the process answers, until it ends. On a thread of its own."""
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            while (answer := _answer_of(stream)) is not None:
                self._answers.put(answer)
        self._process.wait()
        self._answers.put(None)


def _cause(code: int) -> str:
    """Return in words why a process has ended."""
    if code < 0 and -code in set(signal.Signals):
        return signal.Signals(-code).name
    return f"code {code}"


def _answer_of(stream: IO[bytes]) -> tuple[int, bytes] | None:
    head = stream.read(_ANSWER.size)
    if len(head) < _ANSWER.size:
        return None
    kind, length = _ANSWER.unpack(head)
    data = stream.read(length)
    return (kind, data) if len(data) == length else None


def serve(open_synth: Callable[[], Synth]) -> int:
    """Open a synthesizer and answer with its blocks, until nobody asks any more. In the process."""
    asked = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nowhere:  # what a plugin prints is no answer
        os.dup2(nowhere.fileno(), 1)

    def answer(kind: int, data: bytes = b"") -> None:
        answers.write(_ANSWER.pack(kind, len(data)) + data)
        answers.flush()

    try:
        with _time_limit(OPEN_TIMEOUT):
            synth = open_synth()
    except Exception as error:
        is_told = isinstance(error, LiveCoverError)
        words = str(error) if is_told else f"it cannot be opened ({_words(error)}); give another"
        answer(FAULT, words.encode(errors="backslashreplace"))
        return 2
    answer(OPEN)
    raise_thread_priority()
    while len(head := asked.read(_ASKED.size)) == _ASKED.size:
        n, n_messages = _ASKED.unpack(head)
        raw = _MESSAGE.iter_unpack(asked.read(n_messages * _MESSAGE.size))
        messages = [(at, (status, first, second)) for at, status, first, second in raw]
        try:
            with _time_limit(ALARM_S):
                sound = synth.render(n, messages)
        except Exception as error:
            answer(FAULT, _words(error).encode(errors="backslashreplace"))
            continue
        answer(SOUND, np.ascontiguousarray(sound, np.float32).tobytes())
    with _time_limit(ALARM_S):
        synth.close()
    return 0


def _words(error: Exception) -> str:
    return f"{type(error).__name__} {error}"


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Let the system end the process where the block takes longer, whatever holds it."""
    if sys.platform == "win32":
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
