"""Running ``live`` over songs whose human cover is known, as files are heard: far ahead.

The same command goes on where it stopped. Not here: what is kept (``data.accompaniment``).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.beat.steps.sound import semitones
from engine.core.errors import DataError
from engine.core.notes import Posteriors
from engine.model.pipeline import load_pipeline
from engine.system.whole_file import written_whole
from models.spec import FeatureSpec
from offline_train.data.accompaniment.heard_covers import HeardCover
from offline_train.data.sampler import mix_piece
from offline_train.data.shards import read_shards
from offline_train.evaluation.songs.rungs import (
    EvaluateConfig,
    read_reference_song,
    reference_piece,
    song_names,
)
from offline_train.evaluation.systems import listen

Array = NDArray[np.float32]

MODEL = "live"
SEED = 77  # of mixes
LEAST_BEATS = 16


class Covered(NamedTuple):
    """A piece's sound at 16 kHz, its beats (b, 2), time and whether a bar begins, and its cover."""

    name: str
    samples: Array
    beats: NDArray[np.floating]
    notes: Array


class SoundKeeper:
    """A tap that keeps how loud each semitone is.

    Parameters
    ----------
    features
        Of the pipeline.
    """

    def __init__(self, features: FeatureSpec) -> None:
        self._log_floor = features.log_floor
        self._parts: list[Array] = []

    @property
    def rows(self) -> Array:
        """What came so far, (T, 97) in [0, 1]."""
        return np.concatenate(self._parts)

    def begin(self, start: float, first_frame: float) -> None:
        """Begin anew."""
        self._parts.clear()

    def push(self, samples: Array, features: Array, cents: float) -> None:
        """Keep the next frames."""
        self._parts.append(semitones(features, self._log_floor))

    def push_posteriors(self, posteriors: Posteriors) -> None:
        """Nothing is kept of them."""

    def skip(self, samples: Array, n_frames: int) -> None:
        """Nothing is passed over."""


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
        sound = SoundKeeper(pipeline.spec.features)
        found = listen(pipeline, piece.samples, "balanced", "whole file", sound)
        if found.melody is None or found.transcription is None:
            raise DataError(f"{MODEL}: expected a model that tells the tune apart and transcribes")
        band = found.transcription.swapaxes(0, 1)
        kinds = (found.onset, found.melody, found.frame, *band, sound.rows)
        onset, melody, frame, band_onset, band_frame, spectrum = (
            np.round(255 * kind).astype(np.uint8) for kind in kinds
        )
        heard = HeardCover(
            onset,
            melody,
            frame,
            band_onset,
            band_frame,
            spectrum,
            pipeline.spec.features.frame_s,
            piece.beats[:, 0].astype(float),
            piece.beats[:, 1] > 0,
            piece.notes,
        )
        with written_whole(path) as file:
            np.savez_compressed(file, **heard._asdict())
    return n
