"""What a cover model hears of songs whose human cover is known, as files are heard: far ahead.

Each piece is one ``NAME.npz`` in a folder: what ``HeardCover`` has. The same command goes on where
it stopped. Not here: crops (``strike_crops``).
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.core.errors import DataError
from engine.model.pipeline import load_pipeline
from offline_train.data.sampler import mix_piece
from offline_train.data.shards import read_shards
from offline_train.evaluation.rungs import (
    EvaluateConfig,
    read_reference_song,
    reference_piece,
    song_names,
)
from offline_train.evaluation.systems import listen

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
Times = NDArray[np.float64]

MODEL = "live"
SEED = 77  # of mixes
LEAST_BEATS = 16


class HeardCover(NamedTuple):
    """Posteriors of a piece, its true beats, and the human's notes."""

    onset: NDArray[np.uint8]  # (T, 88), in steps of 1/255
    melody: NDArray[np.uint8]  # (T, 88)
    frame: NDArray[np.uint8]  # (T, 88)
    frame_s: float
    beats: Times  # (b,) seconds
    is_downbeat: NDArray[np.bool_]  # (b,)
    notes: Array  # (n, 5) onset, offset, pitch, velocity, is the tune's

    def posteriors(self, part: slice = slice(None)) -> tuple[Array, Array, Array]:
        """Return onset, melody and frame (n, 88) of a part, in [0, 1]."""
        onset, melody, frame = (
            np.asarray(kind[part], np.float32) / np.float32(255)
            for kind in (self.onset, self.melody, self.frame)
        )
        return onset, melody, frame


class Covered(NamedTuple):
    """A piece's sound at 16 kHz, its beats (b, 2), time and whether a bar begins, and its cover."""

    name: str
    samples: Array
    beats: NDArray[np.floating]
    notes: Array


def of_folder(folder: Path) -> Iterator[Covered]:
    """Yield the pieces with beats of a folder of shards, mixed and mastered as in training."""
    for k, piece in enumerate(read_shards(folder)):
        if "beats" in piece and "notes" in piece:
            samples, _ = mix_piece(piece, np.random.default_rng((SEED, k)))
            name = f"{folder.name}-{piece.name}"
            beats, notes = (np.array(piece.array(key)) for key in ("beats", "notes"))
            yield Covered(name, samples, beats, notes)


def of_rung(config: EvaluateConfig) -> Iterator[Covered]:
    """Yield the songs of a rung of POP909, as ``livecover-train evaluate`` renders them."""
    for name in song_names(config):
        song, _ = reference_piece(config, name)
        sound = read_reference_song(config, name)
        if sound.notes is not None:
            beats = np.array([(beat.time, beat.is_downbeat) for beat in song.beats])
            yield Covered(name, sound.samples, beats, sound.notes)


def keep_heard(pieces: Iterator[Covered], out: Path) -> int:
    """Run ``live`` on each piece that is not kept yet; return how many are there.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    pipeline = load_pipeline(MODEL)
    n = 0
    for piece in tqdm(pieces, f"heard {out.name}", unit="piece"):
        path = out / f"{piece.name}.npz"
        if len(piece.beats) < LEAST_BEATS:
            continue
        n += 1
        if path.is_file():
            continue
        found = listen(pipeline, piece.samples, "balanced", "whole file")
        if found.melody is None:
            raise DataError(f"{MODEL}: expected a model that tells the tune apart")
        kinds = (np.round(255 * kind).astype(np.uint8)
                 for kind in (found.onset, found.melody, found.frame))
        frame_s = pipeline.spec.features.frame_s
        heard = HeardCover(
            *kinds, frame_s, piece.beats[:, 0].astype(float), piece.beats[:, 1] > 0, piece.notes
        )  # fmt: skip
        try:
            with path.with_suffix(".partial").open("wb") as file:
                np.savez_compressed(file, **heard._asdict())
            path.with_suffix(".partial").replace(path)
        except OSError as error:
            raise DataError(f"{out}: expected to keep posteriors there ({error})") from error
    return n


def load_heard_covers(folder: Path) -> list[HeardCover]:
    """Return the pieces kept in a folder, by their names.

    Raises
    ------
    DataError
        If there is none.
    """
    covers = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as kept:
            arrays = {name: kept[name] for name in HeardCover._fields}
            covers.append(HeardCover(**(arrays | {"frame_s": float(kept["frame_s"])})))
    if not covers:
        raise DataError(
            f"{folder}: expected heard covers, found none: make them with"
            " livecover-train hear-covers"
        )
    return covers
