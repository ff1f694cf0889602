"""The cover's notes: transcribed in the cover's time, then moved onto the song's."""

from collections.abc import Callable

import numpy as np
import soxr
from numpy.typing import NDArray

from offline_train.studies.pairs.align import Alignment

Array = NDArray[np.float32]
Transcriber = Callable[[Array, int], Array]
"""(mono samples (n,), sample rate) -> notes (m, 5): onset, offset, pitch, velocity, is_melody."""


def open_transcriber(name: str, style: str = "balanced") -> Transcriber:
    """Return basic-pitch, or a model of ours played by the engine.

    Raises
    ------
    DataError, ModelError, ConfigError
        If basic-pitch is not installed, or there is no such model or style.
    """
    if name == "basic-pitch":
        from offline_train.data.teacher import Teacher

        return Teacher().notes
    from engine.model.pipeline import load_pipeline
    from offline_train.evaluation.songs.reference_song import SAMPLE_RATE as MODEL_RATE
    from offline_train.evaluation.systems import decode, listen

    pipeline = load_pipeline(name)
    spec = pipeline.spec

    def transcribe(samples: Array, sample_rate: int) -> Array:
        resampled = np.asarray(soxr.resample(samples, sample_rate, MODEL_RATE), np.float32)
        return decode(listen(pipeline, resampled, style), spec.features.frame_s, spec.decoding)

    return transcribe


def warp_notes(notes: Array, alignment: Alignment) -> Array:
    """Return a cover's notes (n, 5) at the song's times, pitch and key, those on the song alone."""
    warped = notes.copy()
    warped[:, 0] = alignment.to_song(notes[:, 0].astype(np.float64))
    warped[:, 1] = alignment.to_song(notes[:, 1].astype(np.float64))
    warped[:, 2] -= alignment.transposition
    first, last = alignment.song_times[0], alignment.song_times[-1]
    inside = (warped[:, 0] >= max(first, 0.0)) & (warped[:, 0] < last)
    inside &= (warped[:, 2] >= 21) & (warped[:, 2] <= 108)
    warped = warped[inside]
    return np.asarray(warped[np.lexsort((warped[:, 2], warped[:, 0]))], np.float32)
