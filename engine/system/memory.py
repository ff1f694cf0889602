"""Memory that is given back to the system once it is free."""

import ctypes
import sys
from contextlib import suppress

M_MMAP_THRESHOLD = -3  # of mallopt(3)
LARGE_BYTES = 128 * 1024


def give_large_blocks_back() -> None:
    """Let glibc give each large block back at once, where it is what allocates.

    By itself it keeps ever larger ones, up to 32 MB each, which a program that runs for hours
    then holds in pieces.
    """
    if sys.platform != "linux":
        return
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
