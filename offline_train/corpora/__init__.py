"""Corpora behind one protocol: pieces with notes by role, beats, chords, pedal and audio.

``open_corpus`` finds one by name. Each has a module: POP909, folders of MIDI (GiantMIDI-Piano and
Freedoom among them), MAESTRO, GuitarSet, Slakh, MAPS. Not here: making audio of a piece (``band``,
``render``).
"""

from offline_train.corpora.midi import read_notes
from offline_train.corpora.notes import Beat, Chord, Note, Pedal, with_pedal
from offline_train.corpora.piece import (
    SPLITS,
    Corpus,
    Part,
    Piece,
    may_feed_weights,
    readable,
    role_of_program,
)
from offline_train.corpora.pop909 import WHERE, Song, read_song, split_ids
from offline_train.corpora.registry import CORPORA, open_corpus, report, summarise

__all__ = [
    "CORPORA",
    "SPLITS",
    "WHERE",
    "Beat",
    "Chord",
    "Corpus",
    "Note",
    "Part",
    "Pedal",
    "Piece",
    "Song",
    "may_feed_weights",
    "open_corpus",
    "read_notes",
    "read_song",
    "readable",
    "report",
    "role_of_program",
    "split_ids",
    "summarise",
    "with_pedal",
]
