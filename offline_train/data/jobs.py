"""Makes what is missing of a folder of shards: the same command resumes it.

A folder belongs to one choice of settings, which lies beside its shards. A job makes the pieces of
one shard, in this process, another or on another machine (``cluster``); ``run_missing`` alone
writes the manifest. Not here: what a shard is (``shards``), and what goes into one (``prepare``,
``recordings``, ``analysis_cache``, ``transcription.sounds``).
"""

import json
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import as_completed
from contextlib import closing
from pathlib import Path
from typing import Any

from tqdm import tqdm

from engine.core.errors import DataError
from engine.system.workers import worker_pool
from offline_train.corpora.text_files import read_json
from offline_train.data.shards import (
    Piece,
    ShardLine,
    append_manifest,
    is_whole,
    read_manifest,
    write_shard,
)

Job = Callable[[], Iterable[Piece]]
Jobs = Mapping[Path, Job]
Lines = Generator[ShardLine, None, None]
Runner = Callable[[Jobs], Lines]
"""Does jobs, each for the path of its shard, and yields the lines of shards as they are written."""


def record_settings(out: Path, settings: dict[str, Any], file: str = "config.json") -> None:
    """Keep in ``file`` which settings (JSON) the shards of a folder are made with.

    Raises
    ------
    DataError
        If the folder holds shards that were made with others.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / file
    if path.is_file() and (before := read_json(path)) != settings:
        changed = sorted(k for k in before | settings if before.get(k) != settings.get(k))
        raise DataError(
            f"{out}: holds shards made with other settings ({', '.join(changed)}); name another"
            " folder, or go on with the same settings"
        )
    path.write_text(json.dumps(settings, indent=1), encoding="utf-8")


def missing_shards(out: Path, names: Iterable[str]) -> list[str]:
    """Return those of a folder's shards that are not there or were cut short, in order."""
    there = read_manifest(out)
    return [name for name in names if name not in there or not is_whole(out, there[name])]


def run_job(path: Path, job: Job) -> ShardLine:
    """Do a job: write its shard, and return the line for the manifest."""
    return write_shard(path, job())


def run_here(jobs: Jobs) -> Lines:
    """Do jobs in this process."""
    for path, job in jobs.items():
        yield run_job(path, job)


def run_in_processes(workers: int, jobs: Jobs) -> Lines:
    """Do jobs, which must be picklable, in so many processes; 0 does them in this one.

    What is not done is given up when the work is interrupted.
    """
    if not workers:
        yield from run_here(jobs)
        return
    with worker_pool(workers) as pool:
        for future in as_completed([pool.submit(run_job, *job) for job in jobs.items()]):
            yield future.result()


def run_missing(out: Path, jobs: Mapping[str, Job], title: str, do: Runner = run_here) -> None:
    """Do the jobs, by file name, whose shards are missing, and note each down once it is there.

    ``do`` is ``run_here``, ``partial(run_in_processes, workers)``, or another way to do jobs.

    Raises
    ------
    DataError
        As a job does, or if a shard cannot be written.
    """
    left = {out / name: jobs[name] for name in missing_shards(out, jobs)}
    with closing(do(left)) as lines:
        for line in tqdm(lines, title, len(left), unit="shard"):
            append_manifest(out, line)
