"""A JACK client that records MIDI and sound: ``python jack_recorder.py NAME FOLDER``.

Its ports are ``NAME:midi`` and ``NAME:audio``. Each MIDI message is a line of ``midi.jsonl`` as
soon as it has come: ``t`` is the ``perf_counter`` of its cycle (one clock for all processes of a
Linux machine), ``sample`` its place in the sound, ``data`` its bytes. ``connections`` names the
ports that ``NAME:midi`` is connected to. At SIGTERM, or when the server goes, the sound (n,)
float32 is saved as ``audio.npy``. A process of its own, so that a test can kill it, or the server,
as a crash would.
"""

import json
import queue
import signal
import sys
import threading
import time
from pathlib import Path

import jack
import numpy as np

FLUSH_EVERY = 0.05  # seconds between two looks at the stop


def record(name: str, folder: Path) -> None:
    """Record until SIGTERM or the server's end."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    client = jack.Client(name, no_start_server=True)
    audio_in = client.inports.register("audio")
    midi_in = client.midi_inports.register("midi")
    blocks: list[bytes] = []
    messages: queue.SimpleQueue[tuple[float, int, bytes]] = queue.SimpleQueue()
    has_gone = threading.Event()
    n_samples = 0

    def process(n: int) -> None:
        nonlocal n_samples
        now = time.perf_counter()
        for offset, data in midi_in.incoming_midi_events():
            messages.put((now, n_samples + offset, bytes(data)))
        blocks.append(bytes(audio_in.get_buffer()))
        n_samples += n

    def shutdown(status: object, reason: str) -> None:
        has_gone.set()
        stop.set()

    client.set_process_callback(process)
    client.set_shutdown_callback(shutdown)
    client.activate()
    with (folder / "midi.jsonl").open("w") as lines:
        while not stop.is_set() or not messages.empty():
            try:
                t, sample, data = messages.get(timeout=FLUSH_EVERY)
            except queue.Empty:
                if not has_gone.is_set():
                    ports = [port.name for port in client.get_all_connections(midi_in)]
                    (folder / "connections").write_text("\n".join(ports))
                continue
            lines.write(json.dumps({"t": t, "sample": sample, "data": list(data)}) + "\n")
            lines.flush()
    np.save(folder / "audio.npy", np.frombuffer(b"".join(blocks), np.float32))
    if not has_gone.is_set():
        client.deactivate()
        client.close()


if __name__ == "__main__":
    record(sys.argv[1], Path(sys.argv[2]))
