"""The touch of a cover: louder and softer than its model, which learned means, dares to play.

A network that predicts velocities with the least error says means: they follow a human's, with a
correlation of 0.57 on songs that it never heard, but vary by 4 where a human's vary by 15.
"""

from collections.abc import Sequence
from dataclasses import replace

from engine.core.notes import NoteEvent

SPREAD = 2.7  # by which the distance from the middle grows
MEMORY = 48  # notes over which the middle follows the song's loudness
FURTHEST = 32.0  # from the middle, in velocities


class Touch:
    """Gives notes the spread of a pianist's."""

    def __init__(self) -> None:
        self._middle: float | None = None

    def play(self, events: Sequence[NoteEvent]) -> list[NoteEvent]:
        """Return the events, in the same order, with note-ons as loud as a hand plays them."""
        return [self._struck(event) if event.is_on else event for event in events]

    def _struck(self, event: NoteEvent) -> NoteEvent:
        middle = self._middle if self._middle is not None else float(event.velocity)
        self._middle = middle + (event.velocity - middle) / MEMORY
        away = SPREAD * (event.velocity - self._middle)
        louder = self._middle + min(max(away, -FURTHEST), FURTHEST)
        return replace(event, velocity=min(max(round(louder), 1), 127))
