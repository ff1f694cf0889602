"""Compares the monitor's delay with the engine's declared latency, on a real server.

As the end-to-end tests have it (``tests/e2e/delay.py``, so a checkout is needed). Times are
seconds, the table in milliseconds.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from engine.core.settings import AudioSettings, EngineSettings, ModelSettings
from engine.live.engine import Engine
from engine.playback.monitor import Monitor
from engine.playback.outputs.opening import open_output
from engine.playback.playback_thread import PlaybackThread
from livecover.bench import markdown, require_servers
from livecover.bench.live import NO_PORT


def delay(model: str, n_impulses: int) -> str:
    """Return how far each impulse came from where the declared latency puts it."""
    require_servers()
    from tests.e2e.delay import HEARD, SONG, delays, room

    with tempfile.TemporaryDirectory(prefix="livecover-") as folder, room(Path(folder)) as place:
        song = place.song(n_impulses)
        settings = EngineSettings(
            audio=AudioSettings(input=f"{SONG}.monitor"), model=ModelSettings(model=model)
        )
        with environment(place.pulse.env), _playback(HEARD) as (playback, monitor):
            with Engine(settings, [playback], open_sink=lambda *_: NO_PORT) as engine:
                with place.recording() as raw, place.pulse.playing(song, SONG) as player:
                    player.wait(600)
                latency = engine.budget.total
            off = 1000 * (delays(raw) - latency)
    rows: list[list[object]] = [
        ["declared latency", f"{1000 * latency:.1f}"],
        ["impulses played, recorded", f"{n_impulses}, {len(off)}"],
        ["delay less latency, median", f"{np.median(off):+.2f}"],
        ["5th and 95th percentile", " ".join(f"{q:+.2f}" for q in np.quantile(off, [0.05, 0.95]))],
        ["share within 1 ms", f"{np.mean(np.abs(off) <= 1.0):.0%}"],
        ["jumps", monitor.n_jumps],
    ]
    return markdown(["monitor", "ms"], rows)


@contextlib.contextmanager
def _playback(sink: str) -> Iterator[tuple[PlaybackThread, Monitor]]:
    """Run a speaker with the monitor alone."""
    playback = PlaybackThread(open_output(sink), lambda: open_output(sink))
    monitor = Monitor(playback.sample_rate)
    playback.play([monitor])
    try:
        yield playback, monitor
    finally:
        playback.shut_down()


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Have ``values`` in the environment."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
