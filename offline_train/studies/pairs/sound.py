"""Reads a recording and measures what it is aligned by: chroma, note onsets, spectral flux.

Dimensions: n samples, N frames at ``CHROMA_RATE``, M frames at ``ONSET_RATE``. Frame k is at
k / rate seconds of the file. Pitch filters, chroma and peaks are synctoolbox's (Mueller et al.,
JOSS 2021); onsets are normalised locally as its DLNCO are (Ewert, Mueller, Grosche, ICASSP 2009),
but blurred evenly in time and not decaying, since they are correlated and not compared.
"""

import contextlib
import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, median_filter

from engine.audio.files.file_source import FileSource
from engine.core.errors import DataError
from engine.signal.conditioning import conditioned
from engine.signal.stereo import middle_of
from engine.system.extras import needs

Array = NDArray[np.float32]

SAMPLE_RATE = 22050  # what synctoolbox's filters are made for
CHROMA_RATE = 50
ONSET_RATE = 100
MIN_SECONDS = 20.0
MAX_SECONDS = 1200.0
FLUX_BANDS = (0, 14, 28, 48, 80)  # of 80 mel bands: bass, low, middle and high
SILENCE_DB = 45.0  # below the loud tenth of a recording
APPLAUSE_FLATNESS = 0.25  # white noise has 0.56; dense music stays below 0.15
ONSET_BLUR = 0.015  # seconds, one standard deviation
FLUX_BLUR = 0.010
TRIM_RATE = 10  # frames a second that silence and applause are looked for in


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording's features, and where in it the music is."""

    seconds: float
    start: float  # of the music: what lies before is silence or applause
    end: float
    tuning_cents: float
    chroma: Array  # (12, N), quantised as CENS is, 0 to 1
    onsets: Array  # (12, M), each pitch class's note onsets, locally normalised
    flux: Array  # (4, M), rise of energy in four bands, locally normalised


def read_mono(path: Path, sample_rate: int = SAMPLE_RATE) -> Array:
    """Return a file's samples (n,) in mono at ``sample_rate``.

    Raises
    ------
    DeviceError
        If the file is missing, broken or no audio.
    DataError
        If it is shorter or longer than a song.
    """
    source = FileSource(path, paced=False)
    if not MIN_SECONDS <= source.duration <= MAX_SECONDS:
        raise DataError(
            f"{path}: expected {MIN_SECONDS:g} s to {MAX_SECONDS / 60:g} min of audio, "
            f"got {source.duration:.1f} s"
        )
    mono = middle_of(conditioned(source.part(0.0), source.sample_rate))
    if len(mono) < MIN_SECONDS * source.sample_rate:
        raise DataError(
            f"{path}: the file is cut short or broken after {len(mono) / source.sample_rate:.1f} s"
        )
    return np.asarray(soxr.resample(mono, source.sample_rate, sample_rate), np.float32)


def music_range(samples: Array) -> tuple[float, float]:
    """Return the seconds at which the music of samples (n,) begins and ends.

    Leading and trailing stretches are left out that are silent (``SILENCE_DB`` below the loud
    parts) or noise without pitch, such as applause (spectral flatness from 100 Hz to 5 kHz, median
    over a second). Without any music: (0, 0).
    """
    import librosa

    hop = SAMPLE_RATE // TRIM_RATE
    power = np.abs(librosa.stft(samples, n_fft=4096, hop_length=hop)) ** 2
    low, high = (round(f * 4096 / SAMPLE_RATE) for f in (100, 5000))
    level = 10 * np.log10(power.sum(0) + 1e-9)
    flatness = librosa.feature.spectral_flatness(S=power[low:high], power=1.0)[0]
    flatness = median_filter(flatness, TRIM_RATE + 1, mode="nearest")
    is_sound = level > np.percentile(level, 90) - SILENCE_DB
    is_music = is_sound & (flatness < APPLAUSE_FLATNESS) & (level > -50)
    frames = np.flatnonzero(median_filter(is_music.astype(np.uint8), 5, mode="constant"))
    if not len(frames):
        return 0.0, 0.0
    seconds = len(samples) / SAMPLE_RATE
    return frames[0] / TRIM_RATE, min((frames[-1] + 1) / TRIM_RATE, seconds)


