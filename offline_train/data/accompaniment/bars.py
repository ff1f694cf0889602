"""Crops of songs for the bar network: beats, right ones or half or twice, and which begin a bar.

Songs lie on sixteenths with real or simulated posteriors, in any key; a share is made to be in
three by leaving out the last beat of each bar of four. Shapes: S steps, T beats of a crop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.beat.summary import SUMMARY_DIM, summarise
from models.bar import BEAT_DIM, LEVELS, STEPS, USUAL_BPM
from offline_train.data.accompaniment.crops import ExcerptPosteriors, moved
from offline_train.data.accompaniment.posterior_noise import PosteriorNoise
from offline_train.data.accompaniment.songs import GridSong

Array = NDArray[np.float32]
Places = NDArray[np.integer]

SHARE_REAL = 0.7  # of crops, of songs with real posteriors
SHARE_IN_THREE = 0.15
LEVEL_SHARES = (0.25, 0.55, 0.2)
TEMPO_SHARE = 0.2  # by which the tempo that is told may differ from the song's
HALF, RIGHT, TWICE = range(len(LEVELS))


class BarCrop(NamedTuple):
    """Beats from the beginning of a crop; those behind its end are zeros and do not count.

    The weights say whether a beat counts: ``counts`` for the level, ``is_known`` for the downbeat.
    """

    beats: Array  # (T, 177)
    is_downbeat: Array  # (T,)
    level: NDArray[np.int64]  # (T,) index into LEVELS
    is_known: Array  # (T,)
    counts: Array  # (T,)


@dataclass(frozen=True, slots=True)
class BarCrops:
    """Songs to draw crops of ``n_beats`` of. As ``crops.Crops`` has them."""

    songs: Sequence[GridSong]
    noise: PosteriorNoise
    real: dict[str, list[ExcerptPosteriors]]
    n_beats: int = 64

    def draw(self, rng: np.random.Generator) -> BarCrop:
        """Return a crop, by the choices of ``rng``."""
        level = int(rng.choice(len(LEVELS), p=LEVEL_SHARES))
        known = [song for song in self.songs if song.song_id in self.real]
        if known and rng.random() < SHARE_REAL:
            song = known[int(rng.integers(len(known)))]
            excerpts = self.real[song.song_id]
            excerpt = excerpts[rng.integers(len(excerpts))]
            rows, place, level = _excerpt(song, excerpt, level)
        else:
            level = min(level, RIGHT)
            song = self.songs[int(rng.integers(len(self.songs)))]
            n_steps = 3 * STEPS * self.n_beats  # enough where beats are joined or left out
            first = int(rng.integers(max(song.n_steps - n_steps, 0) + 1))
            part = slice(first, first + n_steps)
            rows = self.noise.simulate(song.bands[rng.integers(len(song.bands)), part], rng)
            place = song.place[part].astype(np.int64)
        begin = int(rng.integers(max(len(rows) - 2 * STEPS * self.n_beats, 0) + 1))
        rows, place = moved(rows[begin:], int(rng.integers(-5, 7))), place[begin:]
        if level == RIGHT and rng.random() < SHARE_IN_THREE:
            keeps = place < 3 * STEPS
            rows, place = rows[keeps], place[keeps]
        bpm = song.bpm * LEVELS[level] * float(np.exp(rng.uniform(-TEMPO_SHARE, TEMPO_SHARE)))
        return self._crop(*beats_of(rows, place, bpm, level, bool(rng.random() < 0.5)), level)

    def _crop(self, beats: Array, is_downbeat: Array, level: int) -> BarCrop:
        n = min(len(beats), self.n_beats)
        empty = (0, self.n_beats - n)
        counts = np.pad(np.ones(n, np.float32), empty)
        return BarCrop(
            np.pad(beats[:n], (empty, (0, 0))),
            np.pad(is_downbeat[:n], empty),
            np.full(self.n_beats, level, np.int64),
            counts * is_downbeat[:n].any(),  # bars that begin within beats are unknown to them
            counts,
        )


def _excerpt(
    song: GridSong, excerpt: ExcerptPosteriors, level: int
) -> tuple[Array, NDArray[np.int64], int]:
    """Return posteriors, places and level of an excerpt, the right one where twice is not kept."""
    n = min(len(excerpt.values), song.n_steps - excerpt.first)
    place = song.place[excerpt.first : excerpt.first + n].astype(np.int64)
    if level == TWICE and excerpt.fine is not None:
        doubled = np.stack([2 * place, 2 * place + 1], 1).reshape(-1)
        return (excerpt.fine[: 2 * n] / 255).astype(np.float32), doubled, level
    return excerpt.rows(n), place, min(level, RIGHT)


def beats_of(
    posteriors: Array, place: Places, bpm: float, level: int = RIGHT, is_odd: bool = False
) -> tuple[Array, Array]:
    """Return the whole beats (T, 177) of steps (S, 88, 2), and which are downbeats (T,).

    ``place`` (S,) is how many steps the bar is old. Half as many beats are made of two each, from
    the first or, ``is_odd``, the second one on.
    """
    starts = np.flatnonzero(place % STEPS == 0)
    if not len(starts):
        return np.zeros((0, BEAT_DIM), np.float32), np.zeros(0, np.float32)
    first = int(starts[0]) + (STEPS if is_odd and level == HALF else 0)
    posteriors, place = posteriors[first:], place[first:]
    if level == HALF:
        pairs = posteriors[: len(posteriors) // 2 * 2].reshape(-1, 2, *posteriors.shape[1:])
        posteriors = np.stack([pairs[..., 0].max(1), pairs[..., 1].mean(1)], -1)
        place = place[::2]
    n = min(len(posteriors), len(place)) // STEPS
    summaries = summarise(posteriors[: n * STEPS]).reshape(n, STEPS * SUMMARY_DIM)
    tempo = np.full((n, 1), np.log2(bpm / USUAL_BPM), np.float32)
    beats = np.concatenate([summaries, tempo], 1)
    return beats, (place[: n * STEPS : STEPS] == 0).astype(np.float32)
