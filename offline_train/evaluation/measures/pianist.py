"""How like a pianist: what goes with listeners' ranks of piano covers.

Pulse: attacks, each with its loudest velocity, as a curve at 100 Hz smoothed over 90 ms, its mean
taken away; the highest value of its autocorrelation between 0.25 and 1.2 s over that at 0. The
others are shares and spreads over attacks (notes within 35 ms of the first are one). Definitions
ours; nearness to the human is the aim, not the extreme (Etude's listening test, arXiv 2509.16522).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offline_train.evaluation.measures.playability import attacks, split_hands
from offline_train.evaluation.measures.rhythm import grid_coherence

Notes = NDArray[np.float32]

TOGETHER_S = 0.035
CROWDED_S = 0.1
TENTH = 16  # semitones: what most hands reach
CURVE_HZ = 100
SMOOTHED_S = 0.09
SHORTEST_S, LONGEST_S = 0.25, 1.2
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
    melody_above: float  # velocity of a chord's highest note less the chord's mean


def score_pianist(notes: Notes, seconds: float) -> PianistScore:
    """Return the figures of notes (n, >= 4) that last so many seconds."""
    if len(notes) < LEAST_NOTES:
        rest = [float("nan")] * (len(fields(PianistScore)) - 1)
        return PianistScore(len(notes) / seconds, *rest)
    notes = notes[np.lexsort((notes[:, 2], notes[:, 0]))]
    groups = attacks(notes[:, 0], TOGETHER_S)
    starts = np.array([notes[group.start, 0] for group in groups])
    between = np.diff(starts)
    left = notes[~split_hands(notes)]
    left_groups = attacks(left[:, 0], TOGETHER_S)
    wide = [np.ptp(left[group, 2]) > TENTH for group in left_groups]
    coherence = grid_coherence(notes[:, 0].astype(float))
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
        _melody_above([notes[group] for group in groups]),
    )


def _has_second(pitches: NDArray[np.floating]) -> bool:
    apart = np.abs(pitches[:, None] - pitches)
    return bool(np.isin(apart, (1, 13)).any())


def _melody_above(struck: Sequence[Notes]) -> float:
    """Return the mean over attacks of two notes or more; nan if there is none."""
    chords = [notes for notes in struck if len(notes) > 1]
    above = [notes[notes[:, 2].argmax(), 3] - notes[:, 3].mean() for notes in chords]
    return float(np.mean(above)) if above else float("nan")


def pulse(notes: Notes) -> float:
    """Return how strongly attacks come back at a steady time, 0 to 1, of ordered notes."""
    onsets = notes[:, 0] - notes[0, 0]
    curve = np.zeros(int(onsets[-1] * CURVE_HZ) + 2)
    for group in attacks(onsets, TOGETHER_S):
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


class Spread(NamedTuple):
    """A figure over humans' covers."""

    mean: float
    deviation: float


def human_spreads(humans: Sequence[PianistScore]) -> dict[str, Spread]:
    """Return each figure's mean and deviation over songs, without those that are never defined."""
    values = {f.name: _known(humans, f.name) for f in fields(PianistScore)}
    return {
        name: Spread(float(known.mean()), float(known.std()))
        for name, known in values.items()
        if len(known)
    }


def human_deviations(
    ours: Sequence[PianistScore], humans: Mapping[str, Spread]
) -> dict[str, float]:
    """Return by figure how far the mean of ours is from the humans', in their deviations.

    Without figures that are undefined for every song.
    """
    found = {}
    for name, spread in humans.items():
        own = _known(ours, name)
        if len(own):
            apart = abs(float(own.mean()) - spread.mean)
            found[name] = apart / max(spread.deviation, LEAST_DEVIATION)
    return found


def pianist_distance(ours: Sequence[PianistScore], humans: Mapping[str, Spread]) -> float:
    """Return the mean of ``human_deviations``: how unlike a pianist; nan if nothing is defined."""
    apart = human_deviations(ours, humans)
    return float(np.mean(list(apart.values()))) if apart else float("nan")


def _known(scores: Sequence[PianistScore], name: str) -> NDArray[np.float64]:
    values = np.array([getattr(score, name) for score in scores])
    return np.asarray(values[~np.isnan(values)], np.float64)
