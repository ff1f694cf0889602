"""What an analysis finds in the pieces of shards, kept as shards: each is analysed once.

An analysis is slow, so its result is kept in a folder, and the same command resumes. Not here: the
analyses (``matching.snippets``, ``arranging.units``).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from engine.core.errors import DataError
from offline_train.data.jobs import Job, record_settings, run_in_processes, run_missing
from offline_train.data.shards import StoredPiece, manifest_hash, read_shards


def record_sources(out: Path, folders: Sequence[Path], facts: dict[str, Any]) -> None:
    """Record in ``config.json`` how, and of which folders of shards, a folder is made.

    Raises
    ------
    DataError
        If the folder holds an analysis with other settings, or of other shards.
    """
    record_settings(out, {**facts, "data": [manifest_hash(folder) for folder in folders]})


def group_by_shard(
    folders: Sequence[Path], fits: Callable[[StoredPiece], bool], wanted: str, limit: int = 0
) -> list[tuple[str, list[StoredPiece]]]:
    """Return a name and the pieces that fit of each shard that has some; 0 is no limit.

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


def cached_pieces(out: Path, jobs: Mapping[str, Job], workers: int = 0) -> list[StoredPiece]:
    """Write the shards that are missing or cut short; return the pieces of all.

    Parameters
    ----------
    jobs
        A shard's file name -> what analyses its pieces.
    workers
        Processes that do the jobs, which then must be picklable; 0 does them in this one.
    """
    run_missing(out, jobs, f"analyse {out.name}", partial(run_in_processes, workers))
    return read_shards(out)
