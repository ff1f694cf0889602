"""Which chord to play, from how likely each is: the one that will share most tones with the truth.

Where the planner is unsure, the likeliest chord is not the safest. The plan is the chord of which
the greatest share of tones is expected to belong to what sounds, and it stays unless another is
better by a margin: a player who changes his mind every sixteenth is worse than one who is late.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.accompany.chords import CLASS_TONES, N_CLASSES, NO_CHORD, chord_vectors

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """How the plan is chosen."""

    likelihood: float = 0.5  # what being likely is worth, beside sharing tones
    margin: float = 0.02  # by which another chord must be better off the beat
    margin_on_beat: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The chord of a step."""

    chord: int  # class
    bass: int
    safety: Array  # (12,) how likely each pitch class belongs to what sounds
    is_new: bool

    @property
    def row(self) -> Array:
        """As the player reads it, (37,)."""
        vector = chord_vectors(np.array(self.chord), np.array(self.bass))
        return np.append(vector, np.float32(self.is_new)).astype(np.float32)


def _shared() -> Array:
    """Return (classes, classes): which share of the tones of a row's chord a column's has."""
    counts = np.maximum(CLASS_TONES.sum(1, keepdims=True), 1)
    return np.asarray(CLASS_TONES @ CLASS_TONES.T / counts, np.float32)


_SHARED = _shared()


def choose(
    chord: Array, bass: Array, before: Plan | None, is_beat: bool, settings: PlanSettings
) -> Plan:
    """Return the plan of a step.

    Parameters
    ----------
    chord, bass
        (97,) and (97, 12) probabilities.
    before
        The plan of the step before.
    is_beat
        Whether the step is one.
    settings
        How it is chosen.
    """
    sounding = chord[:NO_CHORD] / max(float(chord[:NO_CHORD].sum()), 1e-6)
    worth = _SHARED[:NO_CHORD, :NO_CHORD] @ sounding + settings.likelihood * sounding
    best = int(worth.argmax())
    if chord[NO_CHORD] > 0.5:
        best = NO_CHORD
    elif before is not None and before.chord != NO_CHORD:
        margin = settings.margin_on_beat if is_beat else settings.margin
        if worth[best] - worth[before.chord] < margin:
            best = before.chord
    safety = sounding @ CLASS_TONES[:NO_CHORD]
    lowest = int(bass[best].argmax()) if best < N_CLASSES else 0
    is_new = before is not None and before.chord != best
    return Plan(best, lowest, np.asarray(safety, np.float32), is_new)
