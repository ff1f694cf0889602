"""Crops of songs for the bar network: beats as a clock counts them, and which begin a bar.

The clock counts a song right, or too fast or too slow, a little early or late. Its beats are laid
on what was heard frame by frame, as live, in any key; a share is made to be in three by leaving out
the last beat of each bar of four. Shapes: T frames, n beats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.beat.bars import FASTEST_BPM, SLOWEST_BPM
from engine.beat.steps.attacks import gather_attacks
from engine.beat.steps.gathering import gather_steps
from engine.beat.steps.summary import summarise
from models.bar import BEAT_DIM, LEVELS, RIGHT, STEPS, USUAL_BPM
from offline_train.data.accompaniment.crops import moved

Array = NDArray[np.float32]
Times = NDArray[np.float64]

SHARE_IN_THREE = 0.12
LEVEL_SHARES = (0.19, 0.06, 0.06, 0.38, 0.06, 0.06, 0.19)
TEMPO_SHARE = 0.12  # by which the tempo that is told may differ from the song's
JITTER_S = 0.008  # of all beats of a crop together, and
OWN_JITTER_S = 0.004  # of each
SHARE_BEGINNING = 0.5  # of crops, near the beginning of the song
HALF, TWICE = LEVELS.index(0.5), LEVELS.index(2.0)
OCTAVES = (HALF, RIGHT, TWICE)  # of which some beats are the song's


class HeardSong(NamedTuple):
    """What is heard of a song, frame by frame, and its true beats."""

    onset: NDArray[np.uint8]  # (T, 88) posteriors
    frame: NDArray[np.uint8]  # (T, 88)
    attacks: NDArray[np.float16]  # (T, 6)
    frame_s: float
    beats: Times  # (b,) seconds
    is_downbeat: NDArray[np.bool_]  # (b,)

    def posteriors(self, part: slice = slice(None)) -> tuple[Array, Array]:
        """Return onset and frame posteriors (n, 88) of a part, in [0, 1]."""
        onset, frame = (
            np.asarray(kind[part], np.float32) / np.float32(255)
            for kind in (self.onset, self.frame)
        )
        return onset, frame

    @property
    def bpm(self) -> float:
        """Beats a minute, of the middle beat."""
        return 60 / float(np.median(np.diff(self.beats)))

    @property
    def n_heard(self) -> int:
        """How many of its beats were heard to their ends."""
        return max(int(np.searchsorted(self.beats, len(self.onset) * self.frame_s)) - 1, 0)


class BarCrop(NamedTuple):
    """Beats from the beginning of a crop; those behind its end are zeros and do not count.

    The weights say whether a beat counts: ``counts`` for the level, ``is_known`` for the downbeat.
    """

    beats: Array  # (n, 201)
    is_downbeat: Array  # (n,)
    level: NDArray[np.int64]  # (n,) index into LEVELS
    is_known: Array  # (n,)
    counts: Array  # (n,)


@dataclass(frozen=True, slots=True)
class BarCrops:
    """Songs to draw crops of ``n_beats`` of."""

    songs: Sequence[HeardSong]
    n_beats: int = 64

    def draw(self, rng: np.random.Generator) -> BarCrop:
        """Return a crop, by the choices of ``rng``."""
        song = self.songs[int(rng.integers(len(self.songs)))]
        level = int(rng.choice(len(LEVELS), p=LEVEL_SHARES))
        if not SLOWEST_BPM <= song.bpm * LEVELS[level] <= FASTEST_BPM:
            level = RIGHT
        last = max(song.n_heard - self.n_beats // 2, 1)
        is_near = rng.random() < SHARE_BEGINNING
        first = int(rng.integers(min(last, 8) if is_near else last))
        is_in_three = level == RIGHT and rng.random() < SHARE_IN_THREE
        n = self.n_beats * 4 // 3 if is_in_three else self.n_beats
        beats, is_downbeat = beats_of(song, level, first, n, rng)
        if is_in_three:
            keeps = places(is_downbeat) < 3
            beats, is_downbeat = beats[keeps], is_downbeat[keeps]
        beats[:, -1] += rng.uniform(-TEMPO_SHARE, TEMPO_SHARE) / np.log(2)
        return self._crop(beats[: self.n_beats], is_downbeat[: self.n_beats], level)

    def _crop(self, beats: Array, is_downbeat: NDArray[np.bool_], level: int) -> BarCrop:
        n = len(beats)
        empty = (0, self.n_beats - n)
        counts = np.pad(np.ones(n, np.float32), empty)
        return BarCrop(
            np.pad(beats, (empty, (0, 0))),
            np.pad(is_downbeat.astype(np.float32), empty),
            np.full(self.n_beats, level, np.int64),
            counts * (level in OCTAVES and is_downbeat.any()),  # else bars may begin within beats
            counts,
        )


def beats_of(
    song: HeardSong,
    level: int = RIGHT,
    first: int = 0,
    n_beats: int | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[Array, NDArray[np.bool_]]:
    """Return beats (n, 201) as a clock counts them, and which are downbeats (n,).

    They are counted at a level from the song's beat ``first`` on. ``rng`` draws the key, how
    early or late they are, and where within a beat those begin that are none of the song's;
    without, they are exact.
    """
    pace = LEVELS[level]
    n_there = int((song.n_heard - first) * pace)
    n = n_there if n_beats is None else min(n_beats, n_there)
    if n < 1:
        return np.zeros((0, BEAT_DIM), np.float32), np.zeros(0, bool)
    at = first + np.arange(n + 1) / pace
    if rng is not None and level not in OCTAVES:
        at += rng.random() - 1 if first else 0.0
    times = np.interp(at, np.arange(len(song.beats)), song.beats)
    if rng is not None:
        times += rng.normal(0, JITTER_S) + rng.normal(0, OWN_JITTER_S, n + 1)
    posteriors, attacks = _steps(song, np.maximum(times, 0.0))
    if rng is not None:
        posteriors = moved(posteriors, int(rng.integers(-5, 7)))
    summaries = np.concatenate([summarise(posteriors), attacks], 1).reshape(n, -1)
    tempo = np.full((n, 1), np.log2(song.bpm * pace / USUAL_BPM), np.float32)
    whole = at[:-1].astype(int)
    return np.concatenate([summaries, tempo], 1), song.is_downbeat[whole] & (whole == at[:-1])


def _steps(song: HeardSong, beats: Times) -> tuple[Array, Array]:
    """Return posteriors (S, 88, 2) and attacks (S, 6) of the sixteenths of beats (n + 1,)."""
    n = len(beats) - 1
    steps = np.interp(np.arange(STEPS * n + 1) / STEPS, np.arange(n + 1), beats)
    begin = max(int((2 * beats[0] - beats[1]) / song.frame_s), 0)
    part = slice(begin, int(beats[-1] / song.frame_s) + 2)
    onset, frame = song.posteriors(part)
    steps = steps - begin * song.frame_s
    attacks = song.attacks[part].astype(np.float32)
    return (
        gather_steps(onset, frame, song.frame_s, steps),
        gather_attacks(attacks, song.frame_s, steps),
    )


def places(is_downbeat: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return which beat of its bar each is, from 0; those before the first bar end one of four.

    >>> places(np.array([0, 1, 0, 0, 1, 0], bool)).tolist()
    [3, 0, 1, 2, 0, 1]
    """
    n = np.arange(len(is_downbeat))
    downbeats = np.flatnonzero(is_downbeat)
    if not len(downbeats):
        return n % 4
    last = downbeats[np.maximum(np.searchsorted(downbeats, n, side="right") - 1, 0)]
    return np.asarray((n - last) % np.where(n < last, 4, len(n) + 1), np.int64)
