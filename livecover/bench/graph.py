"""How long PipeWire's graph takes with MIDI, and how long livecover says that it takes.

On a real server, as the end-to-end tests have it (so a checkout is needed). Times are milliseconds.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import NoteEvent
from engine.midi.port_sink import PortSink
from livecover.bench import markdown, require_servers
from livecover.bench.monitor import environment

QUANTA = (64, 256, 1024, 2048)
RATE = 48000  # PipeWire's own
EVERY_S = 0.017
"""Seconds between two notes; no quantum's length is a multiple."""


def table(n_notes: int) -> str:
    """Return a row for each quantum: what is declared, and what notes took."""
    require_servers()
    from tests.e2e.chain import PORT, pipewire_chain
    from tests.e2e.processes import wait_until

    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory(prefix="livecover-") as folder:
        with pipewire_chain(Path(folder)) as chain, environment(chain.env):
            sink = PortSink("LiveCover")
            try:
                chain.jack.wait_for_port(PORT)
                chain.jack.connect(PORT, "recorder:midi")
                for quantum in QUANTA:
                    chain.pipewire.set("force-quantum", quantum)
                    declared = quantum / RATE / 2
                    wait_until("it", lambda: abs(sink.latency - declared) < 1e-6)  # noqa: B023
                    path = chain.recorder.folder / "midi.jsonl"
                    took = 1000 * _delays(sink, path, n_notes)
                    low, middle, high = np.quantile(took, [0.05, 0.5, 0.95])
                    figures = [
                        f"{1000 * sink.latency:.1f}",
                        f"{middle:.1f}",
                        f"{low:.1f} {high:.1f}",
                    ]
                    rows.append([quantum, *figures, f"{len(took)} of {n_notes}"])
            finally:
                sink.close()
    columns = ["declared, ms", "median, ms", "5th and 95th percentile", "notes"]
    return markdown(["quantum, samples", *columns], rows)


def _delays(sink: PortSink, path: Path, n_notes: int) -> NDArray[np.float64]:
    """Return the seconds that notes took to a recorder, which writes its lines to ``path``."""
    n_before = len(path.read_text().splitlines())
    sent = []
    for number in range(n_notes):
        sent.append(time.perf_counter())
        sink.send(NoteEvent(0.0, 60, 64 + number % 2))
        time.sleep(EVERY_S)
    time.sleep(0.5)  # for the recorder's file
    lines = path.read_text().splitlines()[n_before:]
    came = [json.loads(line)["t"] for line in lines][:n_notes]
    delays: NDArray[np.float64] = np.array(came) - np.array(sent[: len(came)])
    return delays
