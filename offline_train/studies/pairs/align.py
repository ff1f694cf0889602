"""Finds the time of a piano cover on the song's time axis, and how sure that is.

1. Key and extent: chroma at 2 Hz, sub-sequence DTW with slopes from 1/2 to 2 (Mueller,
   Fundamentals of Music Processing, 2015, sections 3.2 and 7.2.3), for each of the 12 rotations.
2. Rough path: the same at 5 Hz in the best key, first the cover in the song, then the reverse,
   smoothed over some seconds.
3. Fine path: around the rough one, the cover time of each half second of song and the tempo there
   that gather the most agreement (onsets, flux, chroma), at a price for every change of tempo:
   dynamic programming over (time, tempo), as in beat tracking with a bar-pointer model (Whiteley,
   Cemgil, Godsill, ISMIR 2006). A DTW path has no tempo, and wanders where nothing is struck:
   synctoolbox's MrMsDTW brings 74% of onsets within 50 ms (on 12 rendered pairs).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d, median_filter

from offline_train.studies.pairs.sound import CHROMA_RATE, ONSET_RATE, Recording

Array = NDArray[np.float32]
Double = NDArray[np.float64]
Int = NDArray[np.int64]

KEY_RATE = 2
ROUGH_RATE = 5
STEP = 50  # frames of ONSET_RATE between two knots of the fine path
BAND_S = 2.0  # how far the fine path may lie from the rough one
TEMPI = (0.65, 1.5)  # of a knot, relative to the pair's overall tempo ratio
TEMPO_CHANGE = 0.04  # in log tempo from knot to knot, one standard deviation
ROUGH_SMOOTHING_S = 2.0
WEIGHTS = (1.0, 1.0, 0.5)  # of onsets, flux and chroma
EVIDENCE = 0.05  # log likelihood of one standard deviation of agreement in one frame


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where the cover lies on the song; times in seconds of the files."""

    song_times: Double  # (k,) knots, strictly rising
    cover_times: Double  # (k,) strictly rising
    transposition: int  # semitones of the cover above the song, -5 to 6
    key_costs: Double  # (12,) mean chroma cost for each transposition mod 12
    onset_agreement: float  # mean along the path, in standard deviations off the path
    chroma_agreement: float  # mean correlation of the chroma along the path, -1 to 1
    local_agreement: Double  # (k,) chroma correlation around each knot

    def to_song(self, cover_times: Double) -> Double:
        """Return the song's times (n,) of times of the cover; rises strictly, beyond the ends too.

        Between the knots a monotone cubic (PCHIP), outside them the tempo of the last two seconds.
        """
        inside = PchipInterpolator(self.cover_times, self.song_times)(cover_times)
        for side, (a, b) in ((0, (0, 4)), (-1, (-5, -1))):
            slope = (self.song_times[b] - self.song_times[a]) / (
                self.cover_times[b] - self.cover_times[a]
            )
            beyond = cover_times - self.cover_times[side]
            outside = beyond < 0 if side == 0 else beyond > 0
            inside = np.where(outside, self.song_times[side] + slope * beyond, inside)
        return np.asarray(inside, np.float64)

    @property
    def slopes(self) -> Double:
        """Cover seconds for a song second between the knots (k - 1,)."""
        return np.diff(self.cover_times) / np.diff(self.song_times)


