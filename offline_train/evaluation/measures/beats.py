"""How well beats were predicted: against the reference, in seconds.

The F-measure is mir_eval's (Davies, Degara and Plumbley, 2009): a window of 70 ms, nothing before
``TRIM_S``. Behind the last true beat (``end_of``) nothing is known: a song's sound rings on there.
The distance is that of each predicted beat from the true one that it is nearest to; one farther
than a quarter of the true beat's interval is no guess at it, and counts in the F-measure alone. The
level is the predicted tempo over the true one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import mir_eval
import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]

TRIM_S = 5.0
SAME_LEVEL = 0.25  # octaves


@dataclass(frozen=True, slots=True)
class BeatScore:
    """One song's; None where it is undefined. ``distances`` (n,) are signed: late is positive."""

    name: str
    beat: float
    downbeat: float | None
    distances: Times
    lock_s: float | None  # None: never
    level: float | None  # 2: twice as fast as the song

    @property
    def is_right_level(self) -> bool:
        """Whether the tempo is the song's, not half, twice or another one."""
        return self.level is not None and abs(np.log2(self.level)) <= SAME_LEVEL

    def line(self) -> str:
        """Return the figures in one line."""
        apart = np.abs(self.distances)
        median = f"{1000 * np.median(apart):.1f} ms" if len(apart) else "-"
        downbeat = "-" if self.downbeat is None else f"{self.downbeat:.3f}"
        lock = "never" if self.lock_s is None else f"{self.lock_s:.1f} s"
        pace = "-" if self.level is None else f"{self.level:.2f}"
        return f"{self.name}: beat {self.beat:.3f}, downbeat {downbeat}, distance {median}, " + (
            f"locked {lock}, tempo {pace} of the song's"
        )


def end_of(true: Times) -> float:
    """Return until when beats are known: half a beat after the last one, or for ever without any.

    >>> end_of(np.array([0.0, 0.5, 1.0]))
    1.25
    """
    return float(1.5 * true[-1] - 0.5 * true[-2]) if len(true) > 1 else float("inf")


def f_measure(true: Times, predicted: Times) -> float:
    """Return mir_eval's F-measure of beats, those before ``TRIM_S`` left out; 0 without any."""
    true, predicted = (mir_eval.beat.trim_beats(np.sort(x), TRIM_S) for x in (true, predicted))
    return float(mir_eval.beat.f_measure(true, predicted)) if len(true) and len(predicted) else 0.0


def distances(true: Times, predicted: Times) -> Times:
    """Return how late each predicted beat after ``TRIM_S`` is that is near to a true one.

    >>> distances(np.array([5.0, 6.0, 7.0]), np.array([4.9, 6.01, 6.5])).round(3).tolist()
    [0.01]
    """
    predicted = predicted[predicted >= TRIM_S]
    if len(true) < 2 or not len(predicted):
        return np.zeros(0)
    nearest = np.abs(true[:, None] - predicted).argmin(0)
    late = np.asarray(predicted - true[nearest], np.float64)
    intervals = np.diff(true, append=2 * true[-1] - true[-2])
    near: Times = late[np.abs(late) <= intervals[nearest] / 4]
    return near


def level(true: Times, predicted: Times) -> float | None:
    """Return the predicted tempo over the true one; None where either has too few beats."""
    true, predicted = true[true >= TRIM_S], predicted[predicted >= TRIM_S]
    if len(true) < 3 or len(predicted) < 3:
        return None
    return float(np.median(np.diff(true)) / np.median(np.diff(predicted)))


def beat_table(scores: Sequence[BeatScore]) -> str:
    """Return the figures of songs as lines of text."""
    late = np.concatenate([s.distances for s in scores])
    apart = np.abs(late) if len(late) else np.full(1, np.nan)
    downbeats = [s.downbeat for s in scores if s.downbeat is not None]
    locked = [np.inf if s.lock_s is None else s.lock_s for s in scores]
    levels = np.array([s.level or np.nan for s in scores])
    halves, doubles = (np.abs(np.log2(levels / x)) <= SAME_LEVEL for x in (0.5, 2.0))
    wrong = [not s.is_right_level for s in scores]
    rows = [
        ("songs", f"{len(scores)}"),
        ("beat F1", f"{np.mean([s.beat for s in scores]):.3f}"),
        ("downbeat F1", f"{np.mean(downbeats):.3f}" if downbeats else "-"),
        ("predicted beats' distance, median", f"{1000 * np.median(apart):.1f} ms"),
        ("predicted beats' distance, 90th percentile", f"{1000 * np.quantile(apart, 0.9):.1f} ms"),
        ("late by, median", f"{1000 * np.median(late):.1f} ms" if len(late) else "-"),
        ("seconds until locked, median", f"{np.median(locked):.1f}"),
        ("wrong level", f"{np.mean(wrong):.2f}"),
        ("of them half, twice the tempo", f"{halves.mean():.2f}, {doubles.mean():.2f}"),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
