"""Random crops of prepared takes, augmented, with the labels that the streaming network learns.

Shapes: T frames, F bins, P = 88 pitches. Labels are float32 (T, P): ``onset`` a triangle of two
frames to either side of the exact onset (its peak carries the sub-frame position), ``velocity``
(of 127) around the onset, ``frame`` and ``melody`` where a note sounds. Not here: rendering
(``prepare``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from engine.errors import DataError
from models.spec import MIN_PITCH, N_PITCHES, FeatureSpec
from offline_train.style import style_vector

Array = NDArray[np.float32]
ONSET_HALF_WIDTH = 2.0  # frames


def rasterize(notes: Array, first_frame: int, n_frames: int, frame_s: float) -> dict[str, Array]:
    """Return labels (n_frames, 88) by name of notes (n, 5) from ``first_frame`` on."""
    labels = {
        name: np.zeros((n_frames, N_PITCHES), np.float32)
        for name in ("onset", "frame", "velocity", "melody")
    }
    on = notes[:, 0] / frame_s - first_frame
    off = notes[:, 1] / frame_s - first_frame
    inside = (off > 0) & (on < n_frames + ONSET_HALF_WIDTH)
    inside &= (notes[:, 2] >= MIN_PITCH) & (notes[:, 2] < MIN_PITCH + N_PITCHES)
    order = np.nonzero(inside)[0]
    for k in order[np.argsort(notes[order, 4], kind="stable")]:  # melody is written last
        pitch = int(notes[k, 2]) - MIN_PITCH
        start, stop = max(round(on[k]), 0), min(max(round(off[k]), round(on[k]) + 1), n_frames)
        labels["frame"][start:stop, pitch] = 1
        labels["melody"][start:stop, pitch] = notes[k, 4]
        rows = np.arange(max(int(np.ceil(on[k] - 2)), 0), min(int(on[k] + 2) + 1, n_frames))
        triangle = np.maximum(0, 1 - np.abs(rows - on[k]) / ONSET_HALF_WIDTH)
        near = triangle > 0
        rows, triangle = rows[near], triangle[near].astype(np.float32)
        labels["onset"][rows, pitch] = np.maximum(labels["onset"][rows, pitch], triangle)
        labels["velocity"][rows, pitch] = notes[k, 3] / 127
        labels["melody"][rows, pitch] = notes[k, 4]
    return labels


def transpose(
    features: Array, notes: Array, semitones: int, spec: FeatureSpec
) -> tuple[Array, Array]:
    """Return features and notes moved by semitones; what the shift uncovers is silence."""
    bins = round(semitones * (spec.n_bins - 1) / _semitones(spec))
    moved = np.full_like(features, np.log(spec.log_floor))
    if bins > 0:
        moved[:, bins:] = features[:, :-bins]
    elif bins < 0:
        moved[:, :bins] = features[:, -bins:]
    else:
        moved = features
    notes = notes.copy()
    notes[:, 2] += semitones
    return moved, notes


def _semitones(spec: FeatureSpec) -> float:
    """Return how many semitones lie between the lowest and the highest bin."""
    return 12 * float(np.log2(spec.f_max / spec.f_min))


def colour(features: Array, spec: FeatureSpec, rng: np.random.Generator) -> Array:
    """Return features (T, F) under a random gain, a smooth random EQ and a noise floor."""
    knots = rng.normal(0, rng.uniform(0, 0.9), 9) + rng.normal(-0.3, 0.8)  # nepers
    curve = np.interp(np.linspace(0, 8, spec.n_bins), np.arange(9), knots)
    magnitude = np.maximum(np.exp(features) - spec.log_floor, 0) * np.exp(curve)
    if rng.random() < 0.5:
        level = np.exp(rng.uniform(np.log(0.003), np.log(0.3)))
        magnitude = magnitude + level * np.abs(rng.standard_normal(magnitude.shape))
    return np.log(magnitude + spec.log_floor).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Take:
    """One prepared rendering: features on disk, notes and style in memory."""

    features: Path
    notes: Array
    style: Array


def read_takes(folder: Path) -> list[Take]:
    """Return every whole take of a folder. Raises DataError if there is none."""
    takes = []
    for path in sorted(folder.glob("[!.]*.features.npy")):
        notes = np.load(path.with_name(path.name.replace("features", "notes")))
        if len(notes):
            takes.append(Take(path, notes, style_vector(notes)))
    if not takes:
        raise DataError(f"{folder}: expected prepared takes; run `livecover-train prepare` first")
    return takes


class Crops(IterableDataset[dict[str, Tensor]]):
    """Endless random crops of a folder of takes; takes that appear later join in."""

    def __init__(
        self, folder: Path, spec: FeatureSpec, n_frames: int, lookahead: int, seed: int
    ) -> None:
        self.folder, self.spec, self.n_frames = folder, spec, n_frames
        self.lookahead, self.seed = lookahead, seed
        self.n_seen_before_reload = 2000

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.seed, info.id if info else 0))
        while True:
            takes = read_takes(self.folder)
            mean_style = np.mean([t.style for t in takes], axis=0)
            for _ in range(self.n_seen_before_reload):
                yield self._crop(takes[rng.integers(len(takes))], mean_style, rng)

    def _crop(self, take: Take, mean_style: Array, rng: np.random.Generator) -> dict[str, Tensor]:
        stored = np.load(take.features, mmap_mode="r")
        start = int(rng.integers(0, max(len(stored) - self.n_frames, 1)))
        rows = np.array(stored[start : start + self.n_frames], np.float32)
        features = np.full((self.n_frames, self.spec.n_bins), np.log(self.spec.log_floor))
        features = features.astype(np.float32)
        features[: len(rows)] = rows
        features, notes = transpose(features, take.notes, int(rng.integers(-6, 6)), self.spec)
        features = colour(features, self.spec, rng)
        labels = rasterize(notes, start - self.lookahead, self.n_frames, self.spec.frame_s)
        style = mean_style if rng.random() < 0.3 else take.style
        arrays = {"features": features, "style": style.astype(np.float32), **labels}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}
