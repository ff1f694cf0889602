"""The notes that sound: when they are over, where they end, and which gives way to a new one.

Pure; shapes: 88 pitches a row, index 0 is MIDI pitch 21. Not here: when notes begin (``decoder``).
"""

from collections.abc import Container
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.notes import NoteEvent, Part
from engine.core.settings import DecoderSettings
from engine.perform.ends import LEAST, LONGEST, EndFinder
from models.spec import MIN_PITCH

Row = NDArray[np.float32]  # (88,)

EPSILON = 1e-3  # the least threshold that is divided by
LEAST_SUPPORT = 0.25
"""Share of the on threshold that counts as a note's highest frame probability at the least."""


@dataclass(slots=True)
class Sounding:
    """A note that sounds."""

    time: float
    velocity: int
    part: Part
    highest: float  # its frame probability so far


@dataclass(frozen=True, slots=True)
class Onset:
    """A peak that may become a note."""

    time: float
    pitch: int  # 0 to 87
    velocity: int
    part: Part

    @property
    def rank(self) -> tuple[bool, int]:
        """Melody before accompaniment, then the louder."""
        return self.part == "melody", self.velocity


class Voices:
    """The notes that sound, by pitch.

    A note is over in the first row whose frame probability is below the off threshold, lowered in
    proportion if the on threshold was never reached (low confidence in a sound tends to last as
    long as it); it ends there or, with an end threshold, a little before (``engine.perform.ends``).
    It does not end before ``minimum_note``, and at ``maximum_note``.

    Parameters
    ----------
    frame_s
        Seconds from one frame to the next.
    settings
        Whose thresholds are all given.
    release
        Share of its highest frame probability below which a note ends, however likely it still is.
    """

    def __init__(self, frame_s: float, settings: DecoderSettings, release: float = 0.0) -> None:
        self.frame_s, self._release = frame_s, release
        self.settings = settings
        self._end_finder = EndFinder()
        self._most_wait = 0
        self.reset()

    def reset(self) -> None:
        """Forget the notes, without note-offs, and the rows."""
        self.notes: dict[int, Sounding] = {}
        self.forget_rows()

    def forget_rows(self) -> None:
        """Make the next row the first after silence."""
        self._end_finder.reset()

    @property
    def _end_level(self) -> float:
        assert self.settings.end_threshold is not None
        return self.settings.end_threshold

    @property
    def wait_frames(self) -> int:
        """Frames that events wait for, so that ends are dated back; 0 where none is."""
        return self._most_wait if self._end_level else 0

    @wait_frames.setter
    def wait_frames(self, wait_frames: int) -> None:
        self._most_wait = min(wait_frames, LONGEST)

    def push(self, frame: Row) -> None:
        """Take the next row: how likely each key (88,) sounds."""
        if self._end_level:
            self._end_finder.push(frame)

    def start(self, onset: Onset, probability: float) -> NoteEvent:
        """Return the note-on, and keep the note, which sounds with a frame probability."""
        self.notes[onset.pitch] = Sounding(onset.time, onset.velocity, onset.part, probability)
        return NoteEvent(onset.time, onset.pitch + MIN_PITCH, onset.velocity, onset.part)

    def end(self, pitch: int, time: float) -> NoteEvent:
        """Return the note-off, and forget the note."""
        return NoteEvent(time, pitch + MIN_PITCH, 0, self.notes.pop(pitch).part)

    def ending(self, index: int, frame: Row, factor: float, not_before: float) -> dict[int, float]:
        """Return {pitch: end time} of the notes that a row ends.

        Parameters
        ----------
        index
            Of the row.
        frame
            (88,) how likely each key sounds in it.
        factor
            Of the thresholds, as they follow the density.
        not_before
            Seconds of the last event that left.
        """
        s = self.settings
        assert s.frame_on_threshold is not None and s.frame_off_threshold is not None
        ends: dict[int, float] = {}
        frame_on = max(s.frame_on_threshold * factor, EPSILON)
        frame_off = s.frame_off_threshold * factor
        now = index * self.frame_s
        horizon = (index + 0.5) * self.frame_s
        for pitch, note in self.notes.items():
            probability = frame[pitch]
            note.highest = max(note.highest, float(probability))
            support = min(1.0, max(note.highest / frame_on, LEAST_SUPPORT))
            earliest = note.time + s.minimum_note
            latest = note.time + s.maximum_note
            if probability < max(frame_off * support, self._release * note.highest):
                if earliest <= horizon:
                    back = self._back(pitch, note, now, not_before)
                    ends[pitch] = min(max(now - back, earliest), latest)
            elif latest <= horizon:
                ends[pitch] = latest
        return ends

    def _back(self, pitch: int, note: Sounding, now: float, not_before: float) -> float:
        """Return how many seconds ago a note ended that is over now; not before it began."""
        if not self._end_level:
            return 0.0
        level, most = self._end_level * note.highest, max(self.wait_frames, LEAST)
        back = self._end_finder.rows_back(pitch, level, most) * self.frame_s
        first = note.time + self.frame_s
        if not self.wait_frames:  # nothing waits: what was decided has left
            first = max(first, not_before)
        return max(0.0, min(back, now - first))

    def victim(self, onset: Onset, started: Container[int], ends: Container[int]) -> int | None:
        """Return the pitch whose voice ``onset`` steals, None if the onset is to be dropped.

        A note that this row ends anyway goes first; else the quietest accompaniment, the oldest
        of equals, the melody only where all is melody. An onset that ranks lower is dropped.
        """
        ranked = [
            (pitch not in ends, note.part == "melody", note.velocity, note.time, pitch)
            for pitch, note in self.notes.items()
            if pitch not in started and note.time < onset.time
        ]
        if not ranked:
            return None
        stays, is_melody, velocity, _, pitch = min(ranked)
        return None if stays and onset.rank < (is_melody, velocity) else pitch
