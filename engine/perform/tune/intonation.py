"""What a singer meant who is heard a semitone beside it.

Singers slide, and sing a little flat or sharp; a note between two keys is taken for the wrong one
at times, and a wrong one of the tune is heard by all. A song moves within a scale of seven pitch
classes for a while. A note of the tune outside it is the neighbour within it where that is likelier
by Bayes: how much either pitch class was heard of late, times how plainly either key is heard at
the onset. What is plainly heard stays, and what the song has used of late does, too.

Pure; shapes: 88 keys a row. Not here: which notes are the tune's (``decoder``).
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import NoteEvent, Posteriors
from engine.perform.tune.moved_keys import MovedKeys
from models.spec import MIN_PITCH, N_PITCHES

Row = NDArray[np.float32]  # (88,)

MEMORY_S = 60.0  # over which what was heard of pitch classes is forgotten
KNOWN_S = 40.0  # of single keys, that must have been heard before a scale is known
IN_SCALE = 0.8  # of what was heard, at the least, where a song moves within a scale
USUAL = 0.01  # share of all that each pitch class is taken to have beside what was heard
LEAST_RATIO = 3.0  # how much more must have been heard of a neighbour
FAINTEST = 1e-3  # probability that is told from none
BEFORE, AFTER = 4, 1  # frames around an onset in which either key is heard
TOGETHER_S = 0.1  # within which a note that meets another on its key is that note
ROUNDING_S = 1e-6
PITCH_CLASSES = 12
CLASSES = (np.arange(N_PITCHES) + MIN_PITCH) % PITCH_CLASSES
MAJOR = np.array([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1], np.float32)
SCALES = np.stack([np.roll(MAJOR, tonic) for tonic in range(PITCH_CLASSES)])
"""Each major scale (12, 12), and so its relative minor."""


class Intonation:
    """Moves notes of the tune to the keys that were meant.

    Parameters
    ----------
    frame_s
        Seconds of a frame.
    """

    def __init__(self, frame_s: float) -> None:
        self._frame_s = frame_s
        self._kept = np.float32(np.exp(-frame_s / MEMORY_S))
        self._classes: Row = np.zeros(PITCH_CLASSES, np.float32)  # heard of each, in frames
        self._begin()

    def play(self, heard: Posteriors, events: Sequence[NoteEvent]) -> list[NoteEvent]:
        """Take the next frames, and return what they decided with the keys that were meant.

        A note that is moved onto one that just began is left out.
        """
        onset, frame = np.nan_to_num(heard.onset), np.nan_to_num(heard.frame)
        played: list[NoteEvent] = []
        waiting = deque(events)
        for i, index in enumerate(heard.frames.tolist()):
            # A row is decided by the next: what an onset needs to know is heard by then.
            known = (index - AFTER + 0.5) * self._frame_s + ROUNDING_S
            self._hear(index, onset[i], frame[i])
            while waiting and waiting[0].time <= known:
                played += self._play(waiting.popleft())
        return played + [event for late in waiting for event in self._play(late)]

    def end(self, events: Sequence[NoteEvent] = ()) -> list[NoteEvent]:
        """Return the last events before a gap; the song's scale is remembered."""
        played = [meant for event in events for meant in self._play(event)]
        self._begin()
        return played

    def _begin(self) -> None:
        self._rows: deque[tuple[int, Row, Row]] = deque(maxlen=BEFORE + 2 * AFTER + 1)
        self._keys = MovedKeys()

    def _hear(self, index: int, onset: Row, frame: Row) -> None:
        classes = np.bincount(CLASSES, frame, PITCH_CLASSES).astype(np.float32)
        self._classes = self._kept * self._classes + classes
        self._rows.append((index, onset, frame))

    def _play(self, event: NoteEvent) -> list[NoteEvent]:
        """Return an event on the key that was meant."""
        if not event.is_on:
            return self._keys.release(event)
        meant = self.meant(event) if event.part == "melody" else event.pitch
        met = self._keys.other(event, meant)
        if met is not None and event.time - met.time < TOGETHER_S:
            self._keys.leave_out(event)
            return []
        return self._keys.strike(event, meant)

    def meant(self, onset: NoteEvent) -> int:
        """Return the key that was meant by a note of the tune that was heard."""
        total = float(self._classes.sum())
        if total * self._frame_s < KNOWN_S:
            return onset.pitch
        share = self._classes / total
        scale = SCALES[int((SCALES @ share).argmax())]
        if scale[onset.pitch % PITCH_CLASSES] or share @ scale < IN_SCALE:
            return onset.pitch
        keys = [onset.pitch, onset.pitch - 1, onset.pitch + 1]
        keys = [key for key in keys if MIN_PITCH <= key < MIN_PITCH + N_PITCHES]
        classes = [key % PITCH_CLASSES for key in keys]
        prior = (share[classes] + USUAL) / (share[classes[0]] + USUAL)
        may_be = (scale[classes] > 0) & (prior >= LEAST_RATIO)
        likelier = np.where(may_be, prior * self._plainness(onset.time, keys), 0.0)
        best = int(likelier.argmax())
        return keys[best] if likelier[best] > 1.0 else onset.pitch

    def _plainness(self, time: float, keys: Sequence[int]) -> Row:
        """Return how plainly each key is heard at an onset, beside the first: at most as plainly.

        By their onsets' peaks, or by what sounds after it, which is all that a slide has.
        """
        at = int(np.ceil((time - ROUNDING_S) / self._frame_s - 0.5))
        near = [row for row in self._rows if at - BEFORE <= row[0] <= at + AFTER]
        if not near:
            return np.zeros(len(keys), np.float32)
        columns = [key - MIN_PITCH for key in keys]
        onset = np.max([row[1][columns] for row in near], axis=0)
        both = np.maximum(np.stack([onset, near[-1][2][columns]]), FAINTEST)
        plainness: Row = np.minimum(both / both[:, :1], 1.0).max(0)
        return plainness
