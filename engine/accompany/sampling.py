"""How an accompanist draws what it plays, and what that is: the notes of a sixteenth."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.accompany.planning import Plan, PlanSettings
from engine.core.notes import Hand

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """How notes are drawn."""

    temperature: float = 1.0  # of keys and rests
    touch: float = 1.0  # temperature of lengths and velocities
    hold: float | None = None  # quantile of a note's length that is played; None draws one
    top_p: float = 0.97
    guidance: float = 0.0  # how much more plan and sound count than in training
    safety: float = 3.0  # how much a pitch class that may not belong is avoided
    caution: float = 2.0  # how much more readily it rests where no pitch class is safe
    least_safety: float = 0.6  # probability of belonging, below which a pitch class is not struck
    player_lag: int = (
        2  # steps by which the player hears late at the least, whatever the plan hears
    )
    density: float = 1.0  # how strongly the number of notes is led back to what is usual
    notes_per_step: float = 0.81  # what is usual
    candidates: int = 8  # of each step, of which the best is played
    fullness: float = 1.5  # how much more readily a note gets others beside it
    restrike: float = 0.0  # how much a key struck within half a beat is avoided; a beat: half
    tie: float = 0.0  # evidence below which a key struck within half a bar is not, beside others
    steadiness: float = 1.0  # what striking, or not, as a bar ago is worth to a candidate
    habit: float = 0.0  # how much more readily it strikes, or not, as a bar ago
    pulse: float = 0.0  # how much more readily it strikes on a beat; half as much between two
    calm: float = 0.5  # how much less readily it strikes between half-beats
    evidence: float = 0.0  # how much it counts that a key was heard to be struck, in logits
    usual_evidence: float = 0.07  # probability that speaks neither for a key nor against it
    plan: PlanSettings = field(default_factory=PlanSettings)


@dataclass(frozen=True, slots=True)
class StepNote:
    """A note that is struck on a step; ``length`` in steps, unless the chord leaves it sooner."""

    pitch: int
    velocity: int
    length: int
    hand: Hand


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done on a step: keys to let go, then notes to strike."""

    plan: Plan
    released: tuple[int, ...]
    notes: tuple[StepNote, ...]


def draw(logits: Array, temperature: float, top_p: float, rng: np.random.Generator) -> int:
    """Return a choice by temperature, of the likeliest that make up ``top_p``."""
    scaled = (logits - logits.max()) / max(temperature, 1e-3)
    p = np.exp(scaled.astype(np.float64))
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    total = np.cumsum(p[order])
    kept = order[: int(np.searchsorted(total, top_p)) + 1]
    return int(rng.choice(kept, p=p[kept] / p[kept].sum()))
