"""Who struck the keys that are down, where tune and accompaniment share a keyboard.

Not here: when and what either plays (``on_beat``).
"""

from collections.abc import Sequence
from typing import Literal

from engine.core.notes import NoteEvent

Source = Literal["melody", "free", "accompanist"]
SourcedEvent = tuple[Source, NoteEvent]

TOGETHER_S = 0.05  # within which notes of the tune are one chord


class KeyOwners:
    """Lets each note be ended by who began it, and none be struck over the tune."""

    def __init__(self) -> None:
        self._source: dict[int, Source] = {}
        self._begun: dict[int, float] = {}

    def clear(self) -> None:
        """Forget the keys, which are all up."""
        self._source.clear()

    def play(self, events: Sequence[SourcedEvent]) -> list[NoteEvent]:
        """Return the events that are played, in the same order, with the ends they need."""
        found: list[NoteEvent] = []
        for source, event in events:
            owner = self._source.get(event.pitch)
            if event.is_on:
                if source == "accompanist" and owner == "melody":
                    continue
                if source == "melody":
                    found += self._leave(event)
                self._source[event.pitch], self._begun[event.pitch] = source, event.time
            elif owner != source:
                continue
            else:
                del self._source[event.pitch]
            found.append(event)
        return found

    def _leave(self, onset: NoteEvent) -> list[NoteEvent]:
        """Return the ends of the tune's notes before one: it has one voice."""
        before = onset.time - TOGETHER_S
        left = [
            pitch
            for pitch, source in self._source.items()
            if source == "melody" and pitch != onset.pitch and self._begun[pitch] < before
        ]
        for pitch in left:
            del self._source[pitch]
        return [NoteEvent(onset.time, pitch, 0, "melody") for pitch in left]
