"""Crops of heard covers for the strike network: any key, beats a little off, singers late.

Rendered singers are on time to 8 ms. Real ones are late, by phrases, and are still to be found on
the sixteenth that they mean: so in most crops the tune's notes are moved in the posteriors. Shapes:
S steps (sixteenths), T frames, P = 88 pitches. Not here: what is heard (``heard_covers``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.accompany.strikes import gather_strikes
from engine.beat.steps.sound import gather_sound
from models.spec import MIN_PITCH, N_PITCHES
from models.strikes import PARTS, UNKNOWN_PLACE
from offline_train.data.accompaniment.heard_covers import HeardCover
from offline_train.data.accompaniment.songs import bar_places, step_times

Array = NDArray[np.float32]
Times = NDArray[np.float64]

KEYS = range(-5, 7)
"""Semitones by which crops are transposed."""
LEAST_STEPS = 24
SHARE_SHORTER = 0.4  # of crops: what came after, or before, was not heard
JITTER_S, OWN_JITTER_S = 0.010, 0.005  # of all beats together, and of each
SHARE_UNKNOWN, SHARE_WRONG = 0.08, 0.05  # of crops whose bars are not known, or begin elsewhere
SHARE_BARE = 0.1  # of crops without a transcription, which not every model has
SHARE_DEAF = 0.1  # of crops whose sound is not known
SHARE_LATE = 0.7  # of crops with late singers
LATE_S = (-0.02, 0.11)  # of all notes of a crop
SPREAD_S = (0.01, 0.05)  # of each, around that
LASTING = 0.7  # how much of it a note has in common with the one before
ATTACK = slice(-4, 8)  # frames around an onset that are moved
MOST_FRAMES = (-4, 11)  # by which
ONSETS, SILENT = [0, 2], 0.02


class StrikeCrop(NamedTuple):
    """A passage; steps behind its end are zeros and do not count."""

    heard: Array  # (S, 8, P)
    sound: Array  # (S, 2, 97)
    place: NDArray[np.int64]  # (S,)
    struck: Array  # (S, 2, P)
    counts: Array  # (S,)


@dataclass(frozen=True, slots=True)
class StrikeCrops:
    """Covers to draw crops of ``n_steps`` of."""

    covers: Sequence[HeardCover]
    n_steps: int = 256

    def draw(self, rng: np.random.Generator) -> StrikeCrop:
        """Return a crop, by the choices of ``rng``."""
        cover = self.covers[int(rng.integers(len(self.covers)))]
        n_there = len(step_times(cover.beats)) - 1
        n = min(self.n_steps, n_there)
        if rng.random() < SHARE_SHORTER:
            n = int(rng.integers(min(LEAST_STEPS, n), n + 1))
        first = int(rng.integers(n_there - n + 1))
        steps = slice(first, first + n)
        (heard, sound), key = heard_late(cover, steps, rng), int(rng.choice(KEYS))
        if rng.random() < SHARE_DEAF:
            sound[:] = 0
        place = places_of(cover)[steps]
        chance = rng.random()
        if chance < SHARE_UNKNOWN:
            place = np.full(n, UNKNOWN_PLACE)
        elif chance < SHARE_UNKNOWN + SHARE_WRONG:
            place = (place + 4 * int(rng.integers(1, 4))) % UNKNOWN_PLACE
        behind = (0, self.n_steps - n)
        return StrikeCrop(
            np.pad(moved(heard, key), (behind, (0, 0), (0, 0))),
            np.pad(moved(sound, key), (behind, (0, 0), (0, 0))),
            np.pad(place.astype(np.int64), behind),
            np.pad(moved(struck_by(cover)[steps], key), (behind, (0, 0), (0, 0))),
            np.pad(np.ones(n, np.float32), behind),
        )


def passage(cover: HeardCover) -> StrikeCrop:
    """Return the whole of a cover, as it is."""
    steps = step_times(cover.beats)
    heard = gather_strikes(cover.struck(), cover.sounding(), cover.frame_s, steps)
    sound = gather_sound(cover.sound(), cover.frame_s, steps)
    n = len(heard)
    return StrikeCrop(heard, sound, places_of(cover), struck_by(cover), np.ones(n, np.float32))


def places_of(cover: HeardCover) -> NDArray[np.int64]:
    """Return how many steps each step's bar is old, (S,)."""
    places = bar_places(cover.is_downbeat)[: len(step_times(cover.beats)) - 1]
    return np.minimum(places, UNKNOWN_PLACE - 1).astype(np.int64)


