"""A synthesizer that may never come back, as somebody else's plugin: on a thread of its own."""

import queue
import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DeviceError
from engine.midi.messages import Message
from engine.playback.piano import Synth
from engine.system.bounded import join_thread

Array = NDArray[np.float32]

TIMEOUT_S = 2.0
"""Seconds for which a block is waited for; a plugin's first one may load its sounds."""

_Block = tuple[int, Sequence[tuple[int, Message]]]


class WatchedSynth:
    """Renders by another synthesizer, which must answer in time.

    Parameters
    ----------
    synth
        Used on this one's thread alone; closed there.
    timeout
        Seconds.
    """

    def __init__(self, synth: Synth, timeout: float = TIMEOUT_S) -> None:
        self._synth, self._timeout = synth, timeout
        self._asked: queue.SimpleQueue[_Block | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Array | Exception] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="plugin", daemon=True)
        self._thread.start()

    def render(self, n: int, messages: Sequence[tuple[int, Message]]) -> Array:
        """Return the next ``n`` samples. Raises DeviceError where they do not come in time.

        What the synthesizer raises too. After either it is not to be asked again.
        """
        self._asked.put((n, messages))
        try:
            answer = self._answers.get(timeout=self._timeout)
        except queue.Empty:
            raise DeviceError(f"it has not answered for {self._timeout:g} s") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Close it, if it answers; a second call does nothing."""
        self._asked.put(None)
        join_thread(self._thread, self._timeout / 2)

    def _run(self) -> None:
        while (block := self._asked.get()) is not None:
            try:
                self._answers.put(self._synth.render(*block))
            except Exception as error:
                self._answers.put(error)
        self._synth.close()
