"""MIDI messages with their times in seconds: read from a file, and written with a song's tempo.

Not here: moving notes (``quantize``), the tempo (``engine.whole_song``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mido
import numpy as np

from engine.core.note_tracker import pair_strokes
from engine.midi.tempo_map import TempoMap
from engine.midi.writer import track_of
from engine.whole_song.song_tempo import SongTempo

NOTES = ("note_on", "note_off")
REPLACED = ("set_tempo", "time_signature", "end_of_track")


@dataclass(slots=True, eq=False)
class Timed:
    """A message and its time in seconds; ``end`` is a note-on's note-off."""

    time: float
    message: mido.Message | mido.MetaMessage
    end: "Timed | None" = None

    @property
    def rank(self) -> int:
        """Order at the same time: note-offs, then others, then note-ons."""
        return {"note_off": 0, "note_on": 2}.get(self.message.type, 1)


def timed_tracks(file: mido.MidiFile) -> list[list[Timed]]:
    """Return each track's messages with times, without tempo and metre; notes are paired."""
    clock = TempoMap.of(file)
    return [_timed(track, clock.seconds) for track in file.tracks]


def _timed(track: mido.MidiTrack, seconds: Callable[[int], float]) -> list[Timed]:
    found: list[Timed] = []
    strokes: list[tuple[tuple[int, int], bool, Timed]] = []
    now = 0
    for message in track:
        now += message.time
        if message.type in REPLACED:
            continue
        if message.type == "note_on" and message.velocity == 0:
            message = mido.Message("note_off", channel=message.channel, note=message.note)
        timed = Timed(seconds(now), message)
        found.append(timed)
        if message.type in NOTES:
            key = message.channel, message.note
            strokes.append((key, message.type == "note_on", timed))
    for on, end in pair_strokes(strokes):
        on.end = end
    return found


def timed_track(messages: Sequence[Timed], tempo: SongTempo) -> mido.MidiTrack:
    """Return a track of timed messages; a note lasts at least a tick."""
    ticks = tempo.ticks(np.array([timed.time for timed in messages])).tolist()
    place = {id(timed): k for k, timed in enumerate(messages)}
    for k, timed in enumerate(messages):
        if timed.end is not None:
            end = place[id(timed.end)]
            ticks[end] = max(ticks[end], ticks[k] + 1)
    order = sorted(range(len(messages)), key=lambda k: (ticks[k], messages[k].rank, k))
    return track_of((ticks[k], messages[k].message) for k in order)
