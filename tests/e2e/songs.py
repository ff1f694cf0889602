"""Songs for the tests: a tune of clear notes made here, and the bundled example cut short."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

EXAMPLE = Path(__file__).parents[2] / "livecover" / "examples" / "auld-lang-syne.ogg"
TUNE = (60, 64, 67, 72, 69, 65, 62, 60)
STEP = 0.5  # seconds from one note of the tune to the next
SAMPLE_RATE = 44100
TAIL = 2.0  # seconds of silence after a song: longer than any latency, so that all notes end in it

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Song:
    """A WAV file, its samples (n,) mono, and where the tune's notes begin in it (seconds)."""

    path: Path
    samples: Samples
    sample_rate: int
    onsets: tuple[tuple[float, int], ...] = ()

    @property
    def duration(self) -> float:
        return len(self.samples) / self.sample_rate


def tone(pitch: int, seconds: float, sample_rate: int = SAMPLE_RATE) -> Samples:
    """Return a struck tone of eight harmonics that decays, as a piano's does."""
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    f0 = 440.0 * 2.0 ** ((pitch - 69) / 12)
    harmonics = [h for h in range(1, 9) if h * f0 < sample_rate / 2]
    wave = sum(np.exp(-h * t) * np.sin(2 * np.pi * h * f0 * t) / h**1.5 for h in harmonics)
    edges = np.minimum(1, t / 0.004) * np.minimum(1, (seconds - t) / 0.03)
    return np.asarray(0.35 * edges * wave, np.float32)


def tune(pitches: Sequence[int] = TUNE, step: float = STEP, lead: float = 0.5) -> Samples:
    """Return the tones of ``pitches`` one after the other, silence of ``lead`` seconds before."""
    parts = [np.zeros(round(lead * SAMPLE_RATE), np.float32)]
    return np.concatenate([*parts, *(tone(pitch, step) for pitch in pitches)])


def _write(path: Path, samples: Samples, onsets: Sequence[tuple[float, int]]) -> Song:
    samples = np.concatenate([samples, np.zeros(round(TAIL * SAMPLE_RATE), np.float32)])
    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
    return Song(path, samples, SAMPLE_RATE, tuple(onsets))


def tune_song(path: Path, pitches: Sequence[int] = TUNE, step: float = STEP) -> Song:
    """Write the tune as a song."""
    onsets = [(0.5 + k * step, pitch) for k, pitch in enumerate(pitches)]
    return _write(path, tune(pitches, step), onsets)


def long_note_song(path: Path) -> Song:
    """Write a song of four chords, each held for three seconds."""
    chords = [(48, 60, 64, 67), (53, 60, 65, 69), (55, 59, 62, 67), (48, 60, 64, 67)]
    held = [sum((0.5 * tone(p, 3.0) for p in chord), np.float32(0)) for chord in chords]
    lead = np.zeros(SAMPLE_RATE // 2, np.float32)
    onsets = [(0.5 + 3 * k, p) for k, chord in enumerate(chords) for p in chord]
    return _write(path, np.concatenate([lead, *held]).astype(np.float32), onsets)


def whole_example(path: Path) -> Song:
    """Write the bundled song, whole: a band that keeps a steady beat."""
    samples, sample_rate = soundfile.read(EXAMPLE, dtype="float32", always_2d=True)
    assert sample_rate == SAMPLE_RATE
    return _write(path, samples.mean(axis=1), [])


def example_song(path: Path, seconds: float = 12.0, start: float = 8.0) -> Song:
    """Write an excerpt of the bundled song, then the tune, as one song."""
    samples, sample_rate = soundfile.read(EXAMPLE, dtype="float32", always_2d=True)
    assert sample_rate == SAMPLE_RATE, "the example's rate: cut it without resampling"
    part = samples[round(start * sample_rate) :][: round(seconds * sample_rate)].mean(axis=1)
    fade = round(0.05 * sample_rate)
    part[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
    part[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    gap = np.zeros(sample_rate, np.float32)
    begin = seconds + 1.0 + 0.5
    onsets = [(begin + k * STEP, pitch) for k, pitch in enumerate(TUNE)]
    return _write(path, np.concatenate([part, gap, tune()]), onsets)
