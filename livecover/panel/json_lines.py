"""The state as lines of JSON on stdout, for other programs: ``--status json`` (``log.status``).

Each is a message as pages get it (``livecover.panel.messages``): ``status``, and ``text`` with what
is said to people else. Not here: when (``livecover.playing``).
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator

from engine.system.command import say
from livecover.instrument.instrument import Instrument
from livecover.panel.status_message import status_message


@contextlib.contextmanager
def json_lines() -> Iterator[Callable[[Instrument], None]]:
    """Yield a function that writes a line about the instrument."""

    def show(instrument: Instrument) -> None:
        say(json.dumps(status_message(instrument, time.perf_counter()), allow_nan=False))

    yield show


def text_lines(*lines: str) -> list[str]:
    """Return lines of text as lines of JSON.

    >>> text_lines("Ctrl-C stops")
    ['{"type": "text", "text": "Ctrl-C stops"}']
    """
    return [json.dumps({"type": "text", "text": line}) for line in lines]
