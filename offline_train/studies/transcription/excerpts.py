"""What networks of both papers learn from: features and rolls of excerpts, cut into segments.

Features are computed once and kept beside the shards, as paper 2 does. Frame k lies at k hop_length
samples, as in the engine; before and after an excerpt is digital silence.

Shapes: T frames of an excerpt, n of a segment, m margin frames, B batch, F bins, P = 88 pitches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from engine.core.errors import DataError
from engine.system.whole_file import written_whole
from models.features import Features
from models.spec import FeatureSpec
from offline_train.data.shards import read_shards
from offline_train.studies.transcription.rolls import Roll, roll_of

Array = NDArray[np.float32]
Batch = dict[str, Tensor]

CHUNK_FRAMES = 256  # computed at once: the CQT's windows are long


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One excerpt: features (T, F), mapped from a file, and notes (n, 5)."""

    name: str
    features: NDArray[np.float16]
    notes: Array
    spec: FeatureSpec

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.features) * self.spec.frame_s

    def roll(self) -> Roll:
        """Return what sounds, (T, P)."""
        return roll_of(self.notes, len(self.features), self.spec.frame_s)


@cache
def _layer(spec: FeatureSpec) -> nn.Module:
    return Features(spec)  # the CQT's kernels take seconds to make


def features_of(samples: Array, layer: nn.Module, spec: FeatureSpec) -> Array:
    """Return features (T, F) of samples (n,), a frame for each hop that begins in them."""
    half = spec.win_length // 2
    n_frames = -(-len(samples) // spec.hop_length)
    padded = np.pad(samples, (half, half + spec.hop_length)).astype(np.float32)
    parts = []
    for first in range(0, n_frames, CHUNK_FRAMES):
        n = min(CHUNK_FRAMES, n_frames - first)
        start = first * spec.hop_length
        window = padded[start : start + spec.win_length + (n - 1) * spec.hop_length]
        with torch.no_grad():
            parts.append(layer(torch.from_numpy(window)[None])[0].numpy())
    return np.concatenate(parts)


def load_excerpts(folder: Path, spec: FeatureSpec) -> list[Excerpt]:
    """Return the excerpts of a folder of shards, computing the features that are not there.

    Raises
    ------
    DataError
        If there is no shard, or a piece has no score.
    """
    pieces = read_shards(folder)
    cache = folder / spec.name
    cache.mkdir(exist_ok=True)
    excerpts = []
    for piece in tqdm(pieces, desc=f"{spec.name} {folder.name}", unit="piece", leave=False):
        path = cache / f"{piece.name}.npy"
        if not path.is_file():
            samples = piece.array("stems").astype(np.float32).sum(1) / 32768
            with written_whole(path) as file:
                np.save(file, features_of(samples, _layer(spec), spec).astype(np.float16))
        features = np.load(path, mmap_mode="r")
        excerpts.append(Excerpt(piece.name, features, np.array(piece.array("score")), spec))
    return excerpts


def window(excerpt: Excerpt, start: int, n_frames: int, margin: int) -> Array:
    """Return features (n + 2 m, F) from ``start - m`` on, silence where the excerpt is not."""
    spec = excerpt.spec
    out = np.full((n_frames + 2 * margin, spec.n_bins), np.log(spec.log_floor), np.float32)
    first, last = start - margin, start + n_frames + margin
    inside = slice(max(first, 0), min(last, len(excerpt.features)))
    out[inside.start - first : inside.stop - first] = excerpt.features[inside]
    return out


class Segments:
    """Epochs of segments: every excerpt cut into pieces of ``n_frames`` from a random frame on.

    Batches hold ``features`` (B, n + 2 m, F) and ``roll`` (B, n, P). An epoch depends on its number
    and the seed alone.
    """

    def __init__(
        self, excerpts: Sequence[Excerpt], n_frames: int, batch: int, seed: int, margin: int = 0
    ) -> None:
        self.excerpts, self.n_frames, self.batch = list(excerpts), n_frames, batch
        self.seed, self.margin = seed, margin
        longest = max((len(e.features) for e in self.excerpts), default=0)
        if longest < n_frames:
            raise DataError(
                f"expected an excerpt of {n_frames} frames or more to learn from, the longest has"
                f" {longest}"
            )
        self._rolls = [excerpt.roll() for excerpt in self.excerpts]

    @property
    def n_batches(self) -> int:
        """The batches of an epoch."""
        n = sum(len(e.features) // self.n_frames for e in self.excerpts)
        return -(-n // self.batch)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Return the batches of an epoch, the first being 0."""
        rng = np.random.default_rng((self.seed, number))
        places = []
        for k, excerpt in enumerate(self.excerpts):
            spare = len(excerpt.features) % self.n_frames
            if len(excerpt.features) < self.n_frames:
                continue
            first = int(rng.integers(0, spare + 1))
            n = (len(excerpt.features) - first) // self.n_frames
            places += [(k, first + j * self.n_frames) for j in range(n)]
        order = rng.permutation(len(places))
        for at in range(0, len(order), self.batch):
            yield self._batch([places[k] for k in order[at : at + self.batch]])

    def _batch(self, places: Sequence[tuple[int, int]]) -> Batch:
        features = [
            window(self.excerpts[k], start, self.n_frames, self.margin) for k, start in places
        ]
        rolls = [self._rolls[k][start : start + self.n_frames] for k, start in places]
        return {
            "features": torch.from_numpy(np.stack(features)),
            "roll": torch.from_numpy(np.stack(rolls).astype(np.float32)),
        }
