"""Where a tune lies: what is an overtone of it, and whether it is sung too low for a piano."""

from collections import deque
from collections.abc import Sequence
from math import inf
from statistics import median

from engine.core.notes import NoteEvent
from engine.perform.tune.moved_keys import MovedKeys

NOTES = 8
LEAST_NOTES = 4
STRAY = 12  # semitones above the tune's middle from which on a note is not the tune's

OCTAVE = 12
LOW, HIGH = 58, 66  # the tune's middle from below which on it is raised, until it is as high
REMEMBERED, LEAST_HEARD = 64, 16  # notes of the tune that its middle is of
REST_S = 0.4  # between notes of the tune, where a phrase may begin
TOGETHER_S = 0.05  # within which notes are struck at once
LEAP = 10  # semitones above the middle, from which on a note lies where it would be raised to


class TuneRegister:
    """Follows a tune's last notes. A tune that goes up an octave is believed after some notes."""

    def __init__(self) -> None:
        self._last: deque[int] = deque(maxlen=NOTES)

    def admits(self, pitch: int) -> bool:
        """Take a note that was found; return whether it belongs to the tune.

        >>> register = TuneRegister()
        >>> [register.admits(pitch) for pitch in (60, 62, 64, 62, 84, 65)]
        [True, True, True, True, False, True]
        """
        is_known = len(self._last) >= LEAST_NOTES
        belongs = not is_known or pitch - median(self._last) < STRAY
        self._last.append(pitch)
        return belongs


class TuneOctave:
    """Plays a tune that is sung low an octave higher, above its accompaniment, as pianists do.

    One in two hundred of the notes of POP909's tunes is in such a place. Whether the tune is raised
    changes between phrases alone. Of low voices the octave is heard, too: with the note, the note
    is played; alone, it is taken for the note.
    """

    def __init__(self) -> None:
        self._heard: deque[int] = deque(maxlen=REMEMBERED)  # of what is struck at once, the lowest
        self._last = -inf  # when the tune struck a note
        self._is_raised = False
        self._keys = MovedKeys()

    def reset(self) -> None:
        """Go on after a gap, at which all notes ended; what is known of the tune is remembered."""
        self._keys.clear()
        self._last = -inf

    def play(self, events: Sequence[NoteEvent], is_wanted: bool) -> list[NoteEvent]:
        """Return events, in time order, with the tune raised where it is low, if it is wanted."""
        return [played for event in events for played in self._play(event, is_wanted)]

    def _play(self, event: NoteEvent, is_wanted: bool) -> list[NoteEvent]:
        if not event.is_on:
            return self._keys.release(event)
        if event.part != "melody":
            if self._keys.other(event, event.pitch) is None:
                return self._keys.strike(event, event.pitch)
            self._keys.leave_out(event)  # nothing is struck over the tune
            return []
        self._follow(event)
        is_low = event.pitch < median(self._heard) + LEAP
        is_raised = self._is_raised and is_wanted and is_low
        for pitch in (event.pitch, event.pitch + OCTAVE * is_raised):
            met = self._keys.other(event, pitch)
            if met is not None and event.time - met.time < TOGETHER_S:
                self._keys.leave_out(event)  # a note and its octave
                return []
        return self._keys.strike(event, event.pitch + OCTAVE * is_raised)

    def _follow(self, onset: NoteEvent) -> None:
        """Take a note of the tune that was heard."""
        if onset.time - self._last >= REST_S and len(self._heard) >= LEAST_HEARD:
            middle = median(self._heard)
            self._is_raised = middle < (HIGH if self._is_raised else LOW)
        if onset.time - self._last < TOGETHER_S and self._heard:
            self._heard[-1] = min(self._heard[-1], onset.pitch)
        else:
            self._heard.append(onset.pitch)
            self._last = onset.time
