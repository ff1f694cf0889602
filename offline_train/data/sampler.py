"""Random crops of shards: a piece, a passage of it, mixed, bent in pitch and mastered.

What every network that learns from mixed stems draws from. Not here: its labels
(``data.dataset``, ``recipes.amt_apc_data``), and how stems are mixed (``synthesis.mixing``).
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.core.errors import DataError
from models.spec import FeatureSpec
from offline_train.data.shards import MANIFEST, StoredPiece, read_shards
from offline_train.synthesis.mixing import draw_gains, master, mix
from offline_train.synthesis.stems import SAMPLE_RATE

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
LEAD_IN_S = 0.4
"""Seconds before a crop that room and compressor are given."""
RELOAD_AFTER = 250
"""Crops, after which the folders are read again: shards that appear later join in."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A passage of a piece: ``start`` in samples of the stems, ``samples`` (n,) mastered.

    ``dry`` (n,) is the same before bending and mastering; ``gains`` are those of the stems.
    """

    start: int
    samples: Array
    dry: Array
    gains: Array


@dataclass(eq=False)
class FrameCrops:
    """Crops of ``n_frames`` features of ``spec`` from folders of shards.

    ``shares`` gives how often each folder is drawn from. Targets come ``lookahead`` frames late.
    """

    shares: Mapping[Path, float]
    spec: FeatureSpec
    n_frames: int
    lookahead: int


class PieceSampler:
    """Draws pieces of folders of shards.

    Parameters
    ----------
    folders
        Folder -> how often it is drawn from, in relation to the others; None is as many pieces as
        it holds.
    is_usable
        Says of a piece whether it may be drawn.
    wanted
        What is expected of a piece, for the message if there is none such.
    skip_missing
        Whether a folder that is not there yet is left out, with a line in the log.
    """

    def __init__(
        self,
        folders: Mapping[Path, float | None],
        is_usable: Callable[[StoredPiece], bool] = lambda _: True,
        wanted: str = "pieces",
        skip_missing: bool = False,
    ) -> None:
        self.folders, self.is_usable, self.wanted = dict(folders), is_usable, wanted
        self.skip_missing = skip_missing
        self._n_drawn = 0
        self._by_folder: list[list[StoredPiece]] = []
        self._weights: NDArray[np.float64] = np.zeros(0)

    def draw(self, rng: np.random.Generator) -> StoredPiece:
        """Return one more piece. Raises DataError as ``pieces``."""
        if self._n_drawn % RELOAD_AFTER == 0:
            self._reload()
        self._n_drawn += 1
        pieces = self._by_folder[rng.choice(len(self._by_folder), p=self._weights)]
        return pieces[rng.integers(len(pieces))]

    def pieces(self) -> list[StoredPiece]:
        """Return the usable pieces of all folders.

        Raises
        ------
        DataError
            If there is none, or a folder holds no shard.
        """
        return [piece for pieces in self._read() for piece in pieces]

    def _reload(self) -> None:
        self._by_folder = self._read()
        shares = self.folders.values()
        sizes = [len(pieces) for pieces in self._by_folder]
        weights = [
            float(n) if share is None else share * (n > 0)
            for n, share in zip(sizes, shares, strict=True)
        ]
        self._weights = np.array(weights) / sum(weights)

    def _read(self) -> list[list[StoredPiece]]:
        missing = {f for f in self.folders if not (f / MANIFEST).is_file()}
        if missing and self.skip_missing:
            log.warning("%s: not there yet", ", ".join(sorted(map(str, missing))))
        else:
            missing = set()
        found = [
            [] if folder in missing else list(filter(self.is_usable, read_shards(folder)))
            for folder in self.folders
        ]
        if not any(found):
            where = ", ".join(str(folder) for folder in self.folders)
            raise DataError(f"{where}: expected {self.wanted}; run livecover-train prepare")
        return found


def gains_of(piece: StoredPiece, rng: np.random.Generator) -> Array:
    """Return the gain (stems,) of each stem of a piece in one more mix."""
    n_stems = piece.array("stems").shape[1]
    return draw_gains(piece.facts.get("roles", ["recording"] * n_stems), rng)


def mix_piece(
    piece: StoredPiece, rng: np.random.Generator, sample_rate: int = SAMPLE_RATE
) -> tuple[Array, Array]:
    """Return a piece mixed and mastered (n,), and the gain of each stem."""
    gains = gains_of(piece, rng)
    return master(mix(piece.array("stems"), gains), rng, sample_rate), gains


def draw_crop(
    piece: StoredPiece,
    n_samples: int,
    sample_rate: int,
    rng: np.random.Generator,
    ratio: float = 1.0,
    grid: int = 1,
) -> Crop:
    """Return a random crop of a piece.

    Parameters
    ----------
    n_samples
        Its length, after resampling.
    ratio
        By which it is played faster and higher, as by a tape.
    grid
        Samples of which the start is a multiple.
    """
    stems = piece.array("stems")
    span = round(n_samples * ratio)
    start = int(rng.integers(0, max(len(stems) - span, 1))) // grid * grid
    gains = gains_of(piece, rng)
    before = min(start, int(LEAD_IN_S * sample_rate))
    dry = mix(stems[start - before : start + span], gains)
    sound = master(dry, rng, sample_rate)[before:]
    if ratio != 1.0:
        sound = soxr.resample(sound, sample_rate * ratio, sample_rate, "LQ")
    return Crop(start, _fit(sound, n_samples), _fit(dry[before:], n_samples), gains)


def _fit(sound: Array, length: int) -> Array:
    """Return a sound cut or padded to a length."""
    out = np.zeros(length, np.float32)
    n = min(length, len(sound))
    out[:n] = sound[:n]
    return out
