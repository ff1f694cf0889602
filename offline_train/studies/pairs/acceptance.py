"""Accepts or rejects a pair by its alignment, with a reason in one line.

What is refused is what the paper removed, a cover in another key or not of this song, and what
cannot become labels: a cover of a part, another arrangement, a wandering path. Transposition as
a whole is no reason: it is undone. ``proof`` measures how well the limits part right from wrong.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ConfigError
from offline_train.studies.pairs.align import Alignment
from offline_train.studies.pairs.sound import Recording


@dataclass(frozen=True, slots=True)
class Limits:
    """What a pair must reach."""

    length_ratio: float = 1.6  # of cover to song or song to cover, at most
    covered: float = 0.75  # of the song's music, at least
    used: float = 0.75  # of the cover's music, at least
    key_cost: float = 0.35  # mean chroma cost in the best key, at most
    key_margin: float = 0.02  # the next best key costs so much more, at least
    onset_agreement: float = 0.75  # standard deviations, at least; 0.93 and more of right pairs
    chroma_agreement: float = 0.30  # mean, at least
    agreeing: float = 0.70  # share of knots whose chroma agrees, at least
    bend: float = 0.05  # share of knots at the steepest or flattest tempo allowed, at most
    notes_a_second: float = 0.5  # that the transcriber finds, at least

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not (isinstance(value, int | float) and np.isfinite(value) and value >= 0):
                raise ConfigError(
                    f"bar {field.name}: expected a number of 0 or more, got {value!r}"
                )


@dataclass(frozen=True, slots=True)
class Figures:
    """What a pair is accepted by; see ``Limits``. ``tempo`` is cover seconds for a song second."""

    song_seconds: float
    cover_seconds: float
    start: float  # where on the song the cover begins and ends
    end: float
    covered: float
    used: float
    transposition: int
    key_cost: float
    key_margin: float
    onset_agreement: float
    chroma_agreement: float
    agreeing: float
    worst: float  # the song's second around which the chroma agrees least
    tempo: float
    slowest: float  # 2nd and 98th percentile of the local tempo, relative to ``tempo``
    fastest: float
    bend: float


AGREES = 0.15  # correlation of chroma around a knot
STEEP = 1.3  # of a knot's tempo to the pair's: more is a jump, not rubato


def figures(song: Recording, cover: Recording, alignment: Alignment) -> Figures:
    """Return what ``check_figures`` compares with the limits."""
    times, mapped = alignment.song_times, alignment.cover_times
    costs = np.sort(alignment.key_costs)
    tempo = (mapped[-1] - mapped[0]) / (times[-1] - times[0])
    relative: NDArray[np.float64] = alignment.slopes / tempo
    bent = (relative > STEEP) | (relative < 1 / STEEP)
    return Figures(
        song_seconds=song.end - song.start,
        cover_seconds=cover.end - cover.start,
        start=float(times[0]),
        end=float(times[-1]),
        covered=float((times[-1] - times[0]) / (song.end - song.start)),
        used=float((mapped[-1] - mapped[0]) / (cover.end - cover.start)),
        transposition=alignment.transposition,
        key_cost=float(costs[0]),
        key_margin=float(costs[1] - costs[0]),
        onset_agreement=alignment.onset_agreement,
        chroma_agreement=alignment.chroma_agreement,
        agreeing=float(np.mean(alignment.local_agreement > AGREES)),
        worst=float(times[alignment.local_agreement.argmin()]),
        tempo=float(tempo),
        slowest=float(np.quantile(relative, 0.98)),
        fastest=float(np.quantile(relative, 0.02)),
        bend=float(bent.mean()),
    )


def check_lengths(song: Recording, cover: Recording, limits: Limits) -> str | None:
    """Return why lengths rule a pair out, before anything is aligned; None if they do not."""
    ratio = (cover.end - cover.start) / (song.end - song.start)
    if 1 / limits.length_ratio <= ratio <= limits.length_ratio:
        return None
    what = "part of the song, or another version" if ratio < 1 else "much more than the song"
    return (
        f"length: the cover has {cover.end - cover.start:.0f} s of music, the song "
        f"{song.end - song.start:.0f} s ({ratio:.2f} of it): {what}"
    )


def check_figures(f: Figures, limits: Limits) -> str | None:
    """Return why a pair is rejected, beginning with the bar's kind and a colon; None: accepted."""
    if f.key_cost > limits.key_cost:
        return (
            f"not this song: chroma costs {f.key_cost:.2f} in the best of 12 keys "
            f"(at most {limits.key_cost:g})"
        )
    if f.key_margin < limits.key_margin:
        return (
            f"key: unclear, the second-best transposition costs only {f.key_margin:.3f} more "
            f"(at least {limits.key_margin:g})"
        )
    if f.onset_agreement < limits.onset_agreement:
        return (
            f"alignment: onsets agree by {f.onset_agreement:.2f} standard deviations "
            f"(at least {limits.onset_agreement:g})"
        )
    if f.chroma_agreement < limits.chroma_agreement or f.agreeing < limits.agreeing:
        return (
            f"harmony: chroma correlates by {f.chroma_agreement:.2f} (at least "
            f"{limits.chroma_agreement:g}) and agrees in {f.agreeing:.0%} of the song (at least "
            f"{limits.agreeing:.0%}), least at {f.worst:.0f} s"
        )
    if f.covered < limits.covered:
        return (
            f"part: the cover lies on {f.start:.0f} s to {f.end:.0f} s, {f.covered:.0%} of the "
            f"song (at least {limits.covered:.0%})"
        )
    if f.used < limits.used:
        return (
            f"part: only {f.used:.0%} of the cover lies on the song (at least {limits.used:.0%}): "
            "it has an intro, a verse or a medley of its own"
        )
    if f.bend > limits.bend:
        return (
            f"tempo: {f.bend:.0%} of the path is over {STEEP:g} times faster or slower than the "
            f"rest (at most {limits.bend:.0%}): it jumps, or parts are left out"
        )
    return None
