"""A piano on PipeWire that is as slow as one says, and its way out as livecover measures it."""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from engine.audio.loopback.opening import open_loopback
from engine.core.settings import AudioSettings
from engine.midi.port_sink import PortSink
from engine.playback.calibration import measure_port
from tests.e2e.chain import PORT
from tests.e2e.pipewire import PipeWireServer
from tests.e2e.processes import Process, wait_until
from tests.e2e.servers import SINK

SYNTH = Path(__file__).with_name("jack_click_synth.py")


def measured(
    work: Path, server: PipeWireServer, milliseconds: Sequence[float], n_notes: int = 10
) -> list[float]:
    """Return the way out of a piano that is so slow, for each of the numbers.

    It is one piano, since another may have another place in the graph: a period later or sooner.
    """
    command = [sys.executable, str(SYNTH), "piano", *map(str, milliseconds)]
    port = PortSink("LiveCover")
    synth = Process.start("piano", command, work, server.jack.env)
    try:
        wait_until("a piano", lambda: "ready" in synth.text(), processes=[synth])
        server.jack.wait_for_port("piano:midi", synth)
        server.jack.wait_for_port(PORT)
        server.jack.connect(PORT, "piano:midi")
        connect_to_sink(server, "piano:audio")
        found = []
        for channel in range(1, len(milliseconds) + 1):
            source = open_loopback(AudioSettings())
            way_out = measure_port(port, source, threading.Event(), n_notes, channel)
            found.append(way_out.seconds)
        return found
    finally:
        synth.stop()
        port.close()


def connect_to_sink(server: PipeWireServer, port: str) -> None:
    """Let a JACK client play to the default sink."""
    env = {**os.environ, **server.jack.env}
    listed = subprocess.run(["jack_lsp"], env=env, capture_output=True, text=True, timeout=60)
    inputs = [name for name in listed.stdout.splitlines() if SINK in name and "playback" in name]
    assert inputs, listed
    for name in inputs:
        server.jack.connect(port, name)
