"""A song's beats, grid, chords and key from the models' outputs.

Shapes: P = 88 pitches, S steps. Not here: the models (``song_analyzer``), the arrangement
(``arranger``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.chroma import bass_of, fold
from engine.whole_song.beats import (
    FASTEST_BPM,
    FASTEST_WALTZ_BPM,
    LEAST_BEATS,
    Beats,
    Times,
    track_beats,
)
from engine.whole_song.frame_rows import FrameRows
from engine.whole_song.grid import (
    BEATS_PER_BAR,
    STEPS_PER_BEAT,
    UNIT_BARS,
    Grid,
    bar_phases,
    grid_of,
)
from engine.whole_song.harmony import ChordName, Key, find_key, recognise, vector_of
from engine.whole_song.song_analyzer import MelodyNote, ModelOutputs
from models.spec import N_PITCHES

Array = NDArray[np.float32]
Halves = NDArray[np.float16]

WALTZ = 3  # beats a bar
WALTZ_MARGIN = 0.8  # how well bars of three must fit, against bars of four


@dataclass(frozen=True, slots=True)
class SongAnalysis:
    """A song on its grid: the arranger's input."""

    grid: Grid
    sound: Halves  # (steps of all units, P, 4): onset, frame, velocity, melody, each in [0, 1]
    chords: list[ChordName | None]  # one a beat of all units
    key: Key
    melody: list[MelodyNote]

    def chord_vectors(self) -> Array:
        """Return the chords (beats, 36)."""
        return np.stack([vector_of(chord) for chord in self.chords])


def analyze(outputs: ModelOutputs, beats_per_bar: int | None = None) -> SongAnalysis:
    """Return a song's analysis; bars are as :func:`find_beats` has them.

    Raises
    ------
    DataError
        If there are too few beats.
    """
    beats = find_beats(outputs, beats_per_bar)
    grid = grid_of(beats.times, beats.first_downbeat, outputs.seconds, beats.beats_per_bar)
    return on_grid(outputs, grid)


def find_beats(outputs: ModelOutputs, beats_per_bar: int | None = None) -> Beats:
    """Return the beats, in bars of four, or of three where only these fit.

    Bars fit where harmony changes and the bass plays at their begin more than elsewhere. A song in
    three may be faster than one in four.
    """
    found = {}
    for metre, fastest_bpm in ((BEATS_PER_BAR, FASTEST_BPM), (WALTZ, FASTEST_WALTZ_BPM)):
        if beats_per_bar in (None, metre):
            times = track_beats(outputs.onset_strength, outputs.frame_s, fastest_bpm)
            phases = _phases(outputs, times, metre)
            found[metre] = float(np.ptp(phases)), Beats(times, int(phases.argmax()), metre)
    if len(found) == 2:
        four, three = found[BEATS_PER_BAR], found[WALTZ]
        return (three if three[0] > WALTZ_MARGIN * four[0] else four)[1]
    return found[beats_per_bar or BEATS_PER_BAR][1]


def _phases(outputs: ModelOutputs, beats: Times, beats_per_bar: int) -> NDArray[np.floating]:
    """Return how well each of the first beats does as a downbeat; the first one of too few."""
    if len(beats) < LEAST_BEATS:
        return np.asarray(np.eye(1, beats_per_bar)[0])
    onset = _between(outputs.onset, outputs, _around(beats), np.maximum)
    sounding = _between(outputs.frame, outputs, _from(beats), np.add)
    return bar_phases(onset.sum(1), bass_of(onset).max(1), fold(sounding), beats_per_bar)


def on_grid(outputs: ModelOutputs, grid: Grid) -> SongAnalysis:
    """Return the outputs on the steps of a grid, padded with silence to whole units."""
    n_steps = grid.n_units * UNIT_BARS * grid.steps_per_bar
    steps = grid.time(np.arange(n_steps))
    sound = np.empty((n_steps, N_PITCHES, 4), np.float16)
    sound[..., 0] = _between(outputs.onset, outputs, _around(steps), np.maximum)
    sounding = _between(outputs.frame, outputs, _from(steps), np.add)
    sound[..., 1] = sounding
    sound[..., 2] = _between(outputs.velocity, outputs, _around(steps), np.maximum)
    sound[..., 3] = _between(outputs.melody_frame, outputs, _from(steps), np.add)
    by_beat = sounding.reshape(-1, STEPS_PER_BEAT, N_PITCHES).mean(1)
    key = find_key(fold(by_beat).sum(0))
    return SongAnalysis(grid, sound, recognise(by_beat), key, outputs.melody)


def _from(times: Times) -> Times:
    """Return the edges (n + 1,) of intervals that begin at times (n,)."""
    return np.append(times, 2 * times[-1] - times[-2])


def _around(times: Times) -> Times:
    """Return the edges (n + 1,) of intervals around times (n,)."""
    edges = _from(times)
    middles = (edges[1:] + edges[:-1]) / 2
    return np.concatenate([[2 * times[0] - middles[0]], middles])


def _between(rows: FrameRows, outputs: ModelOutputs, edges: Times, how: np.ufunc) -> Array:
    """Return (n, P): the greatest or the mean of rows between edges (n + 1,) in seconds."""
    return rows.between(np.round(edges / outputs.frame_s).astype(np.int64), how)
