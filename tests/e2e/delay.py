"""The delay of the sync monitor, between two places of one real sink, at the sample.

A sink of four channels, of which two are the song's output and two the monitor's: one recording of
it holds both. Not here: what the delay should be.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from tests.e2e.processes import SAMPLE_RATE
from tests.e2e.servers import PulseServer, pulse_server

MAP = "front-left,front-right,rear-left,rear-right"
SONG, HEARD = "song", "heard"
IMPULSE = 0.8
FIRST, EVERY = 4.0, 0.5  # seconds of the song: until clocks have settled, and between impulses
N_CHANNELS = 4


@dataclass
class Room:
    """Two sinks, ``song`` and ``heard``, that are parts of one."""

    pulse: PulseServer
    work: Path

    @contextlib.contextmanager
    def recording(self) -> Iterator[Path]:
        """Record both; yield the file."""
        raw = self.work / "room.raw"
        command = ["parec", "--device=room.monitor", "--format=float32le", "--raw"]
        command += [f"--channels={N_CHANNELS}", f"--channel-map={MAP}", f"--rate={SAMPLE_RATE}"]
        with raw.open("wb") as file:
            env = {**os.environ, **self.pulse.env}
            recorder = subprocess.Popen(command, env=env, stdout=file)
            try:
                yield raw
            finally:
                recorder.terminate()
                recorder.wait(60)

    def song(self, n_impulses: int) -> Path:
        """Write a song of impulses, with a hum that keeps the engine awake."""
        n = round((FIRST + (n_impulses + 2) * EVERY) * SAMPLE_RATE)
        sound = 0.02 * np.sin(2 * np.pi * 110 * np.arange(n) / SAMPLE_RATE)
        for k in range(n_impulses):
            sound[round((FIRST + k * EVERY) * SAMPLE_RATE)] = IMPULSE
        path = self.work / "impulses.wav"
        soundfile.write(path, np.stack([sound, sound], axis=1), SAMPLE_RATE)
        return path


@contextlib.contextmanager
def room(work: Path) -> Iterator[Room]:
    """Run PulseAudio with the two sinks."""
    with pulse_server(work) as pulse:
        shape = [f"channels={N_CHANNELS}", f"channel_map={MAP}", f"rate={SAMPLE_RATE}"]
        pulse.load("module-null-sink", "sink_name=room", *shape)
        for name, side in ((SONG, "front"), (HEARD, "rear")):
            pulse.load(
                "module-remap-sink",
                *(f"sink_name={name}", "master=room", "channels=2", "remix=no"),
                "channel_map=front-left,front-right",
                f"master_channel_map={side}-left,{side}-right",
            )
        yield Room(pulse, work)


def delays(raw: Path) -> NDArray[np.float64]:
    """Return the seconds from each impulse of the song to the same one in the monitor.

    An impulse that came through the monitor's filter is found by correlation with the song's, to a
    sample; those that were cut off are left out.
    """
    sound = np.fromfile(raw, np.float32).reshape(-1, N_CHANNELS)
    song, heard = (np.abs(sound[:, channel]) for channel in (0, 2))
    found = []
    for start in _peaks(song):
        stop = start + round(EVERY * SAMPLE_RATE)
        near = [peak for peak in _peaks(heard[start:stop])]
        if near:
            found.append(near[0] / SAMPLE_RATE)
    return np.array(found)


def _peaks(level: NDArray[np.float32]) -> list[int]:
    """Return where impulses stand."""
    loud = np.flatnonzero(level > IMPULSE / 4)
    if not len(loud):
        return []
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > 100) + 1)
    return [int(group[np.argmax(level[group])]) for group in groups]
