"""A song's tempo and metre in a MIDI file: second 0 is tick 0, and its beats are the file's.

A song seldom begins on a step of its grid. What lies before the first step is a lead: one
sixteenth, or as many as come nearest, at a tempo of its own, so that all later steps lie on the
file's grid and at their seconds. The bar with the lead has as many sixteenths as there are before
the first downbeat. Not here: notes.
"""

import mido
import numpy as np
from numpy.typing import NDArray

from engine.midi.tempo_map import SECOND, TICKS_PER_BEAT, TempoMap
from engine.midi.writer import Placed, conductor
from engine.whole_song.beats import Times
from engine.whole_song.grid import STEPS_PER_BEAT, Grid

TICKS_PER_STEP = TICKS_PER_BEAT // STEPS_PER_BEAT
AT_ONCE_S = 0.015  # what comes this soon is at tick 0
LEAST_LEAD_STEPS = 0.5


class SongTempo:
    """Ticks of a song's seconds, and the track that holds them.

    Parameters
    ----------
    grid
        The song's; it may begin before second 0 or after it.
    """

    def __init__(self, grid: Grid) -> None:
        steps = np.arange(grid.n_steps + 1)
        seconds = grid.time(steps)
        lengths = np.diff(seconds, append=grid.time(grid.n_steps + 1))
        first = int(np.argmax(seconds >= LEAST_LEAD_STEPS * lengths))
        lead_steps = max(1, round(float(seconds[first] / lengths[first])))
        beats = steps[(steps > first) & (steps % STEPS_PER_BEAT == 0)]
        starts = np.concatenate([[first], beats])
        at = np.concatenate([[0.0], seconds[starts]])
        ticks = np.concatenate([[0], (lead_steps + starts - first) * TICKS_PER_STEP])
        tempos = np.diff(at) / np.diff(ticks) * TICKS_PER_BEAT * SECOND
        points = zip(at[:-1].tolist(), ticks[:-1].tolist(), tempos.tolist(), strict=True)
        self._map = TempoMap(points)
        self._beats_per_bar = grid.beats_per_bar
        downbeat = -(-first // grid.steps_per_bar) * grid.steps_per_bar
        self._pickup = lead_steps + downbeat - first  # steps before the first whole bar
        if self._pickup == grid.steps_per_bar:
            self._pickup = 0

    def ticks(self, seconds: Times) -> NDArray[np.int64]:
        """Return the ticks of seconds (n,): 0 up to ``AT_ONCE_S``, past the end at its tempo."""
        ticks = [self._map.tick(s) if s > AT_ONCE_S else 0 for s in seconds.tolist()]
        return np.array(ticks, np.int64)

    def conductor(self, name: str, key: str | None = None) -> mido.MidiTrack:
        """Return the track with tempo, metre and, if one is given, the key signature."""
        bar = self._beats_per_bar * STEPS_PER_BEAT
        metres = [(0, self._pickup), (self._pickup, bar)] if self._pickup else [(0, bar)]
        others: list[Placed] = [
            (step * TICKS_PER_STEP, _metre(n_steps)) for step, n_steps in metres
        ]
        if key is not None:
            others.append((0, mido.MetaMessage("key_signature", key=key)))
        return conductor(self._map, name, others)


def _metre(n_steps: int) -> mido.MetaMessage:
    """Return the time signature of a bar of sixteenths, in the longest beats that fit.

    >>> _metre(12).numerator, _metre(6).denominator, _metre(7).denominator
    (3, 8, 16)
    """
    denominator = next(d for d in (4, 8, 16) if n_steps * d % 16 == 0)
    numerator = n_steps * denominator // 16
    return mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)
