"""Processes that work for this one: they end with it, and at once where it is interrupted.

A terminal sends Ctrl-C to every process, and a scheduler of batch jobs SIGTERM: what becomes of the
work is this one's to say. Not here: what is done there.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Event

LOOK_EVERY_S = 0.5


@contextlib.contextmanager
def worker_pool(n: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of ``n`` processes; what was not begun is given up when the context ends early.

    What has begun is, too, at Ctrl-C or SIGTERM.
    """
    stop = multiprocessing.Event()
    pool = ProcessPoolExecutor(n, initializer=_follow, initargs=(stop,))
    try:
        yield pool
    except (KeyboardInterrupt, GeneratorExit):
        stop.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def ignore_interrupts(_worker: int = 0) -> None:
    """Let this process live through Ctrl-C and SIGTERM, which its parent gets as well."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _follow(stop: Event) -> None:
    """Have this process end with its parent, or once it is told to."""
    ignore_interrupts()
    threading.Thread(target=_end_with, args=(stop,), name="follow", daemon=True).start()


def _end_with(stop: Event) -> None:
    parent = multiprocessing.parent_process()
    while not stop.wait(LOOK_EVERY_S) and (parent is None or parent.is_alive()):
        pass
    os._exit(1)
