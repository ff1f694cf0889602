"""Seconds from ``livecover together`` to the first sound, and until all is back after a kill.

As the end-to-end tests have it (``tests/e2e/together.py``, so a checkout is needed).
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from livecover.bench import markdown, require_servers


def table(model: str, n_runs: int) -> str:
    """Return both for PulseAudio, of the median and the slowest run."""
    require_servers()
    from tests.e2e.processes import wait_until
    from tests.e2e.songs import long_note_song
    from tests.e2e.together import desk

    starts, ends = [], []
    for _ in range(n_runs):
        with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
            work = Path(folder)
            song = long_note_song(work / "song.wav")
            with desk(work) as place, place.song(song), place.listening() as listener:
                start = time.perf_counter()
                with place.together("--model", model) as livecover:
                    starts.append(listener.wait(livecover) - start)
                    ends.append(_seconds(livecover.kill, wait_until, place.is_put_back))
    rows: list[list[object]] = [
        ["from the command to the first sound", *_figures(starts)],
        ["from SIGKILL until the player is back and the sink is gone", *_figures(ends)],
    ]
    return markdown(["`livecover together`", "s, median", "s, longest"], rows)


def _seconds(
    kill: Callable[[], None],
    wait_until: Callable[[str, Callable[[], bool]], None],
    is_put_back: Callable[[], bool],
) -> float:
    start = time.perf_counter()
    kill()
    wait_until("all is put back", is_put_back)
    return time.perf_counter() - start


def _figures(seconds: list[float]) -> list[str]:
    return [f"{np.median(seconds):.2f}", f"{max(seconds):.2f}"]
