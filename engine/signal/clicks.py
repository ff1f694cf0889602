"""Clicks and notes in a recording: where each of them begins, which says how late it is heard.

Sound is mono, (n,) float32; times are seconds from its first sample.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

CLICK_S = 0.015
LOW_HZ, HIGH_HZ = 800.0, 6000.0
"""A short sweep: every speaker plays it, no room hides it."""
LEAST_RATIO = 8.0
"""Of a click to what is heard before it."""
EARLY_S = 0.02
"""Seconds before its time from which on something is looked for."""
NOISE_S = 0.15
"""Seconds before that, in which there is none."""
NOTE_RATIO = 4.0
"""The same of a note's level: the one before may still sound."""
ATTACK_SHARE = 0.2
"""Of its loudest, from which on a note has begun."""
HOP_S = 0.0005
TRIMMED = 0.1
"""Share of the answers at either end that do not count."""


@dataclass(frozen=True, slots=True)
class WayOut:
    """How late what was played is heard: seconds, the 5th and 95th percentile, of how many."""

    seconds: float
    low: float
    high: float
    n_heard: int


def make_click(sample_rate: int) -> Array:
    """Return one click, of a peak of 1."""
    t = np.arange(round(CLICK_S * sample_rate)) / sample_rate
    sweep = np.sin(2 * math.pi * (LOW_HZ + (HIGH_HZ - LOW_HZ) * t / (2 * CLICK_S)) * t)
    return (sweep * np.hanning(len(t))).astype(np.float32)


def find_clicks(
    sound: Array, sample_rate: int, wanted: Sequence[float], within: float
) -> list[float]:
    """Return how long after each of the ``wanted`` times its click is heard, ``within`` s of it.

    By a matched filter; those that are not heard are left out.
    """
    click = make_click(sample_rate)
    n = len(sound) + len(click)
    spectrum = np.fft.rfft(sound, n) * np.conj(np.fft.rfft(click, n))
    match = np.abs(np.fft.irfft(spectrum, n)[: len(sound)])
    found = []
    for time in wanted:
        before, window = _around(match, sample_rate, time, within)
        at = int(np.argmax(window)) if len(window) else 0
        if len(window) and window[at] > LEAST_RATIO * _level(before):
            found.append(at / sample_rate - EARLY_S)
    return found


def find_notes(
    sound: Array, sample_rate: int, wanted: Sequence[float], within: float
) -> list[float]:
    """Return the same of notes, whatever plays them: where their level begins to rise."""
    hop = max(1, round(HOP_S * sample_rate))
    n_hops = len(sound) // hop
    level = np.abs(sound[: n_hops * hop]).reshape(n_hops, hop).max(axis=1)
    found = []
    for time in wanted:
        before, window = _around(level, sample_rate / hop, time, within)
        if not len(window):
            continue
        peak = float(window.max())
        if peak <= NOTE_RATIO * _level(before):
            continue
        begun = np.flatnonzero(window > max(ATTACK_SHARE * peak, 2 * _level(before)))
        found.append(float(begun[0]) * hop / sample_rate - EARLY_S)
    return found


def _around(values: Array, rate: float, time: float, within: float) -> tuple[Array, Array]:
    """Return what is before a time, and what is around it."""
    start = round((time - EARLY_S) * rate)
    before = values[max(0, start - round(NOISE_S * rate)) : max(0, start)]
    return before, values[max(0, start) : max(0, round((time + within) * rate))]


def _level(before: Array) -> float:
    """Return the loudest of the noise, at least what 16 bits have."""
    return max(float(before.max()) if len(before) else 0.0, 1e-4)


def summarise(delays: Sequence[float]) -> WayOut:
    """Return their mean without the farthest, and their spread. There is one at least."""
    ordered = np.sort(np.asarray(delays, np.float64))
    n_cut = int(TRIMMED * len(ordered))
    low, high = np.quantile(ordered, [0.05, 0.95])
    middle = ordered[n_cut : len(ordered) - n_cut]
    return WayOut(float(np.mean(middle)), float(low), float(high), len(ordered))
