"""What is heard in sound that is no music, a mains hum or a fan: notes, sleep, and what it costs.

Covers are free.
"""

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import notes_of
from engine.core.settings import EngineSettings, ModelSettings
from engine.cover.stream import CoverStream, open_pipeline
from livecover.bench import markdown

Array = NDArray[np.float32]

RATE = 16000
BLOCK = 256
PARTIALS = ((1, 1.0), (2, 0.6), (3, 0.5), (4, 0.2), (5, 0.3), (7, 0.15), (9, 0.1))
PEAKS_DBFS = (-72, -60, -50, -40)


def sounds(seconds: float) -> Iterator[tuple[str, Array]]:
    """Yield a name and samples (n,) with a peak of 1."""
    t = np.arange(round(seconds * RATE)) / RATE
    for hz in (50, 60):
        partials = [a * np.sin(2 * np.pi * hz * k * t + k) for k, a in PARTIALS]
        yield f"hum of {hz} Hz", normal(np.sum(partials, axis=0))
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(len(t)))
    hertz = np.maximum(np.fft.rfftfreq(len(t), 1 / RATE), 20.0)
    yield "a fan (pink noise)", normal(np.fft.irfft(spectrum / np.sqrt(hertz), len(t)))


def normal(sound: NDArray[np.float64]) -> Array:
    """Return a sound with a peak of 1."""
    return np.asarray(sound / np.abs(sound).max(), np.float32)


def table(model: str, seconds: float) -> str:
    """Return notes, the share of time asleep, and the processor's share, by peak level."""
    pipeline = open_pipeline(ModelSettings(model))
    rows: list[list[object]] = []
    for name, sound in sounds(seconds):
        for dbfs in PEAKS_DBFS:
            stream = CoverStream(pipeline, EngineSettings(), RATE, 1)
            samples = (sound * np.float32(10 ** (dbfs / 20)))[:, None]
            start, events, n_asleep = time.process_time(), [], 0
            for k in range(0, len(samples), BLOCK):
                events += stream.push(samples[k : k + BLOCK])
                n_asleep += stream.is_asleep
            load = (time.process_time() - start) / seconds
            n_notes = sum(note.is_on for note in notes_of([*events, *stream.finish()]))
            asleep = n_asleep * BLOCK / len(samples)
            rows.append([name, dbfs, n_notes, f"{asleep:.0%}", f"{load:.1%}"])
    headings = [f"{seconds:g} s of, covered free", "peak, dBFS", "notes", "asleep", "processor"]
    return markdown(headings, rows)
