"""An arrangement as a file: MIDI with a tempo map and key, hands on tracks of their own; MusicXML.

Second 0 of the MIDI file is second 0 of the song (``song_tempo``), so the two sound together.
"""

from pathlib import Path

import mido
import numpy as np

from engine.midi.writer import Placed, midi_file, track_of
from engine.system.whole_file import written_whole
from engine.whole_song.arranger import Arranged
from engine.whole_song.grid_notes import GridNote
from engine.whole_song.musicxml import write_compressed, write_score
from engine.whole_song.song_tempo import SongTempo

SCORE_SUFFIXES = (".musicxml", ".xml", ".mxl")
HANDS = (("right hand", False), ("left hand", True))


def to_midi(arranged: Arranged) -> mido.MidiFile:
    """Return a type-1 file: tempo map, metre and key; right hand; left hand. Both on channel 1."""
    grid = arranged.analysis.grid
    tempo = SongTempo(grid)
    tracks = [tempo.conductor("livecover", arranged.analysis.key.midi_name)]
    ticks = tempo.ticks(grid.time(np.arange(grid.n_steps + 1))).tolist()
    for name, is_left in HANDS:
        notes = [note for note in arranged.notes if note.is_left == is_left]
        program = (0, mido.Message("program_change", program=0))
        tracks.append(track_of([program, *_messages(notes, ticks)], name))
    return midi_file(tracks)


def _messages(notes: list[GridNote], ticks: list[int]) -> list[Placed]:
    """Return the messages of a hand's notes, by the ticks of the grid's steps."""
    events = []
    for note in notes:
        on, off = ticks[note.step], ticks[note.step + note.length]
        if off > on:
            events += [(on, 1, note.pitch, note.velocity), (off, 0, note.pitch, 0)]
    return [
        (tick, mido.Message("note_on" if is_on else "note_off", note=pitch, velocity=velocity))
        for tick, is_on, pitch, velocity in sorted(events)
    ]


def write(arranged: Arranged, path: Path) -> None:
    """Write an arrangement as MIDI or, by its suffix, as MusicXML.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    with written_whole(path) as file:
        if path.suffix.lower() == ".mxl":
            write_compressed(arranged, path.stem, file)
        elif path.suffix.lower() in SCORE_SUFFIXES:
            write_score(arranged, path.stem, file)
        else:
            to_midi(arranged).save(file=file)
