"""The 24 numbers that describe how a piano part is played, after AMT-APC (Section III-C).

Three histograms of 8 bins, each summing to 1: velocity, pitch, and onset rate, in that order.
Values are z-scored with the paper's corpus statistics and cut at ``EDGES``. The public code counts
onsets a frame; here a moving second of frames is one observation, since 16 ms hold no rhythm.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

EDGES = np.array([-2, -4 / 3, -2 / 3, 0, 2 / 3, 4 / 3, 2])
VELOCITY = (80.48, 15.22)  # mean and standard deviation of AMT-APC's corpus
PITCH = (61.20, 14.97)
ONSET_RATE = (7.6, 3.175)  # onsets a second: 0.1216 and 0.0508 a frame of 16 ms
PRESET_QUANTILES: Mapping[str, tuple[float, float]] = {
    "calm": (0.0, 0.15),
    "balanced": (0.40, 0.60),
    "intense": (0.85, 1.0),
}
"""Where in the corpus, ordered by ``intensity``, the covers lie whose mean is a preset."""


def style_vector(notes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the style (24,) of notes (n, >= 4): onset, offset, pitch, velocity; n >= 1."""
    onsets = np.sort(notes[:, 0])
    starts = np.arange(onsets[0], max(onsets[-1] - 1.0, onsets[0]) + 0.5, 0.5)
    rate = np.searchsorted(onsets, starts + 1.0) - np.searchsorted(onsets, starts)
    histograms = [
        np.bincount(np.searchsorted(EDGES, (values - mean) / deviation), minlength=8) / len(values)
        for values, (mean, deviation) in (
            (notes[:, 3], VELOCITY),
            (notes[:, 2], PITCH),
            (rate.astype(float), ONSET_RATE),
        )
    ]
    return np.concatenate(histograms).astype(np.float32)


def intensity(notes: NDArray[np.float32]) -> float:
    """Return how intense a cover is: mean of the z-scores of its note rate and mean velocity."""
    seconds = max(float(notes[:, 0].max() - notes[:, 0].min()), 1.0)
    rate = (len(notes) / seconds - ONSET_RATE[0]) / ONSET_RATE[1]
    velocity = (float(notes[:, 3].mean()) - VELOCITY[0]) / VELOCITY[1]
    return (rate + velocity) / 2


def presets(covers: list[NDArray[np.float32]]) -> dict[str, list[float]]:
    """Return each preset's style: the mean of the covers in its range of intensity."""
    ordered = sorted(covers, key=intensity)
    found = {}
    for name, (low, high) in PRESET_QUANTILES.items():
        first = int(low * len(ordered))
        chosen = ordered[first : max(int(np.ceil(high * len(ordered))), first + 1)]
        mean = np.mean([style_vector(cover) for cover in chosen], axis=0)
        found[name] = [round(float(v), 5) for v in mean]
    return found
