"""What the accompanist hears of itself, where a microphone picks up its piano too.

It knows its notes and their times. What is heard at their keys may be the player's as well, so it
counts for less there instead of not at all. Not here: whether it is heard (the settings).
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from engine.core.notes import NoteEvent, Posteriors
from models.spec import MIN_PITCH, N_PITCHES

LEFT = 0.5
"""Of what is heard at a key that it plays itself."""
BEFORE_S, AFTER_S = 0.05, 0.1  # of an attack, in which its onset is heard
RING_S = 0.3  # for which a note is heard after its end
KEPT = 256  # notes


@dataclass(slots=True)
class _Note:
    pitch: int
    onset: float
    offset: float = math.inf


class OwnSound:
    """Remembers what was played, and takes it out of what is heard.

    Parameters
    ----------
    frame_s
        Seconds of a frame.
    """

    def __init__(self, frame_s: float) -> None:
        self._frame_s = frame_s
        self._notes: deque[_Note] = deque(maxlen=KEPT)

    def play(self, events: Iterable[NoteEvent]) -> None:
        """Take what will sound, with the times at which it does."""
        for event in events:
            for note in self._notes:
                if note.pitch == event.pitch:
                    note.offset = min(note.offset, event.time)
            if event.is_on:
                self._notes.append(_Note(event.pitch, event.time))

    def take_out(self, heard: Posteriors) -> Posteriors:
        """Return what is heard without what was played."""
        if not len(heard):
            return heard
        times = heard.frames * self._frame_s
        while self._notes and self._notes[0].offset + RING_S < times[0]:
            self._notes.popleft()
        onset, frame = heard.onset.copy(), heard.frame.copy()
        for note in self._notes:
            key = note.pitch - MIN_PITCH
            is_held = (times >= note.onset - BEFORE_S) & (times <= note.offset + RING_S)
            if is_held.any() and 0 <= key < N_PITCHES:
                onset[is_held & (times <= note.onset + AFTER_S), key] *= LEFT
                frame[is_held, key] *= LEFT
        return replace(heard, onset=onset, frame=frame)
