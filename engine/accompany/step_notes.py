"""What may be struck on one step, and how, as the note graph says it.

Several candidates are drawn for a step and most begin alike, so each answer is kept. Not here: what
is drawn (``accompanist``).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.accompany.model import AccompanistModel, NoteLogits
from models.spec import N_PITCHES

Array = NDArray[np.float32]

DONE = N_PITCHES


class Hidden(NamedTuple):
    """The player's hidden state (W,), and that without plan and sound where it guides."""

    guided: Array
    unguided: Array | None


class StepNotes:
    """The note graph on one step.

    Parameters
    ----------
    model
        The graphs.
    hidden
        Of the step.
    plan
        (36,) its chord.
    guidance
        How much more plan and sound count than in training.
    """

    def __init__(
        self, model: AccompanistModel, hidden: Hidden, plan: Array, guidance: float
    ) -> None:
        self._model, self._hidden, self._plan, self._guidance = model, hidden, plan, guidance
        self._pitches: dict[tuple[int, ...], Array] = {}
        self._rests: dict[tuple[int, ...], Array] = {}

    def next_pitch(self, keys: tuple[int, ...]) -> Array:
        """Return the logits (89,) of what comes after keys, guided (Ho and Salimans, 2022)."""
        if keys not in self._pitches:
            hidden, plan, guidance = self._hidden, self._plan, self._guidance
            logits = self._ask(hidden.guided, plan, keys, 0).pitch
            if hidden.unguided is not None:
                free = self._ask(hidden.unguided, np.zeros_like(plan), keys, 0).pitch
                logits = np.asarray(logits + guidance * (logits - free), np.float32)
            self._pitches[keys] = logits
        return self._pitches[keys]

    def rest(self, keys: tuple[int, ...]) -> Array:
        """Return the logits (33,) of length, velocity and hand of the last of some keys."""
        if keys not in self._rests:
            said = self._ask(self._hidden.guided, self._plan, keys[:-1], keys[-1])
            self._rests[keys] = said.rest
        return self._rests[keys]

    def _ask(self, hidden: Array, plan: Array, keys: tuple[int, ...], pitch: int) -> NoteLogits:
        struck = np.zeros(N_PITCHES, np.float32)
        struck[list(keys)] = 1
        return self._model.note(hidden, plan, struck, keys[-1] if keys else DONE, pitch)
