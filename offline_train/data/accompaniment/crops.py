"""Random crops of songs for the accompanist: any key, any lag, plans with real mistakes.

The texture is always that of the human. Where the plan that the player is given differs from the
song's chord, the human's notes are moved to the planned chord, so that the player learns to follow
its plan, right or wrong, and to leave it at once when it changes. Shapes: B crops, S steps,
N notes and ends of steps, P = 88 pitches. Not here: ``songs``, ``plans``, ``batches``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.accompany.chords import (
    N_QUALITIES,
)
from engine.accompany.features import expect
from engine.beat.steps.summary import SUMMARY_DIM, summarise
from models.accompanist import N_PLACES
from models.spec import MIN_PITCH, N_PITCHES
from offline_train.data.accompaniment.batches import Batch, Crop, collate
from offline_train.data.accompaniment.plans import (
    follow,
    mistaken,
    moved_chords,
    ordered,
    own_rows,
    plan_rows,
    style_rows,
)
from offline_train.data.accompaniment.posterior_noise import PosteriorNoise
from offline_train.data.accompaniment.songs import GridSong

Array = NDArray[np.float32]
Notes = NDArray[np.int16]

LAGS = (2.0, 1.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5)
"""How often each lag is drawn, from 0 steps on."""
SHARE_TRUE_PLAN = 0.4
SHARE_WITH_MELODY = 0.2
SHARE_REAL = 0.5  # of crops, of songs with the model's posteriors
SHARE_WITHOUT_OWN = 0.1  # of crops without their own notes in some passage
SHARE_UNGUIDED = 0.1  # of crops whose player gets neither plan nor sound, for guidance


class ExcerptPosteriors(NamedTuple):
    """The live model's posteriors of an excerpt, by sixteenth."""

    first: int  # step of the song
    values: NDArray[np.uint8]  # (S, P, 2)

    def rows(self, n: int) -> Array:
        """Return the first n steps at the most, in [0, 1]."""
        return np.asarray(self.values[:n] / np.float32(255), np.float32)


@dataclass(frozen=True, slots=True)
class Crops:
    """Songs to draw crops of.

    Parameters
    ----------
    songs
        On their grids.
    noise
        Simulated errors of the model.
    real
        Song id -> the model's posteriors of it.
    n_steps
        Of a crop.
    has_notes
        Whether the human's notes are asked for; a planner does without.
    """

    songs: Sequence[GridSong]
    noise: PosteriorNoise
    real: dict[str, list[ExcerptPosteriors]]
    n_steps: int = 512
    has_notes: bool = True

    def draw(self, n: int, rng: np.random.Generator) -> Batch:
        """Return a batch of n crops, by the choices of ``rng``."""
        return collate([self.crop(rng) for _ in range(n)], self.n_steps)

    def crop(self, rng: np.random.Generator) -> "Crop":
        """Return one crop: of a model's posteriors, or of simulated ones."""
        known = [song for song in self.songs if song.song_id in self.real]
        if known and rng.random() < SHARE_REAL:
            song = known[rng.integers(len(known))]
            excerpts = self.real[song.song_id]
            excerpt = excerpts[rng.integers(len(excerpts))]
            first = excerpt.first
            posteriors = excerpt.rows(min(self.n_steps, song.n_steps - first))
        else:
            sizes = np.array([song.n_steps for song in self.songs], float)
            song = self.songs[rng.choice(len(self.songs), p=sizes / sizes.sum())]
            first = int(rng.integers(max(song.n_steps - self.n_steps, 0) + 1))
            cells = song.bands[rng.integers(len(song.bands)), first : first + self.n_steps]
            posteriors = self.noise.simulate(cells, rng)
        lag = int(rng.choice(len(LAGS), p=np.array(LAGS) / sum(LAGS)))
        semitones = int(rng.integers(-5, 7))
        return make_crop(song, first, posteriors, lag, semitones, rng, self.has_notes)


def make_crop(
    song: GridSong,
    first: int,
    posteriors: Array,
    lag: int,
    semitones: int,
    rng: np.random.Generator,
    has_notes: bool = True,
) -> Crop:
    """Return the crop of a song that begins at ``first`` and lasts as long as ``posteriors``."""
    n = len(posteriors)
    posteriors = moved(posteriors, semitones)
    chord, bass = moved_chords(song.chords[first : first + n], semitones)
    summary = summarise(posteriors)
    part = int(rng.random() < SHARE_WITH_MELODY)
    notes = crop_notes(song, first, n * has_notes, semitones, with_melody=bool(part))
    style = style_rows(notes, n, rng)
    plan = chord if rng.random() < SHARE_TRUE_PLAN else mistaken(chord, rng)
    notes = follow(notes, chord, plan)
    own = own_rows(notes, plan, n)
    is_guided = rng.random() >= SHARE_UNGUIDED
    if rng.random() < SHARE_WITHOUT_OWN:
        begin = int(rng.integers(n))
        own[begin : begin + int(rng.integers(16, 129))] = 0
    rows = late(np.concatenate([posteriors.reshape(n, -1), summary], 1), lag)
    return Crop(
        rows,
        rows[:, -SUMMARY_DIM:] * np.float32(is_guided),
        expect(summary, np.arange(n), lag),
        np.minimum(song.place[first : first + n].astype(np.int64), N_PLACES - 1),
        lag,
        float(np.log2(song.bpm / 90)),
        chord,
        bass,
        plan_rows(plan, np.where(plan == chord, bass, plan // N_QUALITIES)) * np.float32(is_guided),
        own,
        style,
        part,
        notes,
    )


def moved(posteriors: Array, semitones: int) -> Array:
    """Return posteriors (S, P, 2) in another key; what the shift uncovers is silence."""
    out = np.zeros_like(posteriors)
    low, high = max(semitones, 0), N_PITCHES + min(semitones, 0)
    out[:, low:high] = posteriors[:, low - semitones : high - semitones]
    return out


def late(rows: Array, lag: int) -> Array:
    """Return rows (S, D) ``lag`` steps late, zeros before them.

    >>> late(np.array([[1.0], [2.0], [3.0]]), 1).ravel().tolist()
    [0.0, 1.0, 2.0]
    """
    return np.concatenate([np.zeros_like(rows[:lag]), rows[: max(len(rows) - lag, 0)]])


def crop_notes(song: GridSong, first: int, n: int, semitones: int, with_melody: bool) -> Notes:
    """Return the human's notes of a crop, with steps from 0, in another key."""
    notes = np.concatenate([song.piano, song.melody]) if with_melody else song.piano
    notes = notes[(notes[:, 0] >= first) & (notes[:, 0] < first + n)].copy()
    notes[:, 0] -= first
    notes[:, 2] += semitones
    notes = notes[(notes[:, 2] >= MIN_PITCH) & (notes[:, 2] < MIN_PITCH + N_PITCHES)]
    return ordered(notes)
