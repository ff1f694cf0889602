"""Hides what C libraries write to stderr.

libjack, ALSA and PortAudio write there about missing servers and devices, which are not errors
here, and break the status line. Python's own stderr is not changed.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

STDERR = 2


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Redirect file descriptor 2 to the null device, but not ``sys.stderr``.

    Does nothing if ``sys.stderr`` is not descriptor 2 (a caller has replaced it).
    """
    try:
        is_ours = sys.stderr.fileno() == STDERR
    except (AttributeError, OSError):
        is_ours = False
    if not is_ours:
        yield
        return
    python = sys.stderr
    python.flush()
    kept = os.dup(STDERR)
    own = open(kept, "w", encoding=python.encoding, errors="backslashreplace", buffering=1)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), STDERR)
    sys.stderr = own
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # a full disk, or a closed pipe
            own.flush()
        os.dup2(kept, STDERR)
        sys.stderr = python
        with contextlib.suppress(OSError):
            own.close()
