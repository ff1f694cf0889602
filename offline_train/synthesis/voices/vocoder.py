"""Speech frames to sound by sines and noise, where WORLD's vocoder is not installed.

The harmonics of a pitch, each as strong as the spectral envelope says there, and noise through the
envelope for the aperiodic share: what ``pyworld.synthesize`` makes, with phases that run on in
place of pulses. Frames T of ``frame_ms``; bins from 0 to half the sample rate.
"""

import numpy as np
from numpy.typing import NDArray

Double = NDArray[np.float64]

MOST_HARMONICS = 80


def synthesize(
    f0: Double, power: Double, aperiodicity: Double, sample_rate: int, frame_ms: float
) -> Double:
    """Return the sound (n,) of a pitch in hertz (T,), 0 where there is none, and its envelope.

    ``power`` and ``aperiodicity`` are (T, bins); n is T frames. The noise is the same each time.
    """
    hop = round(frame_ms * sample_rate / 1000)
    return _voiced(f0, power * (1 - aperiodicity), sample_rate, hop) + _noise(
        power * np.where(f0[:, None] > 0, aperiodicity, 1.0), hop
    )


def _voiced(f0: Double, power: Double, sample_rate: int, hop: int) -> Double:
    """Return the harmonics (T hop,)."""
    n_frames, n_bins = power.shape
    out = np.zeros(n_frames * hop)
    if not (f0 > 0).any():
        return out
    at = np.arange(n_frames * hop) / hop
    frames = np.arange(n_frames)
    is_voiced = f0 > 0
    hertz = np.interp(at, frames[is_voiced], f0[is_voiced])
    phase = 2 * np.pi * np.cumsum(hertz) / sample_rate
    lowest = f0[is_voiced].min()
    for k in range(1, min(int(sample_rate / 2 / lowest), MOST_HARMONICS) + 1):
        place = np.minimum(k * f0 / (sample_rate / 2) * (n_bins - 1), n_bins - 1)
        low = np.minimum(place.astype(int), n_bins - 2)
        share = place - low
        strength = power[frames, low] * (1 - share) + power[frames, low + 1] * share
        is_there = is_voiced & (k * f0 < 0.48 * sample_rate)
        # A pulse each period, whose power does not depend on how long that is.
        amplitude = np.where(is_there, 2 * np.sqrt(strength * f0 / sample_rate), 0.0)
        out += np.interp(at, frames, amplitude) * np.sin(k * phase)
    return out


def _noise(power: Double, hop: int) -> Double:
    """Return white noise (T hop,) through an envelope."""
    n_frames, n_bins = power.shape
    size = 2 * (n_bins - 1)
    window = np.hanning(2 * hop + 2)[1:-1]
    white = np.random.default_rng(0).standard_normal((n_frames, 2 * hop)) * window
    shaped = np.fft.irfft(np.fft.rfft(white, size) * np.sqrt(power), size)
    out = np.zeros(n_frames * hop + size)
    for k, part in enumerate(shaped):
        out[k * hop : k * hop + size] += part
    return out[: n_frames * hop]
