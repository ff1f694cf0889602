"""The inputs of the two networks: a spectrum of sound, a piano roll of notes, both in real time.

The paper cuts four beats into 96 columns and their sound into about 172 frames: at 120 beats a
minute that is two seconds. Here a window is two seconds whatever the tempo, so that neither a song
nor a folder of MIDI needs beats. Spectrum: librosa's CQT, 128 bins, 16 an octave, from 30 Hz, as
printed; a logarithm, then each window at mean 0 and deviation 1, so that loudness does not tell.

Shapes: n samples at 16 kHz, T frames, F = 128 bins, P = 128 pitches, C columns.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError
from engine.system.extras import needs
from models.papers.embedding import ROLL_PITCHES

Array = NDArray[np.float32]

SAMPLE_RATE = 16000
HOP = 192  # samples: 12 ms
FRAME_S = HOP / SAMPLE_RATE
N_BINS = 128
BINS_PER_OCTAVE = 16
MIN_HZ = 30.0
FLOOR = 1e-3
WINDOW_S = 2.0
N_COLUMNS = 96
N_FRAMES = round(WINDOW_S / FRAME_S)


@cache
def _librosa() -> Any:
    if find_spec("librosa") is None:
        raise DataError(needs("matching needs librosa", "match"))
    return import_module("librosa")


def spectrum(samples: Array) -> NDArray[np.float16]:
    """Return log magnitudes (T, F) of a waveform (n,); frame t is centred on t * 12 ms.

    Raises
    ------
    DataError
        If librosa is not installed, or the sound is shorter than a window.
    """
    if len(samples) < WINDOW_S * SAMPLE_RATE:
        raise DataError(
            f"expected at least {WINDOW_S:g} s of sound, got {len(samples) / SAMPLE_RATE:.2f} s"
        )
    magnitudes = np.abs(
        _librosa().cqt(
            np.asarray(samples, np.float32),
            sr=SAMPLE_RATE,
            hop_length=HOP,
            fmin=MIN_HZ,
            n_bins=N_BINS,
            bins_per_octave=BINS_PER_OCTAVE,
        )
    )
    return np.asarray(np.log(magnitudes.T + FLOOR), np.float16)


def sound_window(frames: NDArray[np.floating[Any]], first: int, semitones: int = 0) -> Array:
    """Return the window (F, 167) from frame ``first`` of a spectrum (T, F), moved in pitch.

    A semitone is 4/3 of a bin: what lies between bins is interpolated, and what the shift
    uncovers repeats the border. Frames past the end are silence.
    """
    window = np.full((N_FRAMES, N_BINS), np.log(FLOOR), np.float32)
    part = np.asarray(frames[max(first, 0) : first + N_FRAMES], np.float32)
    at = max(-first, 0)
    window[at : at + len(part)] = part
    if semitones:
        bins = np.clip(np.arange(N_BINS) - semitones * BINS_PER_OCTAVE / 12, 0, N_BINS - 1)
        low = np.minimum(bins.astype(int), N_BINS - 2)
        high_share = (bins - low).astype(np.float32)
        window = window[:, low] * (1 - high_share) + window[:, low + 1] * high_share
    window -= window.mean()
    return np.ascontiguousarray((window / max(float(window.std()), 1e-3)).T)


def roll_window(
    notes: Array, start: float, semitones: int = 0, window_s: float = WINDOW_S
) -> NDArray[np.uint8]:
    """Return the roll (P, C) of notes (n, >= 3: onset, offset, pitch) from second ``start`` on.

    A cell is 1 while the note sounds; the column before a note is struck again is 0, so that it
    reads as two.
    """
    columns_a_second = N_COLUMNS / window_s
    roll = np.zeros((ROLL_PITCHES, N_COLUMNS), np.uint8)
    near = notes[(notes[:, 1] > start) & (notes[:, 0] < start + window_s)]
    for onset, offset, pitch in near[np.argsort(near[:, 0], kind="stable"), :3]:
        row = round(float(pitch)) + semitones
        if not 0 <= row < ROLL_PITCHES:
            continue
        first = round((float(onset) - start) * columns_a_second)
        last = max(round((float(offset) - start) * columns_a_second), first + 1)
        if 0 < first <= N_COLUMNS:
            roll[row, first - 1] = 0
        roll[row, max(first, 0) : max(last, 0)] = 1
    return roll
