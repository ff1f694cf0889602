"""Corpora behind one protocol: pieces with notes by role, beats, chords, pedal and audio.

Not here: making audio of a piece (``band``, ``render``).
"""

from offline_train.corpora.midi import read_notes
from offline_train.corpora.notes import Beat, Chord, Note, Pedal, with_pedal
from offline_train.corpora.pop909 import WHERE, Song, read_song, split_ids

SPLITS = ("train", "valid", "test")

__all__ = [
    "SPLITS",
    "WHERE",
    "Beat",
    "Chord",
    "Note",
    "Pedal",
    "Song",
    "read_notes",
    "read_song",
    "split_ids",
    "with_pedal",
]
