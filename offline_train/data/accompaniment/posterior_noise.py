"""Posteriors that a model would give for notes on a grid, by its errors on rendered songs.

Each cell (step, pitch) of a band has a kind: who sounds there and for how long, or, where nobody
does, what near it does (octaves and twelfths, neighbours, what just ended). For each kind the real
onset and frame posteriors are kept as a table; simulated posteriors are drawn from it. Draws of one
pitch and of one kind hang together over a song, as real errors do: a part that is missed stays
missed. Shapes: S steps, P = 88 pitches.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from engine.core.errors import DataError
from offline_train.data.accompaniment.songs import ROLES, STRUCK

Array = NDArray[np.float32]
Cells = NDArray[np.uint8]

N_ROLES = len(ROLES)
N_REGISTERS = 3
_REGISTER_OF = np.digitize(np.arange(88), (27, 51))  # below C3, below C5, above
LONG = 3  # steps after which a held note is long
N_SILENT = 7
N_KINDS = (3 * N_ROLES + N_SILENT) * N_REGISTERS
TABLE = 512
OF_PITCH, OF_KIND = 0.4, 0.3
"""How much of a draw's variance belongs to its pitch, and to its kind, throughout a song."""
LASTING = 0.6  # how much of the rest of it a step has in common with the one before


def kinds_of(cells: Cells) -> NDArray[np.int64]:
    """Return the kind of each cell (S, P) of a band (``accompaniment.band_cells``)."""
    role, is_struck = cells % STRUCK, cells >= STRUCK
    sounds = role > 0
    age = np.zeros(cells.shape, np.int64)
    for k in range(len(cells)):
        before = age[k - 1] + 1 if k else np.full(cells.shape[1], LONG)
        age[k] = np.where(is_struck[k], 0, np.minimum(before, LONG))
    stage = np.where(is_struck, 0, np.where(age < LONG, 1, 2))
    kind = 3 * (role.astype(np.int64) - 1) + stage

    def shifted(semitones: int) -> NDArray[np.bool_]:
        """Whether a note ``semitones`` below sounds."""
        moved = np.zeros_like(sounds)
        if semitones > 0:
            moved[:, semitones:] = sounds[:, :-semitones]
        else:
            moved[:, :semitones] = sounds[:, -semitones:]
        return moved

    ended = np.zeros_like(sounds)
    ended[1:] = sounds[:-1]
    ended[2:] |= sounds[:-2]
    silent = np.full(cells.shape, 3 * N_ROLES + N_SILENT - 1)
    near = (
        shifted(1) | shifted(-1),
        shifted(-12) | shifted(-24),
        shifted(19) | shifted(28) | shifted(31),
        shifted(24),
        shifted(12),
        ended,
    )
    for k, is_near in enumerate(near):
        silent = np.where(is_near, 3 * N_ROLES + k, silent)
    return np.where(sounds, kind, silent) * N_REGISTERS + _REGISTER_OF


def lasting(noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return white noise (S, P) as noise of the same variance that lasts over steps."""
    out = noise.copy()
    for k in range(1, len(out)):
        out[k] = LASTING * out[k - 1] + np.sqrt(1 - LASTING**2) * noise[k]
    return out


@dataclass(frozen=True, slots=True)
class PosteriorNoise:
    """Tables (kinds, 512, 2) of onset and frame, each ordered by their sum."""

    tables: Array

    @staticmethod
    def fit(pairs: Iterable[tuple[Cells, NDArray[np.uint8]]], seed: int = 0) -> "PosteriorNoise":
        """Return the noise of songs: who sounded (S, P), posteriors uint8 (S, P, 2).

        Raises
        ------
        DataError
            If there is no song.
        """
        rng = np.random.default_rng(seed)
        found: list[list[Array]] = [[] for _ in range(N_KINDS)]
        for cells, posteriors in pairs:
            kinds = kinds_of(cells)
            values = posteriors.astype(np.float32) / 255
            for kind in np.unique(kinds):
                own = values[kinds == kind]
                found[kind].append(own[rng.permutation(len(own))[:TABLE]])
        if not any(found):
            raise DataError("expected songs with posteriors, to fit the model's errors on")
        tables = np.zeros((N_KINDS, TABLE, 2), np.float32)
        for kind, parts in enumerate(found):
            if parts:
                own = np.concatenate(parts)
                own = own[np.argsort(own.sum(1), kind="stable")]
                tables[kind] = own[np.linspace(0, len(own) - 1, TABLE).round().astype(int)]
        return PosteriorNoise(tables)

    def simulate(self, cells: Cells, rng: np.random.Generator) -> Array:
        """Return simulated posteriors (S, P, 2) of a band's cells (S, P)."""
        kinds = kinds_of(cells)
        own = 1 - OF_PITCH - OF_KIND
        drawn = (
            np.sqrt(OF_PITCH) * rng.standard_normal(cells.shape[1])
            + np.sqrt(OF_KIND) * rng.standard_normal(N_KINDS)[kinds]
            + np.sqrt(own) * lasting(rng.standard_normal(cells.shape))
        )
        rank = np.minimum((TABLE * ndtr(drawn)).astype(int), TABLE - 1)
        return np.asarray(self.tables[kinds, rank], np.float32)

    def save(self, path: Path) -> None:
        """Write the tables."""
        np.savez_compressed(path, tables=self.tables.astype(np.float16))

    @staticmethod
    def load(path: Path) -> "PosteriorNoise":
        """Return the tables that ``save`` wrote. Raises DataError where there are none."""
        try:
            with np.load(path) as kept:
                return PosteriorNoise(kept["tables"].astype(np.float32))
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{path}: expected tables of posterior noise ({error})") from error
