"""How notes are written down: spelling, note values, ties, rests and beams of a voice.

Also where chord symbols and the pedal's signs stand. Steps are sixteenths. Not here: the file that
it is written to (``musicxml``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from engine.whole_song.grid import STEPS_PER_BEAT
from engine.whole_song.grid_notes import GridNote
from engine.whole_song.harmony import ChordName

LETTERS = "FCGDAEB"  # along the line of fifths; C is 0
FLATTEST = -3  # the most fifths below the key's tonic (of a major key) that a note is spelled
LEAST_REST = 2  # steps: a shorter silence is written as part of the note before it
VALUES = {1: "16th", 2: "eighth", 4: "quarter", 8: "half", 16: "whole"}
FLAGS = {"16th": 2, "eighth": 1}


class Spelled(NamedTuple):
    """A pitch as it is written."""

    letter: str
    alter: int  # 1 a sharp, -1 a flat
    octave: int


@dataclass(frozen=True, slots=True)
class Written:
    """A chord, or a rest without pitches, of one note value within a bar."""

    start: int  # steps from the bar's begin
    length: int  # steps
    pitches: tuple[int, ...] = ()
    velocity: int = 0
    is_tied_from: bool = False
    is_tied_on: bool = False

    @property
    def value(self) -> str:
        """Its name, without the dot."""
        return VALUES[self.length if self.length in VALUES else self.length * 2 // 3]

    @property
    def has_dot(self) -> bool:
        """Whether it is longer by a half."""
        return self.length not in VALUES


def spell(pitch: int, sharps: int) -> Spelled:
    """Return a MIDI pitch as it is written in a key of so many sharps, or flats if negative.

    Of the names of a pitch, the one nearest to the key on the line of fifths, with the raised
    fourth and the raised leading notes of the minor; never a double sharp or flat.

    >>> spell(66, 0), spell(70, -1), spell(68, 0)
    (Spelled(letter='F', alter=1, octave=4), Spelled(letter='B', alter=-1, octave=4), \
Spelled(letter='G', alter=1, octave=4))
    """
    lowest = sharps + FLATTEST
    fifths = lowest + (pitch * 7 - lowest) % 12
    if fifths > 12:  # past B sharp
        fifths -= 12
    elif fifths < -8:  # past F flat
        fifths += 12
    alter, letter = divmod(fifths + 1, 7)
    return Spelled(LETTERS[letter], alter, (pitch - alter) // 12 - 1)


def signature(sharps: int) -> dict[str, int]:
    """Return what a key signature alters.

    >>> signature(2), signature(-1)
    ({'F': 1, 'C': 1}, {'B': -1})
    """
    if sharps >= 0:
        return dict.fromkeys(LETTERS[:sharps], 1)
    return dict.fromkeys(LETTERS[::-1][:-sharps], -1)


def chords_of(notes: list[GridNote], last: int) -> list[tuple[int, int, tuple[int, ...], int]]:
    """Return (step, length, pitches, velocity) of what a hand strikes together, one voice.

    A voice holds one chord at a time: it lasts as long as its longest note, at most to the next.
    Short rests are left out: a chord goes on to the next one, or to the end of a beat.
    """
    groups: dict[int, list[GridNote]] = {}
    for note in notes:
        groups.setdefault(note.step, []).append(note)
    rows = []
    for step, following in pairwise([*sorted(groups), last]):
        group = groups[step]
        end = min(step + max(note.length for note in group), following)
        if following - end > LEAST_REST:
            left = -end % STEPS_PER_BEAT  # of the beat
            end += left if left <= LEAST_REST else 1
        if following - end <= LEAST_REST:
            end = following
        pitches = tuple(sorted({note.pitch for note in group}))
        rows.append((step, end - step, pitches, max(note.velocity for note in group)))
    return rows


def voice(notes: list[GridNote], steps_per_bar: int, first: int, last: int) -> list[list[Written]]:
    """Return what a hand plays from step ``first`` to ``last``, bar by bar, as one voice.

    A bar begins at each multiple of ``steps_per_bar``; ``first`` may lie within one.
    """
    bars: list[list[Written]] = [[] for _ in range(first // steps_per_bar, last // steps_per_bar)]

    def write(start: int, end: int, pitches: tuple[int, ...] = (), velocity: int = 0) -> None:
        now = start
        while now < end:
            bar, at = divmod(now, steps_per_bar)
            length = _longest(at, end - now, steps_per_bar, is_rest=not pitches)
            ties = (now > start, now + length < end) if pitches else (False, False)
            written = Written(at, length, pitches, velocity, *ties)
            bars[bar - first // steps_per_bar].append(written)
            now += length

    now = first
    for step, length, pitches, velocity in chords_of(notes, last):
        write(now, step)
        write(step, step + length, pitches, velocity)
        now = step + length
    write(now, last)
    return bars


def _longest(at: int, room: int, steps_per_bar: int, is_rest: bool) -> int:
    """Return the longest note value that may begin at step ``at`` of a bar, at most ``room``."""
    room = min(room, steps_per_bar - at)
    if is_rest and room == steps_per_bar:
        return room
    fits = _rest_fits if is_rest else _note_fits
    return next(n for n in (16, 12, 8, 6, 4, 3, 2, 1) if n <= room and fits(at, n, steps_per_bar))


def _rest_fits(at: int, length: int, steps_per_bar: int) -> bool:
    """Return whether a reader counts a rest easily: it begins at a multiple of its length."""
    longest = 8 if steps_per_bar == 16 else 4
    return length in (1, 2, 4, 8) and length <= longest and at % length == 0


def _note_fits(at: int, length: int, steps_per_bar: int) -> bool:
    """Return whether a note leaves the beats readable, or the syncopation is a common one."""
    within = at % STEPS_PER_BEAT
    if within:
        is_syncope = within == 2 and length == 4 and (at % 8 == 2 or steps_per_bar != 16)
        return length <= STEPS_PER_BEAT - within or is_syncope
    if length == 6:  # a dotted quarter
        return at % 8 == 0 or steps_per_bar != 16
    return True


def beams(bar: Sequence[Written]) -> list[list[str]]:
    """Return for each of a bar's notes what its beams do, the main one first: MusicXML's words."""
    result: list[list[str]] = [[] for _ in bar]
    group: list[int] = []
    for k, written in enumerate(bar):
        is_flagged = bool(written.pitches) and written.value in FLAGS
        if group and not (is_flagged and _beat(bar[group[0]]) == _beat(written)):
            _join(bar, group, result)
            group = []
        if is_flagged:
            group.append(k)
    _join(bar, group, result)
    return result


def _beat(written: Written) -> int:
    return written.start // STEPS_PER_BEAT


def _join(bar: Sequence[Written], group: Sequence[int], result: list[list[str]]) -> None:
    """Set the beams of a group of notes in one beat."""
    if len(group) < 2:
        return
    is_second = [FLAGS[bar[k].value] == 2 for k in group]
    for place, k in enumerate(group):
        is_first, is_last = place == 0, place == len(group) - 1
        result[k].append("begin" if is_first else "end" if is_last else "continue")
        if not is_second[place]:
            continue
        before = not is_first and is_second[place - 1]
        after = not is_last and is_second[place + 1]
        if before or after:
            result[k].append("continue" if before and after else "end" if before else "begin")
        else:
            result[k].append("forward hook" if is_first else "backward hook")


def chord_symbols(chords: list[ChordName | None]) -> dict[int, ChordName]:
    """Return the chords at the steps where another root or quality begins."""
    found: dict[int, ChordName] = {}
    last: tuple[int, str] | None = None
    for beat, chord in enumerate(chords):
        now = None if chord is None else (chord.root, chord.quality)
        if chord is not None and now != last:
            found[beat * STEPS_PER_BEAT] = chord
        last = now
    return found


def symbol_at(symbols: dict[int, ChordName], step: int) -> ChordName | None:
    """Return the last chord named up to a step."""
    before = [at for at in symbols if at <= step]
    return symbols[max(before)] if before else None


def pedal_signs(pedals: Sequence[tuple[int, bool]], first: int, last: int) -> list[tuple[int, str]]:
    """Return what the pedal does at which steps, in words; one that is down ends.

    Lifted and down again a step later at most, it is changed.
    """
    at_step: dict[int, list[bool]] = {}
    for step, is_down in pedals:
        at_step.setdefault(min(max(step, first), last - 1), []).append(is_down)
    found: list[tuple[int, str]] = []
    was_down = False
    for step in sorted(at_step):
        is_down = at_step[step][-1]
        is_change = was_down and is_down and False in at_step[step]
        if is_down and not was_down and found and step - found[-1][0] <= 1:
            found[-1] = step, "change"
        elif is_change or is_down != was_down:
            found.append((step, "change" if is_change else "start" if is_down else "stop"))
        was_down = is_down
    if was_down and (not found or found[-1][0] < last - 1):
        found.append((last - 1, "stop"))
    return found
