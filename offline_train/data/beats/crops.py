"""Random crops of features in eight bits and true beats, for the beat network.

A piece of a shard holds ``features`` uint8 (mixes, T, F), each mix of its stems another master, and
``beats`` float32 (n, 2): time in seconds and is_downbeat, or -1 where it is unknown. Not here:
making pieces (``pieces``).

Shapes: T frames, F bins. Targets float32 (T, 2): how near a beat is, and a downbeat, by a triangle
whose peak carries the sub-frame position; ``known`` float32 (2,) says which of the two count.
"""

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.spec import FeatureSpec
from offline_train.data.sampler import FrameCrops, PieceSampler
from offline_train.data.shards import StoredPiece

Array = NDArray[np.float32]

STEP = 0.045  # of a feature's logarithm, in eight bits
HALF_WIDTH = 3.0  # frames to either side of a beat
MOST_SEMITONES = 6
GAIN_DB = (-12.0, 12.0)


def quantize(features: Array, spec: FeatureSpec) -> NDArray[np.uint8]:
    """Return log magnitudes (T, F) in steps of ``STEP`` above the floor."""
    steps: Array = (features - np.log(spec.log_floor)) / STEP
    return np.clip(np.round(steps), 0, 255).astype(np.uint8)


def dequantize(steps: NDArray[np.uint8], spec: FeatureSpec) -> Array:
    """Return log magnitudes (T, F) from ``quantize``'s."""
    return np.asarray(steps * np.float32(STEP) + np.float32(np.log(spec.log_floor)), np.float32)


def targets(beats: Array, first_frame: float, n_frames: int, frame_s: float) -> Array:
    """Return the targets (n_frames, 2) of beats (n, 2) from a frame on, which may lie between two.

    >>> (3 * targets(np.array([[0.032, 1.0]], np.float32), 0, 4, 0.016)).round().tolist()
    [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [2.0, 2.0]]
    """
    labels = np.zeros((n_frames, 2), np.float32)
    frames = np.arange(n_frames, dtype=np.float64)
    for column, chosen in ((0, beats), (1, beats[beats[:, 1] > 0])):
        at = chosen[:, 0].astype(np.float64) / frame_s - first_frame
        at = at[(at > -HALF_WIDTH) & (at < n_frames + HALF_WIDTH)]
        if len(at):
            after = np.minimum(np.searchsorted(at, frames), len(at) - 1)
            before = np.maximum(after - 1, 0)
            apart = np.minimum(np.abs(at[after] - frames), np.abs(at[before] - frames))
            labels[:, column] = np.maximum(0, 1 - apart / HALF_WIDTH)
    return labels


class BeatCrops(FrameCrops):
    """Random crops of folders of shards, ``shares`` giving how often each is drawn.

    Folders and shards that appear later join in.

    An item has ``features`` (T, F), ``targets`` (T, 2), row t those of frame t - lookahead, and
    ``known`` (2,).
    """

    @cached_property
    def sampler(self) -> PieceSampler:
        """Draws the pieces."""
        return PieceSampler(self.shares, wanted="shards of beats", skip_missing=True)

    def draw(self, rng: np.random.Generator) -> dict[str, Tensor]:
        """Return one more crop, by the choices of ``rng``."""
        return self.crop(self.sampler.draw(rng), rng)

    def crop(self, piece: StoredPiece, rng: np.random.Generator) -> dict[str, Tensor]:
        """Return a random crop of a random mix of a piece: transposed, louder or softer."""
        mixes, beats = piece.array("features"), np.array(piece.array("beats"))
        mix = mixes[rng.integers(len(mixes))]
        start = int(rng.integers(0, max(len(mix) - self.n_frames, 0) + 1))
        part = np.zeros((self.n_frames, self.spec.n_bins), np.uint8)
        found = mix[start : start + self.n_frames]
        part[: len(found)] = found
        features = varied(part, self.spec, rng)
        labels = targets(beats, start - self.lookahead, self.n_frames, self.spec.frame_s)
        known = np.array([1.0, not len(beats) or beats[:, 1].min() >= 0], np.float32)
        return {
            "features": torch.from_numpy(features),
            "targets": torch.from_numpy(labels),
            "known": torch.from_numpy(known),
        }


def varied(steps: NDArray[np.uint8], spec: FeatureSpec, rng: np.random.Generator) -> Array:
    """Return features (T, F) of quantized ones: transposed, equalized anew, louder or softer."""
    floor = np.float32(spec.log_floor)
    per_semitone = (spec.n_bins - 1) / (12 * np.log2(spec.f_max / spec.f_min))
    bins = round(int(rng.integers(-MOST_SEMITONES, MOST_SEMITONES + 1)) * per_semitone)
    low, high = max(bins, 0), spec.n_bins + min(bins, 0)
    table = np.exp(dequantize(np.arange(256, dtype=np.uint8), spec)) - floor
    magnitude = np.zeros(steps.shape, np.float32)
    magnitude[:, low:high] = table[steps[:, low - bins : high - bins]]
    bands = rng.normal(0, 3.0, 6) + rng.uniform(*GAIN_DB)
    curve = np.interp(np.linspace(0, 5, spec.n_bins), np.arange(6), bands)
    magnitude *= (10 ** (curve / 20)).astype(np.float32)
    return np.asarray(np.log(np.maximum(magnitude, 0) + floor), np.float32)
