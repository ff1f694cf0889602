"""How like a pianist: what goes with listeners' ranks of piano covers.

Pulse: attacks, each with its loudest velocity, as a curve at 100 Hz smoothed over 90 ms, its mean
taken away; the highest value of its autocorrelation between 0.25 and 1.2 s over that at 0. The
others are shares and spreads over attacks (notes within 35 ms of the first are one). Definitions
ours; nearness to the human is the aim, not the extreme (Etude's listening test, arXiv 2509.16522).
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from offline_train.evaluation.measures.playability import TENTH, split_hands
from offline_train.evaluation.measures.rhythm import grid_coherence

Notes = NDArray[np.float32]

TOGETHER_S = 0.035
CROWDED_S = 0.1
CURVE_HZ = 100
SMOOTHED_S = 0.09
SHORTEST_S, LONGEST_S = 0.25, 1.2
GRID_S = 0.01  # to which onsets are rounded before their coherence is taken
LEAST_NOTES = 8
LEAST_DEVIATION = 1e-3


@dataclass(frozen=True, slots=True)
class PianistScore:
    """One song's figures; nan where they are undefined."""

    notes_a_second: float
    pulse: float
    grid_coherence: float
    crowded: float  # attacks within 0.1 s of the one before, of all
    single: float  # attacks of one note alone
    variation: float  # of the time between attacks: deviation over mean
    left_wide: float  # attacks of the left hand wider than a tenth
    seconds_struck: float  # attacks with a minor second or ninth in them
    velocity_spread: float
    note_s: float  # median length


def score_pianist(notes: Notes, seconds: float) -> PianistScore:
    """Return the figures of notes (n, >= 4) that last so many seconds."""
    if len(notes) < LEAST_NOTES:
        rest = [float("nan")] * (len(fields(PianistScore)) - 1)
        return PianistScore(len(notes) / seconds, *rest)
    notes = notes[np.lexsort((notes[:, 2], notes[:, 0]))]
    groups = attack_groups(notes[:, 0])
    starts = np.array([notes[group.start, 0] for group in groups])
    between = np.diff(starts)
    left = notes[~split_hands(notes)]
    left_groups = attack_groups(left[:, 0])
    wide = [np.ptp(left[group, 2]) > TENTH for group in left_groups]
    coherence = grid_coherence(np.round(notes[:, 0].astype(float) / GRID_S) * GRID_S)
    return PianistScore(
        len(notes) / seconds,
        pulse(notes),
        float("nan") if coherence is None else coherence,
        float((between < CROWDED_S).mean()),
        float(np.mean([group.stop - group.start == 1 for group in groups])),
        float(between.std() / between.mean()),
        float(np.mean(wide)) if wide else 0.0,
        float(np.mean([_has_second(notes[group, 2]) for group in groups])),
        float(notes[:, 3].std()),
        float(np.median(notes[:, 1] - notes[:, 0])),
    )


def attack_groups(onsets: NDArray[np.floating]) -> list[slice]:
    """Return the notes, ordered by onset, that are struck together.

    >>> attack_groups(np.array([0.0, 0.02, 0.5]))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    groups, start = [], 0
    for k in range(1, len(onsets) + 1):
        if k == len(onsets) or onsets[k] - onsets[start] > TOGETHER_S:
            groups.append(slice(start, k))
            start = k
    return groups


def _has_second(pitches: NDArray[np.floating]) -> bool:
    apart = np.abs(pitches[:, None] - pitches)
    return bool(np.isin(apart, (1, 13)).any())


def pulse(notes: Notes) -> float:
    """Return how strongly attacks come back at a steady time, 0 to 1, of ordered notes."""
    onsets = notes[:, 0] - notes[0, 0]
    curve = np.zeros(int(onsets[-1] * CURVE_HZ) + 2)
    for group in attack_groups(onsets):
        curve[int(round(float(onsets[group.start]) * CURVE_HZ))] += notes[group, 3].max()
    width = round(SMOOTHED_S * CURVE_HZ)
    window = np.hanning(width + 2)[1:-1]
    curve = np.convolve(curve, window / window.sum(), "same")
    curve -= curve.mean()
    n = len(curve)
    spectrum = np.fft.rfft(curve, 2 * n)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:n]
    low, high = round(SHORTEST_S * CURVE_HZ), round(LONGEST_S * CURVE_HZ)
    if correlation[0] <= 0 or n <= low:
        return float("nan")
    return float(correlation[low : high + 1].max() / correlation[0])


def human_deviations(ours: list[PianistScore], humans: list[PianistScore]) -> dict[str, float]:
    """Return by figure how far the mean of ours is from the humans', in their deviations.

    Without figures that are undefined for every song.
    """
    found = {}
    for f in fields(PianistScore):
        own, theirs = (_known(scores, f.name) for scores in (ours, humans))
        if len(own) and len(theirs):
            apart = abs(float(own.mean() - theirs.mean()))
            found[f.name] = apart / max(float(theirs.std()), LEAST_DEVIATION)
    return found


def _known(scores: list[PianistScore], name: str) -> NDArray[np.float64]:
    values = np.array([getattr(score, name) for score in scores])
    return np.asarray(values[~np.isnan(values)], np.float64)
