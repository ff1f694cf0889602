"""The engine's decoder against the papers', on the same posteriors of a made-up performance.

The papers' decoder is that of hFT's public code without offsets, as AMT-APC runs it: a note for
each local maximum of the onset at 0.5 or more, moved by up to half a frame; its velocity the
likeliest class there, none if that is 0; its end the first frame below 0.5. Notes under 0.08 s are
dropped.
"""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.note_tracker import pair_notes
from engine.core.notes import NoteEvent, Posteriors
from engine.perform.decoder import DecoderSettings, NoteDecoder
from models.spec import MIN_PITCH, N_PITCHES, Decoding
from offline_train.recipes.amt_apc_loss import targets_of

Array = NDArray[np.float32]

FRAME_S = 0.016
SECONDS = 30
SHORTEST_S = 0.08
PAPERS = Decoding(frame_off_threshold=0.5)  # all thresholds 0.5


class Found(NamedTuple):
    """A note as either decoder gives it."""

    pitch: int
    onset: float
    offset: float
    velocity: int


def papers_notes(onset: Array, frame: Array, velocity: NDArray[np.int64]) -> list[Found]:
    """Decode (T, 88) matrices, velocity classes, as AMT-APC does."""
    notes = []
    for pitch in range(N_PITCHES):
        column = onset[:, pitch]
        peaks = [t for t in range(len(column)) if _is_peak(column, t)]
        times = [(t + _shift(column, t)) * FRAME_S for t in peaks]
        for k, t in enumerate(peaks):
            is_last = k + 1 == len(peaks)
            following = len(column) if is_last else peaks[k + 1]
            end = (following - 1) * FRAME_S if is_last else times[k + 1]
            quiet = np.flatnonzero(frame[t + 1 : following, pitch] < 0.5)
            if len(quiet):
                end = (t + 1 + quiet[0]) * FRAME_S
            if velocity[t, pitch] > 0 and end - times[k] >= SHORTEST_S:
                notes.append(Found(pitch + MIN_PITCH, times[k], end, int(velocity[t, pitch])))
    return sorted(notes)


def _is_peak(column: Array, t: int) -> bool:
    if column[t] < 0.5:
        return False
    sides = (column[:t][::-1], column[t + 1 :])
    unequal = (side[side != column[t]][:1] for side in sides)
    return all(not len(first) or first[0] < column[t] for first in unequal)


def _shift(column: Array, t: int) -> float:
    if t in (0, len(column) - 1):
        return 0.0
    left, peak, right = (float(v) for v in column[t - 1 : t + 2])
    if left == right:
        return 0.0
    return 0.5 * (right - left) / (peak - min(left, right))


def engines_notes(onset: Array, frame: Array, velocity: NDArray[np.int64]) -> list[Found]:
    """Decode the same as ``Hft.mix`` hands it to the engine."""
    settings = DecoderSettings.from_spec(PAPERS)
    decoder = NoteDecoder(FRAME_S, settings)
    loudness = (velocity / 127).astype(np.float32)
    posteriors = Posteriors(np.arange(len(onset)), onset.astype(np.float32), frame, loudness, None)
    return notes_of(decoder.push(posteriors) + decoder.flush())


def notes_of(events: list[NoteEvent]) -> list[Found]:
    pairs = [(on, off) for on, off in pair_notes(events) if off is not None]
    return sorted(Found(on.pitch, on.time, off.time, on.velocity) for on, off in pairs)


def performance(seed: int) -> NDArray[np.float32]:
    """Return notes (n, 4) as dense as AMT-APC's covers, a pitch rarely struck while it sounds."""
    rng = np.random.default_rng(seed)
    rows, free = [], np.zeros(128)
    for onset in np.cumsum(rng.exponential(0.13, round(SECONDS / 0.13))):
        pitch = int(np.clip(rng.normal(61, 15), 21, 108))
        if onset < SECONDS - 2 and onset > free[pitch]:
            length = 0.1 + rng.exponential(0.4)
            free[pitch] = onset + length * rng.uniform(0.9, 1.2)
            rows.append((onset, onset + length, pitch, float(rng.integers(30, 110))))
    return np.array(rows, np.float32)


def posteriors_like(
    notes: NDArray[np.float32], seed: int, doubt: float
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return what a good (doubt 0) or a doubtful network would say of the notes."""
    rng = np.random.default_rng(seed)
    targets = targets_of(notes, round(SECONDS / FRAME_S), FRAME_S)
    onset, frame = targets.onset.numpy().astype(np.float64), 0.98 * targets.frame.numpy()
    sure = 1 - doubt * rng.random(onset.shape[1])
    onset = onset * (sure + doubt * 0.1 * rng.standard_normal(onset.shape))
    frame = frame + doubt * 0.15 * rng.standard_normal(frame.shape)
    return _probability(onset), _probability(frame), targets.velocity.numpy()


def _probability(values: NDArray[np.float64]) -> Array:
    return np.clip(values, 1e-4, 1 - 1e-4).astype(np.float32)


@pytest.mark.parametrize(("doubt", "share"), [(0.0, 0.98), (0.3, 0.96)])
def test_the_engine_finds_the_papers_notes(doubt: float, share: float) -> None:
    matrices = posteriors_like(performance(1), 2, doubt)
    theirs, ours = papers_notes(*matrices), engines_notes(*matrices)
    assert len(theirs) > 100
    matched = [
        min(
            (n for n in ours if n.pitch == note.pitch and abs(n.onset - note.onset) < 0.01),
            key=lambda n: abs(n.onset - note.onset),
            default=None,
        )
        for note in theirs
    ]
    pairs = [(a, b) for a, b in zip(theirs, matched, strict=True) if b is not None]
    extra = [n for n in ours if n.offset - n.onset >= SHORTEST_S]
    assert len(pairs) >= share * len(theirs)
    assert len(pairs) >= share * len(extra)
    onsets = np.array([b.onset - a.onset for a, b in pairs])
    offsets = np.array([abs(b.offset - a.offset) for a, b in pairs])
    # a parabola through three points of a triangle is off by 0.09 frames at most
    assert np.abs(onsets).max() < (0.002 if doubt == 0 else 0.008)
    assert np.mean(offsets < 0.02) > share
    assert all(a.velocity == b.velocity for a, b in pairs)
    print(  # with pytest -s: the figures
        f"doubt {doubt}: papers {len(theirs)}, engine {len(extra)}, both {len(pairs)},"
        f" onset {1000 * np.abs(onsets).mean():.2f} ms apart,"
        f" offsets within 20 ms {100 * np.mean(offsets < 0.02):.1f}%"
    )
