"""MIDI files from messages at absolute ticks, with a tempo map.

Not here: ticks of seconds (``tempo_map``); a take that is recorded (``file``), whose bytes are
written one message after the other, so that memory does not grow with each save.
"""

from collections.abc import Iterable
from typing import TypeAlias

import mido

from engine.midi.tempo_map import TICKS_PER_BEAT, TempoMap

Message: TypeAlias = mido.Message | mido.MetaMessage
Placed: TypeAlias = tuple[int, Message]
"""A message and its tick."""


def midi_file(
    tracks: Iterable[mido.MidiTrack], ticks_per_beat: int = TICKS_PER_BEAT
) -> mido.MidiFile:
    """Return a file of type 1."""
    return mido.MidiFile(type=1, ticks_per_beat=ticks_per_beat, tracks=list(tracks))


def track_of(messages: Iterable[Placed], name: str | None = None) -> mido.MidiTrack:
    """Return a track of messages in order; ticks of one that is not in order are the last one's.

    >>> [m.time for m in track_of([(0, mido.Message("note_on")), (480, mido.Message("note_off"))])]
    [0, 480]
    """
    track, now = mido.MidiTrack(), 0
    if name is not None:
        track.append(mido.MetaMessage("track_name", name=name))
    for tick, message in messages:
        track.append(message.copy(time=max(tick - now, 0)))
        now = max(tick, now)
    return track


def conductor(tempo: TempoMap, name: str, others: Iterable[Placed] = ()) -> mido.MidiTrack:
    """Return the track of tempo changes and ``others`` (metre, key, texts), ordered by tick."""
    messages = [*tempo.messages(), *others]
    return track_of(sorted(messages, key=lambda placed: placed[0]), name)