def smooth_chroma(recording: Recording, rate: int, seconds: float) -> Array:
    """Return unit chroma vectors (12, n) at ``rate`` within the music, blurred over ``seconds``."""
    first, last = (round(t * CHROMA_RATE) for t in (recording.start, recording.end))
    blurred = gaussian_filter1d(recording.chroma[:, first:last], seconds * CHROMA_RATE, axis=1)
    chroma = blurred[:, :: CHROMA_RATE // rate]
    return np.asarray(chroma / (np.linalg.norm(chroma, axis=0) + 1e-6), np.float32)


def subsequence(query: Array, base: Array) -> tuple[float, Int]:
    """Return (mean cost, path (2, k) rising) of all of ``query`` (12, n) somewhere in ``base``.

    Costs are 1 - cosine, each frame of the query counts once; steps are (1, 1), (2, 1) and (1, 2),
    so slopes are 1/2 to 2. An infinite cost and an empty path where nothing fits. Whole rows at
    once: librosa's DTW would compile for seconds in every process for some milliseconds of work.
    """
    cost = (1 - query.T @ base).astype(np.float64)
    total = np.full((cost.shape[0] + 2, cost.shape[1] + 2), np.inf)
    total[2, 2:] = cost[0]
    steps = np.array([[1, 1], [2, 1], [1, 2]])
    taken = np.zeros(cost.shape, np.int8)
    for i in range(1, len(cost)):
        row = i + 2
        options = np.stack(
            [
                total[row - 1, 1:-1] + cost[i],
                total[row - 2, 1:-1] + 2 * cost[i],
                total[row - 1, :-2] + cost[i],
            ]
        )
        taken[i] = options.argmin(0)
        total[row, 2:] = options.min(0)
    i, j = len(cost) - 1, int(total[-1, 2:].argmin())
    mean = float(total[-1, j + 2] / len(cost))
    path = [(i, j)]
    while i > 0 and np.isfinite(mean):
        i, j = (i, j) - steps[taken[i, j]]
        path.append((int(i), int(j)))
    found = np.array(path[::-1], np.int64).T if np.isfinite(mean) else np.zeros((2, 0), np.int64)
    return mean, found


def key_costs(song: Recording, cover: Recording) -> Double:
    """Return the cost (12,) of the shorter in the longer, for a cover 0 to 11 semitones higher."""
    a, b = (smooth_chroma(r, KEY_RATE, 0.6) for r in (song, cover))
    costs = []
    for semitones in range(12):
        lowered = np.roll(b, -semitones, axis=0)
        query, base = (lowered, a) if b.shape[1] <= a.shape[1] else (a, lowered)
        costs.append(subsequence(query, base)[0])
    return np.array(costs)


def rough_path(song: Recording, cover: Recording, transposition: int) -> tuple[Double, Double]:
    """Return (song times, cover times) of the rough path, both rising.

    The cover is looked for in the song, then that part of the song in the cover, so that an intro
    which only one of them has is left out.
    """
    a = smooth_chroma(song, ROUGH_RATE, 0.2)
    b = np.roll(smooth_chroma(cover, ROUGH_RATE, 0.2), -transposition, axis=0)
    _, path = subsequence(b, a)
    if not path.shape[1]:
        path = np.array([[0, 0], [0, a.shape[1] - 1]])
    first, last = path[1, 0], path[1, -1] + 1
    _, path = subsequence(a[:, first:last], b)
    if path.shape[1] < 2:
        return np.zeros(0), np.zeros(0)
    return (path[0] + first) / ROUGH_RATE + song.start, path[1] / ROUGH_RATE + cover.start


def smooth_path(song_times: Double, cover_times: Double) -> tuple[Double, Double]:
    """Return a path on a grid of 0.1 s of song time; its bends are smoothed, not its ends."""
    grid = np.arange(song_times[0], song_times[-1], 0.1)
    path = np.interp(grid, song_times, cover_times)
    line = path[0] + (path[-1] - path[0]) / max(len(grid) - 1, 1) * np.arange(len(grid))
    bend = median_filter(path - line, 11, mode="nearest")
    n_pad = min(round(30 * ROUGH_SMOOTHING_S), len(grid) - 1)
    padded = np.pad(bend, n_pad, mode="reflect", reflect_type="odd")
    return grid, line + gaussian_filter1d(padded, 10 * ROUGH_SMOOTHING_S)[n_pad : len(grid) + n_pad]


def _band(song: Array, cover: Array, first: int, centre: Int, reach: int) -> Array:
    """Return the products (n, 2 reach + 1) of song frames with cover frames around ``centre``.

    ``song`` and ``cover`` are (c, frames); row t is song frame first + t. Each row has mean 0; the
    whole has standard deviation 1.
    """
    n, m = len(centre), cover.shape[1]
    padded = np.pad(cover, ((0, 0), (0, 1)))
    part = song[:, first : first + n]
    band = np.empty((n, 2 * reach + 1), np.float32)
    for j in range(2 * reach + 1):
        at = centre + j - reach
        band[:, j] = np.einsum("ct,ct->t", part, padded[:, np.where((at < 0) | (at >= m), m, at)])
    band -= band.mean(1, keepdims=True)
    return np.asarray(band / (band.std() + np.float32(1e-9)), np.float32)


def track(score: Array, centre: Int, ratio: float) -> Int:
    """Return the cover frame (k,) at every ``STEP`` frames: the best path with a steady tempo.

    Parameters
    ----------
    score : (n, 2 reach + 1) float32
        Log likelihood of song frame t at cover frame centre[t] + j - reach.
    centre : (n,) int
        The rough path.
    ratio : float
        Overall cover seconds for a song second.
    """
    n_cells, n_knots = score.shape[1], (len(score) - 1) // STEP + 1
    advances = np.arange(int(STEP * ratio * TEMPI[0]), int(STEP * ratio * TEMPI[1]) + 2)
    change = np.abs(np.subtract.outer(np.log(advances), np.log(advances))) / TEMPO_CHANGE
    price = np.where(change < 3, change**2 / 2, 3 * change - 4.5)  # Huber: a pause is allowed
    within = np.arange(0, STEP, 2)
    offsets = np.round(advances[:, None] * within / STEP).astype(int)
    cells = np.arange(n_cells)
    value = np.zeros((n_cells, len(advances)))
    choices = []
    for start in range(0, (n_knots - 1) * STEP, STEP):
        rows = start + within
        at = cells[:, None, None] + offsets - (centre[rows] - centre[start])
        inside = (at >= 0) & (at < n_cells)
        gain = np.where(inside, score[rows, np.clip(at, 0, n_cells - 1)], 0.0).sum(2)
        options = value[:, :, None] - price
        choice = options.argmax(1)
        best = np.take_along_axis(options, choice[:, None], 1)[:, 0] + gain
        shifts = advances - (centre[start + STEP] - centre[start])
        source = cells[:, None] - shifts
        reachable = (source >= 0) & (source < n_cells)
        source = np.clip(source, 0, n_cells - 1)
        columns = np.arange(len(advances))
        value = np.where(reachable, best[source, columns], -1e12)
        choices.append(choice.astype(np.int16))
    return _trace_back(value, choices, advances, centre)


def _trace_back(value: Double, choices: list[NDArray[np.int16]], advances: Int, centre: Int) -> Int:
    """Return the cover frame (k,) of each knot on the path that ends best."""
    reach = value.shape[0] // 2
    cell, j = (int(x) for x in np.unravel_index(value.argmax(), value.shape))
    frames = [cell - reach + centre[len(choices) * STEP]]
    for choice in reversed(choices):
        frames.append(frames[-1] - advances[j])
        k = len(choices) - len(frames) + 1
        cell = int(np.clip(frames[-1] - centre[k * STEP] + reach, 0, value.shape[0] - 1))
        j = int(choice[cell, j])
    return np.array(frames[::-1], np.int64)


def align(song: Recording, cover: Recording) -> Alignment | None:
    """Return a cover's alignment with its song; None if no path of slopes 1/2 to 2 is there."""
    costs = key_costs(song, cover)
    if not np.isfinite(costs).all():
        return None
    higher = int(costs.argmin())
    path = rough_path(song, cover, higher)
    if len(path[0]) < 2 or path[0][-1] - path[0][0] < 10 or path[1][-1] <= path[1][0]:
        return None
    grid, rough = smooth_path(*path)
    ratio = (rough[-1] - rough[0]) / (grid[-1] - grid[0])
    first = round(grid[0] * ONSET_RATE)
    n_frames = min(round((grid[-1] - grid[0]) * ONSET_RATE), song.onsets.shape[1] - first)
    times = (first + np.arange(n_frames)) / ONSET_RATE
    centre = np.round(np.interp(times, grid, rough) * ONSET_RATE).astype(np.int64)
    reach = round(BAND_S * ONSET_RATE)
    chroma = [_centred_chroma(r) for r in (song, cover)]
    views = [
        _band(song.onsets, np.roll(cover.onsets, -higher, axis=0), first, centre, reach),
        _band(song.flux, cover.flux, first, centre, reach),
        _band(chroma[0], np.roll(chroma[1], -higher, axis=0), first, centre, reach),
    ]
    score = sum(w * view for w, view in zip(WEIGHTS, views, strict=True))
    frames = track(np.asarray(EVIDENCE * score, np.float32), centre, ratio)
    knots = (first + STEP * np.arange(len(frames))) / ONSET_RATE
    cell = np.interp(times, knots, frames).round().astype(int) - centre + reach
    along = np.clip(cell, 0, 2 * reach)
    agreement = (views[0] + views[1])[np.arange(n_frames), along].mean()
    local = _local_agreement(song, cover, higher, knots, frames / ONSET_RATE)
    return Alignment(
        knots,
        frames / ONSET_RATE,
        higher - 12 if higher > 6 else higher,
        costs,
        float(agreement),
        float(local.mean()),
        local,
    )


def _centred_chroma(recording: Recording) -> Array:
    """Return unit chroma (12, M) at the onsets' rate, less its mean: common notes say nothing."""
    chroma = gaussian_filter1d(recording.chroma, 2, axis=1)
    chroma = chroma / (np.linalg.norm(chroma, axis=0) + 1e-6)
    chroma = chroma - chroma.mean(1, keepdims=True)
    return np.repeat(chroma, ONSET_RATE // CHROMA_RATE, axis=1).astype(np.float32)


def _local_agreement(
    song: Recording, cover: Recording, higher: int, song_times: Double, cover_times: Double
) -> Double:
    """Return the correlation (k,) of song and aligned cover chroma around each knot (2 s)."""
    parts = []
    for recording, times, shift in ((song, song_times, 0), (cover, cover_times, higher)):
        chroma = gaussian_filter1d(recording.chroma, 0.5 * CHROMA_RATE, axis=1)
        chroma = np.roll(chroma, -shift, axis=0)
        at = np.clip(np.round(times * CHROMA_RATE).astype(int), 0, chroma.shape[1] - 1)
        picked = chroma[:, at] - chroma[:, at].mean(0)
        parts.append(picked / (np.linalg.norm(picked, axis=0) + 1e-6))
    local: Double = gaussian_filter1d((parts[0] * parts[1]).sum(0), 2.0).astype(np.float64)
    return local
