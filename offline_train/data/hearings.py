"""What was heard of shards, kept as shards: each piece is mixed, mastered and listened to once.

Listening is slow, so what it finds is kept in a folder, and the same command goes on where it
stopped. Not here: as what a piece is heard (``matching.snippets``, ``arranging.units``).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DataError
from offline_train.data import jobs as making
from offline_train.data.shards import StoredPiece, manifest_hash, read_shards
from offline_train.synthesis.mixing import draw_gains, master, mix
from offline_train.synthesis.stems import SAMPLE_RATE

Array = NDArray[np.float32]


def claim(out: Path, folders: Sequence[Path], facts: dict[str, Any]) -> None:
    """Keep in ``config.json`` how and of which folders of shards a folder is made.

    Raises
    ------
    DataError
        If the folder holds what was heard otherwise, or of other shards.
    """
    making.claim(out, {**facts, "data": [manifest_hash(folder) for folder in folders]})


def by_shard(
    folders: Sequence[Path], fits: Callable[[StoredPiece], bool], wanted: str, limit: int = 0
) -> list[tuple[str, list[StoredPiece]]]:
    """Return a name and the pieces of each shard that has some that fit; 0 is no limit.

    Raises
    ------
    DataError
        If nothing fits; ``wanted`` says what was expected.
    """
    pieces = [(n, p) for n, folder in enumerate(folders) for p in read_shards(folder) if fits(p)]
    if not pieces:
        where = ", ".join(str(folder) for folder in folders)
        raise DataError(f"{where}: expected {wanted}; run livecover-train prepare")
    groups = groupby(pieces[: limit or None], lambda pair: (pair[0], pair[1].shard))
    return [(f"{n}-{shard.stem}", [p for _, p in group]) for (n, shard), group in groups]


def keep(out: Path, jobs: Mapping[str, making.Job], workers: int = 0) -> list[StoredPiece]:
    """Write the shards that are missing or cut short; return the pieces of all.

    Parameters
    ----------
    jobs
        A shard's file name -> what hears its pieces.
    workers
        Processes that do the jobs, which then must be picklable; 0 does them in this one.
    """
    making.make(out, jobs, f"hear {out.name}", partial(making.in_processes, workers))
    return read_shards(out)


def play(piece: StoredPiece, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return a piece mixed and mastered (n,) at 16 kHz, and the gain of each stem."""
    stems = piece.array("stems")
    gains = draw_gains(piece.facts.get("roles", ["recording"] * stems.shape[1]), rng)
    return master(mix(stems, gains), rng, SAMPLE_RATE), gains
