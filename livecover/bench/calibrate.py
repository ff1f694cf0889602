"""How exactly a way out is measured: clicks through a real server, heard back after a known delay.

The known delay is a delay line of whole samples between a real loopback and who listens; of a
piano, one in that piano. As the end-to-end tests have it (so a checkout is needed). Times are
milliseconds.
"""

import tempfile
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.loopback.pulse import PulseMonitor
from engine.playback.calibration import measure_output
from engine.playback.outputs.opening import open_output
from engine.playback.playback_thread import PlaybackThread
from engine.signal.clock import StreamClock
from engine.signal.rings import SampleRing
from livecover.bench import markdown, require_servers
from livecover.bench.monitor import environment

DELAYS_MS = (0, 20, 80, 200)
QUANTUM = 256
N_NOTES = 24


class DelayedRing(SampleRing):
    """A ring whose sound is later by a whole number of samples."""

    def __init__(self, ring: SampleRing, n_samples: int) -> None:
        super().__init__(1, ring.n_channels)
        self._ring = ring
        self._line = np.zeros((n_samples, ring.n_channels), np.float32)

    @property
    def total_written(self) -> int:
        """Of the ring that it fills."""
        return self._ring.total_written

    def write(self, block: NDArray[np.float32]) -> int:
        """Write what came so long before."""
        line = np.concatenate([self._line, block])
        self._line = line[len(block) :].copy()
        return self._ring.write(line[: len(block)])


class DelayedMonitor(PulseMonitor):
    """A sink's monitor, later by ``delay`` seconds to a sample."""

    delay = 0.0

    def start(self, ring: SampleRing, clock: StreamClock) -> None:
        """As any source."""
        super().start(DelayedRing(ring, round(self.delay * self.sample_rate)), clock)


def table() -> str:
    """Return a row for each known delay: what was measured."""
    require_servers()
    from tests.e2e.servers import pulse_server

    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
        with (
            pulse_server(Path(folder), ("speakers",), sink_options="norewinds=1") as pulse,
            environment(pulse.env),
        ):
            playback = PlaybackThread(open_output("speakers"), lambda: open_output("speakers"))
            try:
                for known in DELAYS_MS:
                    source = DelayedMonitor("speakers.monitor")
                    source.delay = known / 1000
                    found = measure_output(playback, source, threading.Event())
                    low, middle, high = (1000 * x for x in (found.low, found.seconds, found.high))
                    figures = [f"{middle:.2f}", f"{middle - known:+.2f}", f"{low:.2f} {high:.2f}"]
                    rows.append([known, *figures, found.n_heard])
            finally:
                playback.shut_down()
    rows += _piano()
    columns = ["measured, ms", "off, ms", "5th and 95th percentile", "clicks heard"]
    return markdown(["known delay, ms", *columns], rows)


def _piano() -> list[list[object]]:
    """Return the same of a piano on PipeWire, less what it takes without a delay."""
    from tests.e2e.pipewire import pipewire_server
    from tests.e2e.slow_piano import measured

    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
        work = Path(folder)
        with pipewire_server(work) as server, environment(server.env):
            server.set("force-quantum", QUANTUM)
            least, *slower = measured(work, server, DELAYS_MS, N_NOTES)
            for known, way_out in zip(DELAYS_MS[1:], slower, strict=True):
                found = 1000 * (way_out - least)
                row = [f"{found:.2f}", f"{found - known:+.2f}", "", N_NOTES]
                rows.append([f"{known}, a piano on PipeWire", *row])
    return rows
