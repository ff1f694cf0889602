"""Seconds and ticks of a MIDI file, at any tempo changes.

Not here: where a song's beats are (``engine.whole_song``), other messages (``writer``).
"""

from bisect import bisect_right
from collections.abc import Iterable

import mido

TICKS_PER_BEAT = 960  # of files that are written
DEFAULT_TEMPO = 500_000  # microseconds a beat: 120 beats a minute
MAX_TEMPO = 0xFFFFFF  # that a MIDI file can hold
SECOND = 1_000_000  # microseconds


class TempoMap:
    """Seconds to ticks and back.

    Parameters
    ----------
    changes
        (second, tick, microseconds a beat) from where each tempo holds; seconds and ticks rise,
        and the first are 0.
    ticks_per_beat
        Of the file.
    """

    def __init__(
        self,
        changes: Iterable[tuple[float, float, float]] = ((0.0, 0.0, DEFAULT_TEMPO),),
        ticks_per_beat: int = TICKS_PER_BEAT,
    ) -> None:
        self.ticks_per_beat = ticks_per_beat
        self._changes = list(changes)
        self._seconds = [second for second, _, _ in self._changes]
        self._ticks = [tick for _, tick, _ in self._changes]

    @classmethod
    def of(cls, midi: mido.MidiFile) -> "TempoMap":
        """Return the tempo map of a MIDI file, from the tempo changes of all its tracks."""
        found = cls(ticks_per_beat=midi.ticks_per_beat)
        for tick, tempo in messages_of(midi, "set_tempo"):
            found.change(found.seconds(tick), tick, tempo.tempo)
        return found

    def change(self, second: float, tick: float, tempo: float) -> None:
        """Let another tempo hold from (second, tick) on, which is not before the last change."""
        self._changes.append((second, tick, tempo))
        self._seconds.append(second)
        self._ticks.append(tick)

    def seconds(self, tick: float) -> float:
        """Return the seconds at a tick."""
        second, start, tempo = self._changes[bisect_right(self._ticks, tick) - 1]
        return second + (tick - start) / self.ticks_per_beat * tempo / SECOND

    def exact_tick(self, seconds: float) -> float:
        """Return the tick at ``seconds``, with its fraction; below 0 before second 0."""
        second, tick, tempo = self._changes[max(0, bisect_right(self._seconds, seconds) - 1)]
        return tick + (seconds - second) * self.ticks_per_beat * SECOND / tempo

    def tick(self, seconds: float) -> int:
        """Return the tick nearest to ``seconds``; 0 before second 0.

        >>> TempoMap().tick(1.5)
        2880
        """
        return max(0, round(self.exact_tick(seconds)))

    def messages(self) -> list[tuple[int, mido.MetaMessage]]:
        """Return (tick, message) of each change to another tempo."""
        found: list[tuple[int, mido.MetaMessage]] = []
        last = 0
        for _, tick, exact in self._changes:
            tempo = min(max(round(exact), 1), MAX_TEMPO)
            if tempo != last:
                found.append((round(tick), mido.MetaMessage("set_tempo", tempo=tempo)))
            last = tempo
        return found


def messages_of(midi: mido.MidiFile, kind: str) -> list[tuple[int, mido.MetaMessage]]:
    """Return (tick, message) of one type of message from all tracks, ordered by tick."""
    found = []
    for track in midi.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == kind:
                found.append((tick, message))
    return sorted(found, key=lambda change: change[0])
