"""Notes that are played on other keys than they were heard on, so that each ends as it began.

Not here: which notes are moved, and where to (``intonation``, ``register``).
"""

from dataclasses import dataclass, replace

from engine.core.notes import NoteEvent


@dataclass(frozen=True, slots=True)
class PlayedKey:
    """A key that is down: since when, and which key was heard for it."""

    time: float
    heard: int


class MovedKeys:
    """The keys that are down, by the key that is played and by the one that was heard."""

    def __init__(self) -> None:
        self._down: dict[int, PlayedKey] = {}
        self._played: dict[int, int | None] = {}  # by the key that was heard; None: left out

    def clear(self) -> None:
        """Forget the keys, which are all up."""
        self._down.clear()
        self._played.clear()

    def other(self, onset: NoteEvent, pitch: int) -> PlayedKey | None:
        """Return what is down on a key for another key than was heard now."""
        down = self._down.get(pitch)
        return None if down is None or down.heard == onset.pitch else down

    def strike(self, onset: NoteEvent, pitch: int) -> list[NoteEvent]:
        """Return a note-on on another key.

        Before it ends what is down there for another, and what was struck for the same key.
        """
        on = replace(onset, pitch=pitch)
        ended = [] if self.other(onset, pitch) is None else [replace(on, velocity=0)]
        if self._played.get(onset.pitch, pitch) != pitch:
            ended += self.release(replace(onset, velocity=0))
        self._played[onset.pitch] = pitch
        self._down[pitch] = PlayedKey(onset.time, onset.pitch)
        return [*ended, on]

    def leave_out(self, onset: NoteEvent) -> None:
        """Take that a note-on is not played, nor its end."""
        self._played[onset.pitch] = None

    def release(self, end: NoteEvent) -> list[NoteEvent]:
        """Return a note-off on the key that was struck; none if that is another note's now."""
        pitch = self._played.pop(end.pitch, end.pitch)
        if pitch is None or pitch not in self._down or self._down[pitch].heard != end.pitch:
            return []
        del self._down[pitch]
        return [replace(end, pitch=pitch)]
