"""Songs at other tempos and in other metres, with their true beats. Times are seconds.

A song is moved onto beats of another tempo, which drifts as a player's does, with random swing;
``in_three`` makes a song in three of one in four. Not here: rendering it (``stems``).
"""

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline_train.corpora import Beat, Chord, Note, Piece, Song

Times = NDArray[np.float64]

SLOWEST_BPM, FASTEST_BPM = 52.0, 190.0
MOST_STRETCH = 1.45  # a song played so much slower or faster is still a song
SWING_SHARE, DRIFT_SHARE, RAMP_SHARE = 0.2, 0.5, 0.15
MOST_JITTER_S = 0.012  # standard deviation of a player's onsets, beside the grooves' own


def retimed(song: Song, rng: np.random.Generator) -> Song:
    """Return a song at another tempo, with drift, swing and players' jitter drawn from ``rng``.

    A song with fewer than three beats is returned as it is.
    """
    old = np.unique([beat.time for beat in song.beats])
    if len(old) < 3:
        return song
    new = _new_beats(np.diff(old), rng)
    knots = (_with_halves(old, 0.5), _with_halves(new, _swing(rng)))
    jitter = float(rng.uniform(0.0, MOST_JITTER_S))

    def notes(source: list[Note]) -> list[Note]:
        onsets = warp([n.onset for n in source], *knots) + rng.normal(0, jitter, len(source))
        offsets = warp([n.offset for n in source], *knots)
        return sorted(
            n._replace(onset=max(on, 0.0), offset=max(off, on + 0.03))
            for n, on, off in zip(source, onsets.tolist(), offsets.tolist(), strict=True)
        )

    beats = warp([beat.time for beat in song.beats], *knots).tolist()
    starts = warp([chord.start for chord in song.chords], *knots).tolist()
    ends = warp([chord.end for chord in song.chords], *knots).tolist()
    return Song(
        song.song_id,
        notes(song.melody),
        notes(song.bridge),
        notes(song.piano),
        [beat._replace(time=time) for beat, time in zip(song.beats, beats, strict=True)],
        [
            chord._replace(start=start, end=end)
            for chord, start, end in zip(song.chords, starts, ends, strict=True)
        ],
    )


def _new_beats(intervals: Times, rng: np.random.Generator) -> Times:
    """Return the times of beats, from 0.2 s on, whose intervals are the old ones made anew."""
    bpm = 60 / float(np.median(intervals))
    low = max(SLOWEST_BPM / bpm, 1 / MOST_STRETCH)
    high = min(FASTEST_BPM / bpm, MOST_STRETCH)
    faster = np.exp(rng.uniform(np.log(low), np.log(high))) if low < high else 1.0
    n, curve = len(intervals), np.zeros(len(intervals))
    if rng.random() < DRIFT_SHARE:  # a random walk that is drawn back to the tempo
        steps = rng.normal(0, rng.uniform(0.002, 0.012), n)
        for k in range(1, n):
            curve[k] = 0.93 * curve[k - 1] + steps[k]
    if rng.random() < RAMP_SHARE:
        at, length = rng.uniform(0, n), rng.uniform(8, 48)
        rise = np.clip((np.arange(n) - at) / length, 0, 1)
        curve += float(rng.uniform(-0.2, 0.2)) * rise
    return np.cumsum(np.append(0.2, intervals / faster * np.exp(curve)))


def _swing(rng: np.random.Generator) -> float:
    """Return where the off-beat falls in its beat: in the middle, or later."""
    return float(rng.uniform(0.54, 0.68)) if rng.random() < SWING_SHARE else 0.5


def _with_halves(beats: Times, where: float) -> Times:
    """Return the beats (n,) and their off-beats, (2 n - 1,)."""
    halves = beats[:-1] + where * np.diff(beats)
    return np.append(np.stack([beats[:-1], halves], 1).ravel(), beats[-1])


def warp(times: Any, old: Times, new: Times) -> Times:
    """Return times moved as ``old`` is moved to ``new`` (both rising), its ends' pace beyond it.

    >>> warp([-1.0, 0.5, 3.0], np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.5, 2.5])).tolist()
    [0.5, 1.25, 3.5]
    """
    at = np.asarray(times, np.float64)
    moved = np.interp(at, old, new)
    first = (new[1] - new[0]) / (old[1] - old[0])
    last = (new[-1] - new[-2]) / (old[-1] - old[-2])
    moved = np.where(at < old[0], new[0] + (at - old[0]) * first, moved)
    return np.where(at > old[-1], new[-1] + (at - old[-1]) * last, moved)


def in_three(song: Song) -> Song:
    """Return a song in four without its fourth beats: one in three. Others as they are.

    What is struck in a fourth beat goes, what sounds through one is shortened by it.
    """
    times = [beat.time for beat in song.beats]
    downbeats = [k for k, beat in enumerate(song.beats) if beat.is_downbeat]
    bars = [(a, b) for a, b in pairwise(downbeats) if b - a == 4]
    if len(bars) < 4 or len(bars) < 0.8 * (len(downbeats) - 1):
        return song
    cuts = [(times[a + 3], times[b]) for a, b in bars]
    starts, ends = np.array(cuts).T
    gone = np.cumsum(ends - starts)

    def moved(time: float) -> float:
        k = int(np.searchsorted(ends, time, "right"))
        before = float(gone[k - 1]) if k else 0.0
        inside = max(time - float(starts[k]), 0.0) if k < len(starts) else 0.0
        return time - before - inside

    def is_kept(time: float) -> bool:
        k = int(np.searchsorted(ends, time + 0.02, "right"))
        return k == len(starts) or time + 0.02 < starts[k]

    def notes(source: list[Note]) -> list[Note]:
        kept = [n for n in source if is_kept(n.onset)]
        shorter = [n._replace(onset=moved(n.onset), offset=moved(n.offset)) for n in kept]
        return [n for n in shorter if n.offset - n.onset > 0.02]

    chords = [Chord(moved(c.start), moved(c.end), c.symbol) for c in song.chords]
    return Song(
        song.song_id,
        notes(song.melody),
        notes(song.bridge),
        notes(song.piano),
        [Beat(moved(b.time), b.is_downbeat) for b in song.beats if is_kept(b.time)],
        [c for c in chords if c.end - c.start > 0.02],
    )


def in_bars_of_three(song: Song) -> Song:
    """Return a song whose bars of six beats are two of three; others as they are."""
    beats, since = [], 0
    downbeats = [k for k, beat in enumerate(song.beats) if beat.is_downbeat]
    lengths = [b - a for a, b in pairwise(downbeats)]
    if not lengths or max(set(lengths), key=lengths.count) != 6:
        return song
    for beat in song.beats:
        since = 0 if beat.is_downbeat else since + 1
        beats.append(Beat(beat.time, beat.is_downbeat or since == 3))
    return dataclasses.replace(song, beats=beats)


def retimed_piece(piece: Piece, faster: float) -> Piece:
    """Return a piece of any corpus played ``faster`` times as fast."""

    def part(notes: list[Note]) -> list[Note]:
        return [n._replace(onset=n.onset / faster, offset=n.offset / faster) for n in notes]

    parts = tuple(dataclasses.replace(p, notes=part(p.sounding()), pedals=[]) for p in piece.parts)
    beats = [beat._replace(time=beat.time / faster) for beat in piece.beats]
    return dataclasses.replace(piece, parts=parts, beats=beats)
