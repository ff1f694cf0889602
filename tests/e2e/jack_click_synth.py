"""A piano of known slowness: ``python jack_click_synth.py NAME MILLISECONDS...``.

A JACK client with the ports ``NAME:midi`` and ``NAME:audio``. Each note-on is a short decaying
tone, so many milliseconds, to a sample, after the begin of the cycle that brings the note: those of
channel 1 the first number, those of channel 2 the second, and so on. A process of its own, as any
synthesizer; ends at SIGTERM.
"""

import signal
import sys
import threading

import jack
import numpy as np

TONE_S, HERTZ = 0.1, 1000.0


def play(name: str, milliseconds: list[float]) -> None:
    """Play until SIGTERM or the server's end."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    client = jack.Client(name, no_start_server=True)
    midi = client.midi_inports.register("midi")
    audio = client.outports.register("audio")
    t = np.arange(round(TONE_S * client.samplerate)) / client.samplerate
    tone = (0.5 * np.exp(-30 * t) * np.cos(2 * np.pi * HERTZ * t)).astype(np.float32)
    delays = [round(ms / 1000 * client.samplerate) for ms in milliseconds]
    waiting = np.zeros(max(delays) + len(tone) + 8192, np.float32)

    def process(n: int) -> None:
        for offset, data in midi.incoming_midi_events():
            status, _, *velocity = bytes(data)
            if status & 0xF0 == 0x90 and velocity[0]:
                start = offset + delays[status & 0x0F]
                waiting[start : start + len(tone)] += tone
        audio.get_array()[:] = waiting[:n]
        waiting[:-n] = waiting[n:].copy()
        waiting[-n:] = 0.0

    client.set_process_callback(process)
    client.set_shutdown_callback(lambda status, reason: stop.set())
    client.activate()
    print("ready", flush=True)
    stop.wait()


if __name__ == "__main__":
    play(sys.argv[1], [float(text) for text in sys.argv[2:]])
