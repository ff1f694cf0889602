"""Whether a cover has the tune that is sung, as karaoke files tell it.

Our own measure. A sung note is found if its pitch class is struck within 120 ms of its onset. Such
files are loose, so one constant offset, within 150 ms, is fitted first: the one with the most notes
found within 80 ms. By chance: the mean share found by the same cover one to two seconds off.
Striking every key finds everything: read it beside the notes a second.

Beside it: the share of the cover's notes of the tune, of those struck within 120 ms of a sung note,
that are a semitone off it, in any octave. Such wrong notes are heard.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Notes = NDArray[np.float32]
Sung = NDArray[np.floating]

FOUND_S = 0.12
FITTED_S = 0.08
OFFSETS_S = np.arange(-0.15, 0.16, 0.03)
APART_S = (1.03, 2.11, -1.37)
OCTAVE = 12


@dataclass(frozen=True, slots=True)
class TuneScore:
    """One song's."""

    n_sung: int
    found: float  # share of the sung notes
    by_chance: float
    offset_s: float  # by which the sung notes were moved
    beside: float | None  # share of the tune's notes a semitone off; None of a cover without


def score_tune(sung: Sung, notes: Notes) -> TuneScore:
    """Return how much of the sung notes (m >= 1, 3) the notes (n, 5) of a cover have."""
    nearest = max(OFFSETS_S, key=lambda offset: _found(sung, notes, offset, FITTED_S))
    offset = float(nearest)
    by_chance = [_found(sung, notes, offset + apart) for apart in APART_S]
    found = _found(sung, notes, offset)
    beside = _beside(sung, notes, offset)
    return TuneScore(len(sung), found, float(np.mean(by_chance)), offset, beside)


def _found(sung: Sung, notes: Notes, offset: float, within: float = FOUND_S) -> float:
    """Return the share of sung notes, moved by ``offset`` s, whose pitch class is struck."""
    n_found = 0
    for pitch_class in range(OCTAVE):
        wanted = sung[sung[:, 2] % OCTAVE == pitch_class, 0] + offset
        struck = np.sort(notes[notes[:, 2] % OCTAVE == pitch_class, 0].astype(float))
        first = np.searchsorted(struck, wanted - within)
        last = np.searchsorted(struck, wanted + within, "right")
        n_found += int((last > first).sum())
    return n_found / len(sung)


def _beside(sung: Sung, notes: Notes, offset: float) -> float | None:
    """Return the share of the tune's notes struck a semitone off what is sung then."""
    tune = notes[notes[:, 4] > 0.5]
    is_then = np.abs(tune[:, None, 0] - sung[:, 0] - offset) <= FOUND_S  # (tune, sung)
    apart = (tune[:, None, 2] - sung[:, 2]) % OCTAVE
    is_right = (is_then & (apart == 0)).any(1)
    is_beside = (is_then & ((apart == 1) | (apart == OCTAVE - 1))).any(1) & ~is_right
    n_then = int(is_then.any(1).sum())
    return float(is_beside.sum()) / n_then if n_then else None
