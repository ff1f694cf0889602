"""A take, and what a MIDI file holds of it."""

import itertools
from pathlib import Path

import mido

from engine.core.notes import NoteEvent

TAKE = [
    NoteEvent(0.5, 72, 90, "melody"),
    NoteEvent(0.5, 48, 60),
    NoteEvent(1.0, 72, 0, "melody"),
    NoteEvent(2.25, 48, 0),
]


def read(path: Path) -> dict[str, list[tuple[float, str, int, int, int]]]:
    """Return {track: [(seconds, type, channel, pitch, velocity)]} of a file at 120 a minute."""
    file = mido.MidiFile(path)
    assert (file.type, file.ticks_per_beat) == (1, 960)
    assert [m.tempo for m in file.tracks[0] if m.type == "set_tempo"] == [500_000]
    tracks = {}
    for track in file.tracks:
        ticks = list(itertools.accumulate(message.time for message in track))
        tracks[track.name] = [
            (tick / 1920, m.type, m.channel, m.note, m.velocity)
            for tick, m in zip(ticks, track, strict=True)
            if m.type.startswith("note")
        ]
    return tracks
