"""Presets: styles of the covers that a model is trained on, near a target, and averaged.

After the sampler in AMT-APC's code: each of the three histograms is the mean over covers near the
target in its own feature (mean velocity, spread of pitch, mean onset rate), so that a calm preset
is soft and sparse at once, though few covers are both. Where that code has targets in standard
deviations of its corpus, here they are quantiles of the corpus at hand, which never are empty.
Not here: the 24 numbers (``engine.cover.style``).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.cover.style import measure_style, onset_rates

__all__ = ["PRESET_QUANTILES", "features", "presets", "style_vector"]

style_vector = measure_style

PRESET_QUANTILES: Mapping[str, tuple[tuple[float, float], ...]] = {
    "calm": ((0.0, 0.15), (0.2, 0.4), (0.0, 0.15)),
    "balanced": ((0.4, 0.6), (0.4, 0.6), (0.4, 0.6)),
    "intense": ((0.85, 1.0), (0.6, 0.8), (0.85, 1.0)),
}
"""Where the covers lie whose mean is a preset, in order of mean velocity, pitch, onset rate."""


def features(notes: NDArray[np.float32]) -> tuple[float, float, float]:
    """Return mean velocity, standard deviation of pitch in semitones, mean onsets a second."""
    return float(notes[:, 3].mean()), float(notes[:, 2].std()), float(onset_rates(notes).mean())


def presets(covers: list[NDArray[np.float32]]) -> dict[str, list[float]]:
    """Return each preset's style; ``covers`` are notes (n, >= 4), at least one cover."""
    order = np.argsort([features(cover) for cover in covers], axis=0, kind="stable")
    styles = np.stack([measure_style(cover) for cover in covers]).reshape(len(covers), 3, 8)
    found = {}
    for name, ranges in PRESET_QUANTILES.items():
        histograms = []
        for k, (low, high) in enumerate(ranges):
            first = int(low * len(covers))
            chosen = order[first : max(int(np.ceil(high * len(covers))), first + 1), k]
            histograms.append(styles[chosen, k].mean(axis=0))
        found[name] = [round(float(v), 5) for v in np.concatenate(histograms)]
    return found