def struck_by(cover: HeardCover) -> Array:
    """Return what the human strikes, (S, 2, P): the tune, and the accompaniment."""
    steps = step_times(cover.beats)
    struck = np.zeros((len(steps) - 1, len(PARTS), N_PITCHES), np.float32)
    step = np.interp(cover.notes[:, 0], steps, np.arange(len(steps)), left=-1, right=len(steps))
    step = np.round(step).astype(int)
    key = cover.notes[:, 2].astype(int) - MIN_PITCH
    is_there = (step >= 0) & (step < len(struck)) & (key >= 0) & (key < N_PITCHES)
    part = (cover.notes[:, 4] < 0.5).astype(int)  # noqa: PLR2004
    struck[step[is_there], part[is_there], key[is_there]] = 1
    return struck


def heard_late(cover: HeardCover, steps: slice, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return what was heard on steps, as a beat follower has them, its singers late.

    Keys (S, 8, P), and the sound (S, 2, 97), in which no singer is moved.
    """
    beats = cover.beats + rng.normal(0, JITTER_S) + rng.normal(0, OWN_JITTER_S, len(cover.beats))
    times = step_times(np.maximum.accumulate(beats + 1e-6 * np.arange(len(beats))))
    times = times[steps.start : steps.stop + 1]
    margin = 2 * float(times[1] - times[0])
    begin = max(int((times[0] - margin) / cover.frame_s), 0)
    end = max(int((times[-1] + margin) / cover.frame_s), begin + 1)
    part = slice(begin, end)
    struck, sounding = cover.struck(part), cover.sounding(part)
    if rng.random() < SHARE_LATE:
        rows = np.concatenate([struck, sounding])
        rows = late(rows, tune_onsets(cover, begin), cover.frame_s, rng)
        struck, sounding = rows[: len(struck)], rows[len(struck) :]
    if rng.random() < SHARE_BARE:
        struck[-1] = sounding[-1] = 0
    times = times - begin * cover.frame_s
    heard = gather_strikes(struck, sounding, cover.frame_s, times)
    return heard, gather_sound(cover.sound(part), cover.frame_s, times)


def tune_onsets(cover: HeardCover, begin: int) -> NDArray[np.int64]:
    """Return frames from ``begin`` on and keys (n, 2) of the tune's onsets, by time."""
    tune = cover.notes[cover.notes[:, 4] > 0.5]  # noqa: PLR2004
    tune = tune[np.argsort(tune[:, 0], kind="stable")]
    frames = np.round(tune[:, 0] / cover.frame_s).astype(int) - begin
    return np.stack([frames, tune[:, 2].astype(int) - MIN_PITCH], 1)


def late(rows: Array, onsets: NDArray[np.int64], frame_s: float, rng: np.random.Generator) -> Array:
    """Return posteriors (5, T, P) in which the attacks of onsets (n, 2) are late, or early.

    As ``HeardCover.struck`` and ``HeardCover.sounding`` have them, one after the other.
    """
    moved_rows, n_frames = rows.copy(), rows.shape[1]
    usual, spread = rng.uniform(*LATE_S), rng.uniform(*SPREAD_S)
    drift = 0.0
    for frame, key in onsets.tolist():
        drift = LASTING * drift + LASTING * spread * rng.normal()
        by = int(np.clip(round((usual + drift) / frame_s), *MOST_FRAMES))
        first, last = frame + ATTACK.start, frame + ATTACK.stop
        is_inside = first + MOST_FRAMES[0] > 0 and last + MOST_FRAMES[1] < n_frames
        if not by or not is_inside or not 0 <= key < N_PITCHES:
            continue
        attack = moved_rows[:, first:last, key].copy()
        if by > 0:
            before = moved_rows[:, first - 1, key].copy()
            before[ONSETS] = np.minimum(before[ONSETS], SILENT)
            moved_rows[:, first : first + by, key] = before[:, None]
        moved_rows[:, first + by : last + by, key] = attack
    return moved_rows


def moved(rows: Array, key: int) -> Array:
    """Return rows (S, C, P) moved by ``key`` semitones; what the move uncovers is silence."""
    out = np.zeros_like(rows)
    n = rows.shape[-1]
    low, high = max(key, 0), n + min(key, 0)
    out[..., low:high] = rows[..., low - key : high - key]
    return out
