"""Graphs of an accompanist that are made up, for tests."""

from typing import Any

import numpy as np

from engine.accompany.chords import N_CLASSES
from engine.accompany.model import NoteLogits, Place
from engine.accompany.step_notes import DONE

C, F_SHARP = 0, 6 * 8  # major


class Graphs:
    """Says C major, then F sharp major from ``change`` on; strikes ``chord`` on each fourth step.

    Each note is held for ``LENGTHS[length]`` steps.
    """

    def __init__(
        self, chord: tuple[int, ...] = (60, 64), change: int = 999, length: int = 5
    ) -> None:
        self.chord, self.change, self.length = chord, change, length
        self.reset()

    def reset(self) -> None:
        self.n_steps = 0
        self.owns: list[Any] = []
        self.heards: list[Any] = []
        self.place = 0

    def plan(self, heard: Any, expected: Any, where: Place) -> Any:
        self.heards.append((heard, expected))
        self.place = where.place
        p = np.zeros(N_CLASSES, np.float32)
        p[C if self.n_steps < self.change else F_SHARP] = 1
        self.n_steps += 1
        return p, np.full((N_CLASSES, 12), 1 / 12, np.float32)

    def play(self, own: Any, plan: Any, *_: Any, is_guided: bool = True) -> Any:
        if is_guided:
            self.owns.append(own)
        assert is_guided == plan.any()
        return np.full(4, is_guided, np.float32)

    def note(self, hidden: Any, plan: Any, struck: Any, last: int, pitch: int) -> NoteLogits:
        logits = np.full(DONE + 1, -1e9, np.float32)
        above = [p - 21 for p in self.chord if last == DONE or p - 21 > last]
        logits[above[0] if above and self.place % 4 == 0 else DONE] = 0
        rest = np.full(33, -1e9, np.float32)
        rest[[self.length, 16 + 10]] = 0
        rest[32] = 5 if pitch + 21 >= 60 else -5
        return NoteLogits(logits, rest)
