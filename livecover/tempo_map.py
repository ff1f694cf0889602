"""MIDI files and seconds: messages at their moments, and a file whose beats are a song's.

Second 0 of a file is second 0 of the song. Where its first beat comes later, what lies before it is
a beat of its own, so that every later beat lies on a beat of the file. Not here: which moments the
notes are moved to (``quantize``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mido
import numpy as np

from engine.arranging.grid import BEATS_PER_BAR, Times
from engine.note_tracker import pair_strokes

TICKS_PER_BEAT = 960
LEAST_LEAD_S = 0.05
MAX_TEMPO = 0xFFFFFF  # microseconds a beat that a MIDI file can hold
NOTES = ("note_on", "note_off")
REPLACED = ("set_tempo", "time_signature", "end_of_track")


@dataclass(slots=True, eq=False)
class Timed:
    """A message at its second; ``end`` is a note-on's note-off."""

    time: float
    message: mido.Message | mido.MetaMessage
    end: "Timed | None" = None

    @property
    def rank(self) -> int:
        """What comes first at a moment: ends, then all but notes, then note-ons."""
        return {"note_off": 0, "note_on": 2}.get(self.message.type, 1)


def timed_tracks(file: mido.MidiFile) -> list[list[Timed]]:
    """Return each track's messages at their seconds, without tempo and metre; notes are paired."""
    tempos = [(0, 500_000)]
    for track in file.tracks:
        ticks = np.cumsum([message.time for message in track], dtype=np.int64)
        tempos += [
            (int(tick), message.tempo)
            for tick, message in zip(ticks, track, strict=True)
            if message.type == "set_tempo"
        ]
    tempos.sort(key=lambda row: row[0])
    at = np.array([tick for tick, _ in tempos], float)
    pace = np.array([tempo for _, tempo in tempos], float) / 1e6 / file.ticks_per_beat
    since = np.concatenate([[0.0], np.cumsum(np.diff(at) * pace[:-1])])

    def seconds(tick: int) -> float:
        k = int(np.searchsorted(at, tick, side="right")) - 1
        return float(since[k] + (tick - at[k]) * pace[k])

    return [_timed(track, seconds) for track in file.tracks]


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


class TempoMap:
    """A file's tempo, so that beats (n >= 2,) of a song, in seconds, are beats of the file.

    ``first_downbeat`` is which of the beats begins a bar; bars have four beats, and the first one
    as many as there are before it.
    """

    def __init__(self, beats: Times, first_downbeat: int) -> None:
        has_lead = beats[0] > LEAST_LEAD_S
        self._points = np.concatenate([[0.0], beats if has_lead else beats[1:]])
        self._pickup = (first_downbeat + has_lead) % BEATS_PER_BAR

    def tick(self, second: float) -> int:
        """Return the tick of a second; past the last beat at its tempo."""
        points = self._points
        beyond = max(0.0, second - points[-1]) / (points[-1] - points[-2])
        beat = float(np.interp(second, points, np.arange(len(points)))) + beyond
        return max(0, int(round(beat * TICKS_PER_BEAT)))

    def conductor(self) -> mido.MidiTrack:
        """Return the track with tempo and metre."""
        track = mido.MidiTrack([mido.MetaMessage("track_name", name="tempo")])
        for k, length in enumerate(np.diff(self._points)):
            delta = TICKS_PER_BEAT if k else 0
            if k in (0, self._pickup):
                metre = BEATS_PER_BAR if k else self._pickup or BEATS_PER_BAR
                track.append(_metre(metre, delta))
                delta = 0
            tempo = int(np.clip(round(1e6 * float(length)), 1, MAX_TEMPO))
            track.append(mido.MetaMessage("set_tempo", tempo=tempo, time=delta))
        return track

    def track(self, messages: Sequence[Timed]) -> mido.MidiTrack:
        """Return a track of messages at their seconds."""
        track, now = mido.MidiTrack(), 0
        rows = [(self.tick(timed.time), timed.rank, k, timed) for k, timed in enumerate(messages)]
        for tick, _, _, timed in sorted(rows, key=lambda row: row[:3]):
            track.append(timed.message.copy(time=tick - now))
            now = tick
        return track


def _metre(n_beats: int, delta: int) -> mido.MetaMessage:
    return mido.MetaMessage("time_signature", numerator=n_beats, denominator=4, time=delta)
