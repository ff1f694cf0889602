"""Whether a peak at a key that was struck before is a new note or the one that still sounds.

A held tone wavers, and so does what a model hears of it. A new note of the same pitch has an
attack, and what is heard of the key dips before it. The rule is a logistic regression on the
peaks of 22 validation songs: whether a human strikes the key there, or holds it.
Pure; shapes: 88 keys a row. Not here: what becomes of them (``decoder``).
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]  # (88,)

DIP_FRAMES = 7
"""Up to the peak, in which what sounds of the key is looked at."""
LEAST = 0.02
"""Probability that counts as none."""


@dataclass(frozen=True, slots=True)
class RestrikeRule:
    """What speaks for a new note, in logits for each natural logarithm."""

    least: float = 0.0  # logits from which on it is one
    within: float = 2.1  # seconds from the key's last stroke in which the rule counts
    attack: float = 1.39  # of the onset's probability at the peak
    dip: float = -1.27  # of the least probability that the key sounds, just before
    after: float = 0.90  # of the onset's probability in the next frame, as a share of the peak's
    before: float = 0.67  # in the frame before
    constant: float = 1.50


class RestrikeJudge:
    """Follows what sounds of each key, and judges peaks.

    Parameters
    ----------
    rule
        By which.
    """

    def __init__(self, rule: RestrikeRule) -> None:
        self.rule = rule
        self.reset()

    def reset(self) -> None:
        """Begin anew, after silence."""
        self._rows = deque([np.zeros(88, np.float32)] * DIP_FRAMES, DIP_FRAMES)

    def is_new(self, frame: Row, left: Row, peak: Row, right: Row) -> NDArray[np.bool_]:
        """Return for each key (88,) whether a peak in this row would be a new note.

        Called once a row, in order.

        Parameters
        ----------
        frame
            Probabilities that each key sounds in this row.
        left, peak, right
            Probabilities of an onset in the row before, in this one and in the next.
        """
        self._rows.append(frame)
        rule, top = self.rule, np.log(np.maximum(peak, LEAST))
        score = rule.constant + rule.attack * top
        score += rule.dip * np.log(np.maximum(np.min(self._rows, axis=0), LEAST))
        score += rule.after * (np.log(np.maximum(right, LEAST)) - top)
        score += rule.before * (np.log(np.maximum(left, LEAST)) - top)
        return np.asarray(score >= rule.least)
