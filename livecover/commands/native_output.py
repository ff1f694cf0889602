"""Keeps what C libraries write to stderr off the terminal.

libjack, ALSA and PortAudio write there when a server or a device is not what they hoped for, which
is no error of the user's and tears the status line. Nothing else of the program is touched.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

STDERR = 2


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Send file descriptor 2 to nowhere while ``sys.stderr`` goes on where it went.

    Does nothing where ``sys.stderr`` is not descriptor 2 (a caller has replaced it).
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
        with contextlib.suppress(OSError):  # a full disk, or nobody reads it any more
            own.flush()
        os.dup2(kept, STDERR)
        sys.stderr = python
        with contextlib.suppress(OSError):
            own.close()
