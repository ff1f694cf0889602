"""Beats of recordings that nobody annotated: those on which two offline trackers agree.

librosa's dynamic programming (ISC, the extra ``pairs``) and essentia's RhythmExtractor2013 (AGPL,
the extra ``evaluate``) are methods of different kinds. Not here: what is learned from such beats
(``recordings``) or evaluated against them (``evaluation.beats``). Samples are mono at 16 kHz, times
in seconds.
"""

import importlib
from typing import Any

import mir_eval
import numpy as np
import soxr
from numpy.typing import NDArray

from engine.core.errors import ConfigError
from engine.system.extras import needs
from offline_train.data.sound_files import SAMPLE_RATE

Array = NDArray[np.float32]
Times = NDArray[np.float64]

ESSENTIA_LATE_S = 0.02  # against true beats of rendered songs, median
MOST_APART_S = 0.06
NEAR_S = 0.07
LIBROSA_RATE, ESSENTIA_RATE = 22050, 44100


def agreed_beats(samples: Array) -> tuple[Times, float]:
    """Return the beats (n,) on which the trackers agree, and the F-measure of the two.

    Raises
    ------
    ConfigError
        If one of them is not installed.
    """
    return agreement_of(essentia_beats(samples), librosa_beats(samples))


def agreement_of(ours: Times, theirs: Times) -> tuple[Times, float]:
    """Return those of our beats (n,) that theirs confirm, and the F-measure of the two.

    Theirs may be late or early by a constant, as far as ``MOST_APART_S``: trackers differ in what
    of an attack they call its time.
    """
    if not len(ours) or not len(theirs):
        return np.zeros(0), 0.0
    shifts = np.arange(-MOST_APART_S, MOST_APART_S + 1e-6, 0.01)
    scores = np.array([mir_eval.beat.f_measure(ours, theirs + shift) for shift in shifts])
    if not scores.any():
        return np.zeros(0), 0.0
    best = shifts[scores == scores.max()]
    apart = np.abs(ours[:, None] - (theirs + best[np.abs(best).argmin()])).min(1)
    return ours[apart <= NEAR_S], float(scores.max())


def essentia_beats(samples: Array) -> Times:
    """Return the beats (n,) by essentia's RhythmExtractor2013. ConfigError without it."""
    essentia = _imported("essentia.standard", "evaluate")
    sound = soxr.resample(samples, SAMPLE_RATE, ESSENTIA_RATE).astype(np.float32)
    beats = essentia.RhythmExtractor2013(method="multifeature")(sound)[1]
    return np.asarray(beats, np.float64) - ESSENTIA_LATE_S


def librosa_beats(samples: Array) -> Times:
    """Return the beats (n,) by librosa. ConfigError without it."""
    librosa = _imported("librosa", "pairs")
    sound = soxr.resample(samples, SAMPLE_RATE, LIBROSA_RATE).astype(np.float32)
    _, beats = librosa.beat.beat_track(y=sound, sr=LIBROSA_RATE, units="time", trim=False)
    return np.asarray(beats, np.float64)


def _imported(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(needs(f"beats of recordings need {error.name}", extra)) from error
