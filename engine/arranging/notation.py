"""An arrangement as files: MIDI with a tempo map and key, MusicXML, hands on tracks of their own.

The MIDI file begins with the grid's first bar. Its tempo changes with each beat, so it also plays
in time with the song; where the grid begins after the song does, an empty bar of that length
stands before it. MusicXML is written by music21 (extra ``arrange``).
"""

import logging
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import mido
import numpy as np

from engine.arranging.arranger import Arranged, GridNote
from engine.arranging.grid import BEATS_PER_BAR, STEPS_PER_BAR, STEPS_PER_BEAT
from engine.errors import DataError, MidiError
from engine.extras import needs

log = logging.getLogger(__name__)

SCORE_SUFFIXES = (".musicxml", ".xml", ".mxl")
TICKS_PER_BEAT = 480
TICKS_PER_STEP = TICKS_PER_BEAT // STEPS_PER_BEAT
LEAST_LEAD_S = 0.05
MAX_TEMPO = 0xFFFFFF  # microseconds a beat that a MIDI file can hold
HANDS = (("right hand", False), ("left hand", True))
TITLE = "Arrangement"


def to_midi(arranged: Arranged) -> mido.MidiFile:
    """Return a type-1 file: tempo map, metre and key; right hand; left hand. Both on channel 1."""
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    hearing = arranged.hearing
    beats = hearing.grid.beats
    has_lead = beats[0] > LEAST_LEAD_S
    lengths = np.diff(beats)
    if has_lead:
        lengths = np.concatenate([np.full(BEATS_PER_BAR, beats[0] / BEATS_PER_BAR), lengths])
    conductor = midi.add_track("livecover")
    conductor.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    conductor.append(mido.MetaMessage("key_signature", key=hearing.key.midi_name))
    for k, length in enumerate(lengths):
        tempo = int(np.clip(round(1e6 * float(length)), 1, MAX_TEMPO))
        delta = TICKS_PER_BEAT if k else 0
        conductor.append(mido.MetaMessage("set_tempo", tempo=tempo, time=delta))
    first = STEPS_PER_BAR if has_lead else 0
    for name, is_left in HANDS:
        track = midi.add_track(name)
        track.append(mido.Message("program_change", program=0))
        track += _messages([n for n in arranged.notes if n.is_left == is_left], first)
    return midi


def _messages(notes: list[GridNote], first: int) -> list[mido.Message]:
    """Return the messages of a hand's notes, moved by ``first`` steps."""
    events = []
    for note in notes:
        on, off = first + note.step, first + note.step + note.length
        events += [(on, 1, note.pitch, note.velocity), (off, 0, note.pitch, 0)]
    messages, now = [], 0
    for step, is_on, pitch, velocity in sorted(events):
        kind = "note_on" if is_on else "note_off"
        delta = (step - now) * TICKS_PER_STEP
        messages.append(mido.Message(kind, note=pitch, velocity=velocity, time=delta))
        now = step
    return messages


def to_score(arranged: Arranged, title: str = TITLE) -> Any:
    """Return a music21 score: two staves, key, metre, the mean tempo and chord symbols.

    Raises
    ------
    DataError
        If music21 is not installed.
    """
    if find_spec("music21") is None:
        raise DataError(needs("MusicXML needs music21", "arrange"))
    m21 = import_module("music21")
    hearing = arranged.hearing
    score = m21.stream.Score()
    score.metadata = m21.metadata.Metadata(title=title, composer="livecover")
    staves = []
    for name, is_left in HANDS:
        notes = [n for n in arranged.notes if n.is_left == is_left]
        staff = m21.stream.PartStaff(id=name)
        staff.append(m21.clef.BassClef() if is_left else m21.clef.TrebleClef())
        staff.append(m21.key.KeySignature(hearing.key.sharps))
        staff.append(m21.meter.TimeSignature("4/4"))
        if not is_left:
            period = float(np.median(np.diff(hearing.grid.beats)))
            staff.insert(0, m21.tempo.MetronomeMark(number=round(60 / period)))
        for step, length, pitches, velocity in chords_of(notes, hearing.grid.n_steps):
            duration = m21.duration.Duration(length / STEPS_PER_BEAT)
            made = m21.chord.Chord(pitches) if len(pitches) > 1 else m21.note.Note(pitches[0])
            made.duration, made.volume.velocity = duration, velocity
            staff.insert(step / STEPS_PER_BEAT, made)
        end = max((note.step + note.length for note in notes), default=0)
        for step, length in rests_from(end, hearing.grid.n_steps):
            rest = m21.note.Rest(quarterLength=length / STEPS_PER_BEAT)
            staff.insert(step / STEPS_PER_BEAT, rest)
        staves.append(staff)
        score.insert(0, staff)
    score.insert(0, m21.layout.StaffGroup(staves, symbol="brace", name="Piano"))
    return score


def rests_from(step: int, n_steps: int) -> list[tuple[int, int]]:
    """Return (step, length) of rests from a step to the end, parted at bars.

    >>> rests_from(10, 48)
    [(10, 6), (16, 16), (32, 16)]
    """
    rests = []
    while step < n_steps:
        length = STEPS_PER_BAR - step % STEPS_PER_BAR
        rests.append((step, length))
        step += length
    return rests


def chords_of(notes: list[GridNote], n_steps: int) -> list[tuple[int, int, tuple[int, ...], int]]:
    """Return (step, length, pitches, velocity) of what a hand strikes together, one voice.

    A voice holds one chord at a time: it lasts as long as its longest note, at most to the next.
    """
    groups: dict[int, list[GridNote]] = {}
    for note in notes:
        groups.setdefault(note.step, []).append(note)
    steps = [*sorted(groups), n_steps]
    rows = []
    for step, following in pairwise(steps):
        group = groups[step]
        length = min(max(note.length for note in group), following - step)
        pitches = tuple(sorted({note.pitch for note in group}))
        rows.append((step, max(length, 1), pitches, max(note.velocity for note in group)))
    return rows


def write(arranged: Arranged, path: Path) -> None:
    """Write an arrangement as MIDI or, by its suffix, as MusicXML.

    Raises
    ------
    DataError
        If music21 is not installed.
    MidiError
        If the file cannot be written.
    """
    partial = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        if path.suffix.lower() in SCORE_SUFFIXES:
            to_score(arranged, path.stem).write(
                "mxl" if path.suffix.lower() == ".mxl" else "musicxml", fp=str(partial)
            )
        else:
            to_midi(arranged).save(partial)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise MidiError(
            f"{str(path)!r} cannot be written ({error.strerror or error}): give a path in a folder"
            " that exists, that you may write to and that has space"
        ) from error
