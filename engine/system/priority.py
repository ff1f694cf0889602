"""Real-time priority for the calling thread, where the system allows it."""

import logging
import os
import sys

log = logging.getLogger(__name__)


def raise_thread_priority() -> bool:
    """Make the calling thread a real-time one where the system lets it; return whether it did."""
    if sys.platform != "linux":
        return False
    try:
        # On Linux a pid of 0 means the calling thread, not the process (sched(7)).
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(10))
    except OSError as error:
        log.debug("this thread keeps its ordinary priority: %s", error)
        return False
    return True