def require_synctoolbox() -> None:
    """Raise DataError, saying what to install, unless synctoolbox is there."""
    if importlib.util.find_spec("synctoolbox") is None:
        raise DataError(needs("aligning a recording needs synctoolbox", "pairs"))


def measure(samples: Array) -> Recording:
    """Return the features of samples (n,) at ``SAMPLE_RATE``.

    Raises
    ------
    DataError
        If there is no music in them, or synctoolbox is not installed.
    """
    require_synctoolbox()
    from synctoolbox.feature.chroma import pitch_to_chroma, quantize_chroma
    from synctoolbox.feature.pitch import audio_to_pitch_features
    from synctoolbox.feature.pitch_onset import audio_to_pitch_onset_features
    from synctoolbox.feature.utils import estimate_tuning

    start, end = music_range(samples)
    if end - start < MIN_SECONDS:
        raise DataError(f"expected {MIN_SECONDS:g} s of music, found {end - start:.1f} s")
    audio = samples.astype(np.float64)
    tuning = estimate_tuning(audio, SAMPLE_RATE)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a dot for each pitch
        pitch = audio_to_pitch_features(
            audio, SAMPLE_RATE, feature_rate=CHROMA_RATE, tuning_offset=tuning
        )
        peaks = audio_to_pitch_onset_features(audio, SAMPLE_RATE, tuning_offset=tuning)
    chroma = quantize_chroma(pitch_to_chroma(pitch))
    n_frames = chroma.shape[1] * ONSET_RATE // CHROMA_RATE
    return Recording(
        len(samples) / SAMPLE_RATE,
        start,
        end,
        float(tuning),
        chroma.astype(np.float32),
        _onset_chroma(peaks, n_frames),
        _flux(samples, n_frames),
    )


def _onset_chroma(peaks: dict[int, NDArray[np.float64]], n_frames: int) -> Array:
    """Return (12, M) from synctoolbox's peaks (2, k, 1) a pitch: milliseconds and height."""
    onsets = np.zeros((12, n_frames))
    for pitch, peak in peaks.items():
        frames = np.round(peak[0].ravel() * ONSET_RATE / 1000).astype(int)
        inside = frames < n_frames
        height = np.log1p(1e4 * peak[1].ravel())
        np.add.at(onsets[pitch % 12], frames[inside], height[inside])
    local = maximum_filter1d(np.linalg.norm(onsets, axis=0), round(0.8 * ONSET_RATE))
    onsets = onsets / np.maximum(local, 0.1)
    return np.asarray(gaussian_filter1d(onsets, ONSET_BLUR * ONSET_RATE, axis=1), np.float32)


def _flux(samples: Array, n_frames: int) -> Array:
    """Return (4, M): the rise of log mel energy in bands, above its local mean, peaks near 1."""
    import librosa

    hop = SAMPLE_RATE // ONSET_RATE  # 220: frames are put on the exact grid below
    rise = librosa.onset.onset_strength_multi(
        y=samples, sr=SAMPLE_RATE, hop_length=hop, n_mels=FLUX_BANDS[-1], channels=list(FLUX_BANDS)
    )
    at, wanted = np.arange(rise.shape[1]) * hop / SAMPLE_RATE, np.arange(n_frames) / ONSET_RATE
    flux = np.stack([np.interp(wanted, at, band, right=0.0) for band in rise])
    flux = np.maximum(flux - gaussian_filter1d(flux, 0.5 * ONSET_RATE, axis=1), 0)
    flux /= maximum_filter1d(flux, 2 * ONSET_RATE, axis=1) + 1e-6
    return np.asarray(gaussian_filter1d(flux, FLUX_BLUR * ONSET_RATE, axis=1), np.float32)
