"""The sustain pedal from harmony: pressed after a chord, changed with the next, up in silence.

Pure: no clock, no input or output. Legato pedalling, as pianists learn it: the foot lifts as the
new bass or chord is struck and presses again just after it, so that the new harmony rings and the
old one does not; held accompaniment notes of the old one end before, or the pedal would sustain
them. A harmony is the accompaniment's notes since the last change; the melody does not count. It is
a new one when a note

- lies below its bass and is of another pitch class,
- lies low, an octave above its bass at the most, is foreign to it and not the fifth of its bass,
- fits into no chord together with it (``CHORDS``, in all keys), or
- strikes the bass again when the pedal has been down for ``LONGEST_S``.

Not here: the sustain that a performer holds by hand (``engine.perform.performer``).
"""

from collections.abc import Sequence

from engine.core.chords import qualities
from engine.core.note_tracker import NoteTracker, ended
from engine.core.notes import Event, NoteEvent, PedalEvent

PRESS_S = 0.08
"""From the first note of a harmony to the pedal; sooner where one of its keys is let go before."""
ATTACK_S = 0.05  # within which notes count as struck together
BASS_BELOW = 55  # G3: from where on a note of the accompaniment is no bass
FIFTH, OCTAVE = 7, 12
SILENCE_S = 3.0  # without a note-on, after which the pedal is up
LONGEST_S = 4.0

CHORDS = (
    *qualities("maj7", "7", "min7", "hdim7", "dim7", "sus4(b7)", "aug").values(),
    (0, 2, 4, 7),
    (0, 2, 3, 7),
)
"""Sevenths, the suspended fourth, augmented, added ninths; each with every part of it."""
_KEYS = tuple(sum(1 << (root + k) % 12 for k in chord) for root in range(12) for chord in CHORDS)


class Pedal:
    """Adds the sustain pedal to a stream of notes, a few at a time or all at once.

    Nothing waits for the pedal: notes leave in the push that brings them, in order, and every one
    ends once, some sooner. Pedal events between two notes leave with the next event, or by ``now``.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew; the caller lifts a pedal that is down."""
        self.is_down = False
        self._harmony = 0  # pitch classes, a bit each; 0 while there is none
        self._bass = 128
        self._harmony_start = 0.0  # when the harmony's first note was struck
        self._press_at: float | None = None
        self._struck: list[NoteEvent] = []  # what the harmony began with: its first ATTACK_S
        self._last_on = 0.0
        self._held = NoteTracker()
        self._let_go: set[int] = set()  # pitches whose own end is still to come

    def push(self, events: Sequence[NoteEvent], now: float | None = None) -> list[Event]:
        """Return the notes, in time order as they came, and the pedal between them.

        ``now`` is a time before which no later event lies, in seconds of audio.
        """
        played: list[Event] = []
        for event in events:
            played += self._settle(event.time)
            if event.is_on:
                played += [*self._strike(event), event]
                self._held.track(event)
                self._let_go.discard(event.pitch)
                continue
            if self._press_at is not None and self._begins(event):
                played += self._press(event.time)
            if event.pitch in self._let_go:
                self._let_go.remove(event.pitch)
            else:
                played.append(event)
                self._held.track(event)
        return played if now is None else played + self._settle(now)

    def flush(self, time: float) -> list[Event]:
        """Return what lifts the pedal at ``time``, if it is down; a gap follows, or the end."""
        played = [*self._settle(time), *self._lift(time)]
        self.reset()
        return played

    def _strike(self, on: NoteEvent) -> list[Event]:
        """Return the change of the pedal, if any, that a note-on asks for."""
        self._last_on = on.time
        if on.part == "melody":
            return []
        is_new = self._is_new(on)
        lifted = self._lift(on.time) if is_new else []
        if is_new:
            self._struck = [o for o in self._struck if on.time - o.time <= ATTACK_S]
            self._harmony, self._bass = 0, 128
            self._harmony_start, self._press_at = on.time, on.time + PRESS_S
        if is_new or on.time - self._harmony_start <= ATTACK_S:
            self._struck.append(on)
        for note in self._struck if is_new else (on,):
            self._harmony |= 1 << note.pitch % 12
            self._bass = min(self._bass, note.pitch)
        return lifted

    def _is_new(self, on: NoteEvent) -> bool:
        """Return whether a note of the accompaniment begins a harmony."""
        if not self._harmony:
            return True
        age, interval = on.time - self._harmony_start, (on.pitch - self._bass) % 12
        if on.pitch < self._bass and interval:
            return True
        both = self._harmony | 1 << on.pitch % 12
        is_low = on.pitch < BASS_BELOW and on.pitch <= self._bass + OCTAVE
        if is_low and both != self._harmony and interval != FIFTH and age > ATTACK_S:
            return True
        if on.pitch <= self._bass and age > LONGEST_S:
            return True
        return not any(both & ~chord == 0 for chord in _KEYS)

    def _begins(self, off: NoteEvent) -> bool:
        """Return whether a note-off ends one of the notes that the harmony began with."""
        return any(on.pitch == off.pitch for on in self._struck)

    def _settle(self, time: float) -> list[Event]:
        """Return the pedal's events up to ``time``."""
        played: list[Event] = []
        if self._press_at is not None and self._press_at <= time:
            played += self._press(self._press_at)
        if self.is_down and self._last_on + SILENCE_S <= time:
            played += self._lift(self._last_on + SILENCE_S)
            self._harmony, self._struck = 0, []
        return played

    def _press(self, time: float) -> list[Event]:
        """Return the pedal going down, after the ends of notes that it must not sustain."""
        self.is_down, self._press_at = True, None
        caught: list[NoteEvent] = []
        for on in self._held.notes:
            if on.part != "melody" and on.time < self._harmony_start - ATTACK_S:
                caught.append(ended(on, time))
                self._held.track(caught[-1])
                self._let_go.add(on.pitch)
        return [*caught, PedalEvent(time, True)]

    def _lift(self, time: float) -> list[Event]:
        self._press_at = None
        if not self.is_down:
            return []
        self.is_down = False
        return [PedalEvent(time, False)]
