"""Reads MIDI files: notes, programs, pedal and the beat grid, in seconds.

Not here: which track plays which part of a song, which each corpus's reader says.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import mido

from engine.core.errors import DataError
from engine.core.note_tracker import pair_strokes
from engine.midi.reader import ForeignMidi, read_midi
from engine.midi.tempo_map import TempoMap, messages_of
from offline_train.corpora.notes import Beat, Note, Pedal

DRUM_CHANNEL = 9  # counted from 0
NOTES = ("note_on", "note_off")
SUSTAIN = 64  # controller; 64 and above is down (MIDI 1.0, table III)
MAX_BEATS = 100_000  # a file that promises more is broken: eleven hours at 150 a minute


@dataclass(slots=True)
class Line:
    """What one track plays with one program on one channel, ordered by time."""

    track: str
    channel: int
    program: int
    notes: list[Note] = field(default_factory=list)
    pedals: list[Pedal] = field(default_factory=list)

    @property
    def is_drums(self) -> bool:
        """Whether this is General MIDI's drum channel."""
        return self.channel == DRUM_CHANNEL


_Stroke = tuple[Hashable, bool, tuple[float, int, int, Line | None]]
"""Key, whether it is a note-on, and its seconds, pitch, velocity and line (``pair_strokes``)."""


def read_notes(path: Path) -> dict[str, list[Note]]:
    """Return the notes of each track of a MIDI file by track name, whatever their channels.

    Raises
    ------
    DataError
        If the file is missing or is not MIDI.
    """
    return midi_notes(read_midi(path))


def midi_notes(midi: mido.MidiFile) -> dict[str, list[Note]]:
    """Return the notes of a parsed file, as ``read_notes`` does."""
    clock = TempoMap.of(midi)
    return {track.name: _track_notes(track, clock) for track in midi.tracks}


def _track_notes(track: mido.MidiTrack, clock: TempoMap) -> list[Note]:
    """Return a track's notes; a pitch struck again ends the note before, silent or not."""
    strokes: list[_Stroke] = []
    tick = 0
    for message in track:
        tick += message.time
        if message.type in NOTES:
            stroke = clock.seconds(tick), message.note, message.velocity, None
            strokes.append((message.note, is_note_on(message), stroke))
    return sorted(note for note, _ in _paired(strokes))


def is_note_on(message: mido.Message) -> bool:
    """Return whether a note message begins a note."""
    return bool(message.type == "note_on" and message.velocity > 0)


def _paired(strokes: list[_Stroke]) -> Iterator[tuple[Note, Line | None]]:
    """Yield the notes of strokes that last, each with the line where it began."""
    for (onset, pitch, velocity, line), off in pair_strokes(strokes):
        if off is not None and off[0] > onset:
            yield Note(onset, off[0], pitch, velocity), line


def read_lines(path: Path) -> list[Line]:
    """Return what each track plays with each program on each channel; silent ones are left out.

    A pitch that is struck again ends the note before it; a note that never ends is dropped.

    Raises
    ------
    DataError
        If the file is missing or is not MIDI.
    """
    return midi_lines(read_midi(path))


def midi_lines(midi: mido.MidiFile) -> list[Line]:
    """Return the lines of a parsed file, as ``read_lines`` does."""
    clock = TempoMap.of(midi)
    lines: dict[tuple[int, int, int], Line] = {}
    pedals: dict[int, list[Pedal]] = defaultdict(list)
    first_programs = dict.fromkeys(range(16), 0)  # a track may leave its channel's to another
    for _, change in reversed(messages_of(midi, "program_change")):
        first_programs[change.channel] = change.program
    for k, track in enumerate(midi.tracks):
        name = track.name  # which mido looks for among all messages
        programs = dict(first_programs)
        strokes: list[_Stroke] = []
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "program_change":
                programs[message.channel] = message.program
            elif message.type == "control_change" and message.control == SUSTAIN:
                pedals[message.channel].append(Pedal(clock.seconds(tick), message.value >= 64))
            elif message.type in NOTES:
                line = None
                if is_note_on(message):
                    channel, program = message.channel, programs[message.channel]
                    line = lines.setdefault((k, channel, program), Line(name, channel, program))
                stroke = clock.seconds(tick), message.note, message.velocity, line
                strokes.append(((message.channel, message.note), is_note_on(message), stroke))
        for note, began in _paired(strokes):
            assert began is not None
            began.notes.append(note)
    for line in lines.values():
        line.notes.sort()
        line.pedals = _pedal_changes(pedals[line.channel])
    return [line for line in lines.values() if line.notes]


def _pedal_changes(pedals: list[Pedal]) -> list[Pedal]:
    """Return only the changes: half-pedalling writes dozens of values between two of them."""
    changes: list[Pedal] = []
    for pedal in sorted(pedals, key=lambda p: p.time):
        if pedal.is_down != (changes[-1].is_down if changes else False):
            changes.append(pedal)
    return changes


def midi_beats(midi: mido.MidiFile) -> list[Beat]:
    """Return the beats of the file's own grid, from its time signatures, to its last event.

    There are none where time is given in SMPTE's frames.
    A beat is the time signature's lower figure; 6/8, 9/8 and 12/8 have three quavers a beat.
    Performances that were recorded without a click have a grid that means nothing.

    Raises
    ------
    DataError
        If the file is too long to be music.
    """
    if isinstance(midi, ForeignMidi) and not midi.has_beats:
        return []
    clock = TempoMap.of(midi)
    last = max((sum(m.time for m in track) for track in midi.tracks), default=0)
    changes = [(0, 4, 4)]
    for tick, signature in messages_of(midi, "time_signature"):
        changes.append((tick, signature.numerator, signature.denominator))
    edges = [tick for tick, _, _ in changes[1:]] + [last]
    beats: list[Beat] = []
    for (tick, upper, lower), end in zip(changes, edges, strict=True):
        is_compound = lower == 8 and upper % 3 == 0 and upper > 3
        unit = max(clock.ticks_per_beat * 4 // lower * (3 if is_compound else 1), 1)
        n_beats_a_bar = max(upper // 3 if is_compound else upper, 1)
        if len(beats) + (end - tick) // unit > MAX_BEATS:
            raise DataError(
                f"{midi.filename}: expected a piece of music, got more than {MAX_BEATS} beats"
            )
        for k, at in enumerate(range(tick, end, unit)):
            beats.append(Beat(clock.seconds(at), k % n_beats_a_bar == 0))
    return beats
