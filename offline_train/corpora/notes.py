"""What a piece is made of: notes, chords, beats and pedal, in seconds on one time axis.

Not here: where they come from (the readers of each corpus) and how they are grouped (``piece``).
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

UNDAMPED = 90  # MIDI pitch: from F#6 up a piano has no dampers


class Note(NamedTuple):
    """A note: onset and offset in seconds, MIDI pitch, velocity 1 to 127."""

    onset: float
    offset: float
    pitch: int
    velocity: int


class Chord(NamedTuple):
    """A chord symbol in Harte's notation, such as ``F#:maj7/5``, or ``N`` for none."""

    start: float
    end: float
    symbol: str


class Beat(NamedTuple):
    """A beat and whether a bar begins on it."""

    time: float
    is_downbeat: bool


class Pedal(NamedTuple):
    """The sustain pedal going down or up, at a time in seconds."""

    time: float
    is_down: bool


def with_pedal(notes: Iterable[Note], pedals: Sequence[Pedal]) -> list[Note]:
    """Return notes as they sound: held by the pedal, cut by the next onset of the same pitch.

    A note whose key goes up while the pedal is down ends where the pedal goes up, the convention of
    piano transcription (Hawthorne et al., "Onsets and Frames", ISMIR 2018, section 3). Where the
    pedal never goes up, notes ring to the last release or pedal change, whichever is later.

    Parameters
    ----------
    notes
        In any order.
    pedals
        Changes of the pedal, ordered by time.

    Returns
    -------
    list of Note
        Ordered by onset.

    Examples
    --------
    >>> with_pedal([Note(0.0, 0.5, 60, 80)], [Pedal(0.2, True), Pedal(1.5, False)])
    [Note(onset=0.0, offset=1.5, pitch=60, velocity=80)]
    """
    ordered = sorted(notes)
    if not ordered:
        return []
    times = [pedal.time for pedal in pedals]
    end = max([note.offset for note in ordered] + times[-1:])
    next_up = _next_up(pedals, end)
    following: dict[int, tuple[float, float]] = {}  # pitch: its last onset seen, the one after it
    held = []
    for note in reversed(ordered):
        k = bisect_right(times, note.offset) - 1
        offset = next_up[k] if k >= 0 and pedals[k].is_down else note.offset
        onset, after = following.get(note.pitch, (math.inf, math.inf))
        after = onset if onset > note.onset else after
        held.append(note._replace(offset=min(offset, after)))
        following[note.pitch] = (note.onset, after)
    return held[::-1]


def _next_up(pedals: Sequence[Pedal], end: float) -> list[float]:
    """Return, for each change, when the pedal is next up; ``end`` where it stays down."""
    times, up = [], end
    for pedal in reversed(pedals):
        up = up if pedal.is_down else pedal.time
        times.append(up)
    return times[::-1]
